//! What belongs to a database itself, beside what is in it: encoding and locale,
//! owner, privileges, settings, comment. An archive holds them for a database of
//! the old name; here they are made to fit the new one.

use backstop_policy::identifier::quote;
use tokio_postgres::error::SqlState;

use super::Error;
use super::report::LeftOut;
use super::sql::{self, Kind};
use crate::archive::{Selection, Toc};
use crate::postgres;
use crate::postgres::locale::{Locale, Provider};
use crate::postgres::session::Session;

/// What a new database is to be like, from the archive's own words.
pub fn locale(toc: &Toc) -> Option<Locale> {
    let entry = toc.entries.iter().find(|entry| entry.desc == "DATABASE")?;
    let tokens = sql::tokens(&entry.definition);
    // `KEY = 'text'` or `KEY = word`
    let value = |key: &str| {
        let at = tokens.iter().position(|token| token.is_word(key))?;
        match (&tokens.get(at + 1)?.kind, &tokens.get(at + 2)?.kind) {
            (Kind::Sign('='), Kind::Text(text) | Kind::Word(text)) => Some(text.clone()),
            _ => None,
        }
    };
    let both = value("LOCALE");
    let collate = value("LC_COLLATE").or_else(|| both.clone())?;
    Some(Locale {
        encoding: value("ENCODING")?,
        ctype: value("LC_CTYPE").or(both).unwrap_or_else(|| collate.clone()),
        collate,
        provider: match value("LOCALE_PROVIDER").as_deref() {
            Some("icu") => Provider::Icu,
            Some("builtin") => Provider::Builtin,
            _ => Provider::Libc,
        },
        provider_locale: value("ICU_LOCALE").or_else(|| value("BUILTIN_LOCALE")),
        icu_rules: value("ICU_RULES"),
    })
}

/// One thing to do to the new database.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    what: String,
    sql: String,
}

/// What makes `name` like the archive's database: owner first, since privileges
/// are granted by the owner.
pub fn statements(toc: &Toc, name: &str, selection: &Selection) -> Vec<Statement> {
    let Some(database) = toc.entries.iter().find(|entry| entry.desc == "DATABASE") else { return Vec::new() };
    let mut statements = Vec::new();
    if !selection.no_owner && !database.owner.is_empty() {
        statements.push(Statement {
            what: format!("owner '{}'", database.owner),
            sql: format!("ALTER DATABASE {} OWNER TO {}", quote(name), quote(&database.owner)),
        });
    }
    let tag = format!("DATABASE {}", database.tag);
    for entry in &toc.entries {
        let what = match entry.desc.as_str() {
            "DATABASE PROPERTIES" => "setting",
            "ACL" if !selection.no_privileges => "privilege",
            "COMMENT" => "comment",
            "SECURITY LABEL" => "security label",
            _ => continue,
        };
        // pg_dump writes the name in a remark's tag with quotes where it needs them.
        let mine = what == "setting"
            || entry.tag == tag
            || sql::tokens(&entry.tag).get(1).and_then(|token| token.name()) == Some(&database.tag);
        if !mine || (what != "setting" && !entry.tag.starts_with("DATABASE ")) {
            continue;
        }
        for statement in sql::statements(&entry.definition) {
            if let Some(sql) = rename(statement, &database.tag, name) {
                statements
                    .push(Statement { what: format!("{what} of the database ({})", short(statement)), sql });
            }
        }
    }
    statements
}

/// Put the new name where a statement names the old database. `None` for one
/// that names no database, which would change something else.
fn rename(statement: &str, old: &str, new: &str) -> Option<String> {
    let tokens = sql::tokens(statement);
    let place = tokens
        .windows(2)
        .find(|pair| pair[0].is_word("DATABASE") && pair[1].name() == Some(old))
        .map(|pair| pair[1].start..pair[1].end)?;
    let mut renamed = statement.to_owned();
    renamed.replace_range(place, &quote(new));
    Some(renamed)
}

/// Without the values, which are the user's.
fn short(statement: &str) -> String {
    statement.split_whitespace().take(6).collect::<Vec<_>>().join(" ")
}

/// Do them all; what this role may not do, or this server does not know, is told.
pub async fn apply(admin: &Session, statements: &[Statement]) -> Result<Vec<LeftOut>, Error> {
    let mut left_out = Vec::new();
    for Statement { what, sql } in statements {
        let Err(error) = admin.batch_execute(sql).await else { continue };
        let why = match error.as_db_error() {
            Some(said)
                if [
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    SqlState::UNDEFINED_OBJECT,
                    SqlState::CANT_CHANGE_RUNTIME_PARAM,
                    SqlState::INVALID_PARAMETER_VALUE,
                ]
                .contains(said.code()) =>
            {
                said.message().to_owned()
            }
            _ => return Err(postgres::Error::asking(format!("set {what}"))(error).into()),
        };
        left_out.push(LeftOut { what: what.clone(), why });
    }
    Ok(left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_name_is_replaced_where_it_names_the_database() {
        assert_eq!(
            rename("GRANT CONNECT ON DATABASE shop TO shop", "shop", "new \"one").unwrap(),
            "GRANT CONNECT ON DATABASE \"new \"\"one\" TO shop"
        );
        assert_eq!(
            rename("ALTER ROLE shop IN DATABASE \"a b\" SET x TO 'DATABASE \"a b\"'", "a b", "c").unwrap(),
            "ALTER ROLE shop IN DATABASE \"c\" SET x TO 'DATABASE \"a b\"'"
        );
        assert_eq!(rename("ALTER DATABASE other SET x TO 1", "shop", "new"), None);
    }
}
