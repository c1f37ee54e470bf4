//! The encoding and locale of a database: read from one, and written as the
//! CREATE DATABASE that makes another alike. Where a locale does not exist on
//! the machine of a throwaway cluster there are substitutes, each with the note
//! that the user is owed, because text sorts differently under them.

use std::fmt::Write as _;

use backstop_policy::identifier::{literal, quote};
use backstop_policy::manifest::Source;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// Who sorts and classifies text (pg_database.datlocprovider).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    Libc,
    Icu,
    /// PostgreSQL's own, from version 17.
    Builtin,
}

impl Provider {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Libc => "libc",
            Self::Icu => "icu",
            Self::Builtin => "builtin",
        }
    }
}

/// What CREATE DATABASE has to be told so that text keeps its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale {
    pub encoding: String,
    pub provider: Provider,
    pub collate: String,
    pub ctype: String,
    /// The name that ICU or the builtin provider knows.
    pub provider_locale: Option<String>,
    pub icu_rules: Option<String>,
}

impl Locale {
    /// Of the database that the client is connected to.
    pub async fn of(client: &Client) -> Result<Self, tokio_postgres::Error> {
        // As JSON, because the columns differ between the versions: the
        // provider is there from 15, the rules from 16, the locale's name
        // changed in 17.
        let row = client
            .query_one(
                "SELECT pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text,
                        to_jsonb(d) ->> 'datlocprovider',
                        coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
                        to_jsonb(d) ->> 'daticurules'
                 FROM pg_catalog.pg_database AS d WHERE datname = current_database()",
                &[],
            )
            .await?;
        Ok(Self {
            encoding: row.get(0),
            collate: row.get(1),
            ctype: row.get(2),
            provider: match row.get::<_, Option<&str>>(3) {
                Some("i") => Provider::Icu,
                Some("b") => Provider::Builtin,
                _ => Provider::Libc,
            },
            provider_locale: row.get(4),
            icu_rules: row.get(5),
        })
    }

    /// The statement that makes an empty database of this locale on a server of
    /// this major version. Nothing but template0 takes any locale.
    pub fn create_database(&self, name: &str, server_major: u32) -> String {
        let mut sql = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            quote(name),
            literal(&self.encoding),
            literal(&self.collate),
            literal(&self.ctype)
        );
        if server_major < 15 {
            return sql;
        }
        let key = match self.provider {
            Provider::Libc => None,
            Provider::Icu => Some("ICU_LOCALE"),
            Provider::Builtin => Some("BUILTIN_LOCALE"),
        };
        sql.push_str(" LOCALE_PROVIDER ");
        sql.push_str(self.provider.as_str());
        if let (Some(key), Some(locale)) = (key, &self.provider_locale) {
            let _ = write!(sql, " {key} {}", literal(locale));
        }
        if let (Provider::Icu, Some(rules), 16..) = (self.provider, &self.icu_rules, server_major) {
            let _ = write!(sql, " ICU_RULES {}", literal(rules));
        }
        sql
    }

    /// What to try instead, the closest first: the same language by ICU, then
    /// code point order in the same encoding.
    fn substitutes(&self) -> Vec<Self> {
        let language = match self.provider {
            Provider::Libc => self.collate.split(['.', '@']).next().map(|name| name.replace('_', "-")),
            Provider::Icu => self.provider_locale.clone(),
            // Code point order already.
            Provider::Builtin => None,
        };
        let plain = |name: &str| Self {
            provider: Provider::Libc,
            collate: name.into(),
            ctype: name.into(),
            provider_locale: None,
            icu_rules: None,
            encoding: self.encoding.clone(),
        };
        let by_icu = |name: &str| Self {
            provider: Provider::Icu,
            provider_locale: language.clone(),
            icu_rules: self.icu_rules.clone(),
            ..plain(name)
        };
        let language_known = language.as_deref().is_some_and(|name| !matches!(name, "" | "C" | "POSIX"));
        let icu = language_known.then(|| [by_icu("C.UTF-8"), by_icu("C")]);
        icu.into_iter().flatten().chain(["C.UTF-8", "C"].map(plain)).collect()
    }

    /// As a user knows it: whose it is and its name.
    pub fn describe(&self) -> String {
        let whose = match self.provider {
            Provider::Libc => return format!("locale '{}'", self.collate),
            Provider::Icu => "ICU",
            Provider::Builtin => "builtin",
        };
        format!("{whose} locale '{}'", self.provider_locale.as_ref().unwrap_or(&self.collate))
    }
}

impl From<&Source> for Locale {
    /// Of the database that a manifest describes.
    fn from(source: &Source) -> Self {
        Self {
            encoding: source.encoding.clone(),
            provider: match source.locale_provider.as_str() {
                "icu" => Provider::Icu,
                "builtin" => Provider::Builtin,
                _ => Provider::Libc,
            },
            collate: source.collate.clone(),
            ctype: source.ctype.clone(),
            provider_locale: source.locale.clone(),
            icu_rules: source.icu_rules.clone(),
        }
    }
}

/// Make an empty database of this locale, or of the closest one that is to be
/// had on this server; then the answer is the note that says so.
pub async fn create_closest(
    client: &Client,
    name: &str,
    locale: &Locale,
) -> Result<Option<String>, tokio_postgres::Error> {
    let version: i32 =
        client.query_one("SELECT current_setting('server_version_num')::int", &[]).await?.get(0);
    let major = u32::try_from(version / 10_000).unwrap_or_default();
    let Err(first) = client.batch_execute(&locale.create_database(name, major)).await else {
        return Ok(None);
    };
    // The locale does not exist here, its encoding is another, or this build
    // or version does not know the provider.
    let unknown_here = |cause: &tokio_postgres::Error| {
        cause.code().is_some_and(|code| {
            [
                SqlState::WRONG_OBJECT_TYPE,
                SqlState::INVALID_PARAMETER_VALUE,
                SqlState::FEATURE_NOT_SUPPORTED,
                SqlState::SYNTAX_ERROR,
                SqlState::INVALID_OBJECT_DEFINITION,
            ]
            .contains(code)
        })
    };
    if unknown_here(&first) {
        for substitute in locale.substitutes() {
            if client.batch_execute(&substitute.create_database(name, major)).await.is_ok() {
                return Ok(Some(format!(
                    "{} is not to be had here; database '{name}' has {} instead, so text may sort differently",
                    locale.describe(),
                    substitute.describe()
                )));
            }
        }
    }
    Err(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn german() -> Locale {
        Locale {
            encoding: "UTF8".into(),
            provider: Provider::Libc,
            collate: "de_DE.UTF-8".into(),
            ctype: "de_DE.UTF-8".into(),
            provider_locale: None,
            icu_rules: None,
        }
    }

    #[test]
    fn the_statement_fits_the_servers_version() {
        insta::assert_snapshot!(german().create_database("o\"x", 14), @r#"CREATE DATABASE "o""x" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'de_DE.UTF-8' LC_CTYPE 'de_DE.UTF-8'"#);
        let icu = Locale {
            provider: Provider::Icu,
            provider_locale: Some("de-AT".into()),
            icu_rules: Some("&V << w <<< W".into()),
            ..german()
        };
        insta::assert_snapshot!(icu.create_database("x", 15), @"CREATE DATABASE \"x\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'de_DE.UTF-8' LC_CTYPE 'de_DE.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'de-AT'");
        assert!(icu.create_database("x", 16).ends_with("ICU_LOCALE 'de-AT' ICU_RULES '&V << w <<< W'"));
    }

    #[test]
    fn substitutes_keep_the_language_and_the_encoding() {
        let names: Vec<_> = german().substitutes().iter().map(Locale::describe).collect();
        let icu = "ICU locale 'de-DE'";
        assert_eq!(names, [icu, icu, "locale 'C.UTF-8'", "locale 'C'"]);
        assert!(german().substitutes().iter().all(|other| other.encoding == "UTF8"));
    }
}
