//! Where a connection comes from when the file does not say it, and what the
//! database is called then.

use std::path::PathBuf;

use backstop_policy::config::clean_name;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use super::{Environment, Error, Overrides};

/// What is known of a connection. `postgres` makes connection parameters of it.
#[derive(Debug)]
pub enum ConnectionSource {
    /// A URL, or a connection string of libpq.
    Url(SecretString),
    /// What is not given comes from libpq's environment and defaults.
    Parts {
        host: Option<String>,
        port: Option<u16>,
        user: Option<String>,
        password: Option<SecretString>,
        dbname: Option<String>,
        /// One of libpq's words.
        sslmode: Option<String>,
        sslrootcert: Option<PathBuf>,
    },
    Supabase {
        project_ref: String,
        password: SecretString,
        /// Host of the session pooler, for machines without IPv6.
        pooler: Option<String>,
    },
    /// PGHOST, PGSERVICE and so on.
    LibpqEnvironment,
}

/// Variables each of which says that libpq's environment is meant.
const LIBPQ: [&str; 5] = ["PGSERVICE", "PGHOST", "PGHOSTADDR", "PGDATABASE", "PGUSER"];

/// `--url`, then DATABASE_URL, then a Supabase project, then libpq's variables.
pub(super) fn environment(overrides: &Overrides, env: &Environment) -> Result<ConnectionSource, Error> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    if let Some(url) = overrides.url.clone().or_else(|| set("DATABASE_URL")) {
        return Ok(ConnectionSource::Url(SecretString::from(url)));
    }
    let project = set("SUPABASE_PROJECT_REF");
    if let Some((project_ref, password)) = project.clone().zip(set("SUPABASE_DB_PASSWORD")) {
        let password = SecretString::from(password);
        return Ok(ConnectionSource::Supabase { project_ref, password, pooler: set("SUPABASE_POOLER_HOST") });
    }
    if LIBPQ.into_iter().any(|name| set(name).is_some()) {
        return Ok(ConnectionSource::LibpqEnvironment);
    }
    Err(if project.is_some() { Error::NoSupabasePassword } else { Error::NoDatabase })
}

/// The name of a database that the configuration does not name: its own name on
/// the server, as a folder's name.
pub(super) fn name_of(source: &ConnectionSource, env: &Environment) -> String {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let from_libpq = || set("PGDATABASE").or_else(|| set("PGSERVICE")).or_else(|| set("PGUSER"));
    let name = match source {
        ConnectionSource::Url(url) => dbname_of(url.expose_secret()).or_else(from_libpq),
        ConnectionSource::Parts { dbname, user, .. } => dbname.clone().or_else(|| user.clone()),
        // Every project's database is called `postgres`: the project tells them apart.
        ConnectionSource::Supabase { project_ref, .. } => Some(project_ref.clone()),
        ConnectionSource::LibpqEnvironment => from_libpq(),
    };
    clean_name(name.as_deref().unwrap_or("postgres"))
}

/// The database in a URL or connection string; where it names none, the user,
/// as libpq does. A password is never part of the answer.
fn dbname_of(url: &str) -> Option<String> {
    let Some((_, rest)) = url.split_once("://") else {
        let value = |key: &str| {
            let mut words = url.split_whitespace().rev().filter_map(|word| word.split_once('='));
            words.find(|(name, _)| *name == key).map(|(_, value)| value.trim_matches('\'').to_owned())
        };
        return value("dbname").or_else(|| value("user"));
    };
    // After a password, which may hold anything but counts up to the last `@`.
    let password = backstop_policy::secrets::password_in_url(url);
    let after = password.and_then(|range| url.get(range.end..)?.strip_prefix('@'));
    let address = after.unwrap_or(rest);
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let of_query = query.split('&').find_map(|pair| pair.strip_prefix("dbname="));
    let of_path = path.split_once('/').map(|(_, name)| name);
    let user =
        || rest.split_once(['@', '/', '?']).map(|(userinfo, _)| userinfo).filter(|_| rest.contains('@'));
    let user = || user()?.split(':').next();
    let name = of_query.or(of_path).filter(|name| !name.is_empty()).or_else(user)?;
    let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_in_a_url() {
        for (url, name) in [
            ("postgres://u:p@h/shop", Some("shop")),
            ("postgres://u:p/w@h:5432/shop?sslmode=require", Some("shop")),
            ("postgres://u:p@w@h/Shop%20One", Some("Shop One")),
            ("postgres:///shop?host=/run/pg", Some("shop")),
            ("postgres://h/x?dbname=shop", Some("shop")),
            ("postgres://ada:p@h", Some("ada")),
            ("postgres://ada@h/", Some("ada")),
            ("host=h dbname='shop' user=u", Some("shop")),
            ("host=h user=ada", Some("ada")),
            ("postgres://h", None),
        ] {
            assert_eq!(dbname_of(url).as_deref(), name, "{url}");
        }
    }
}
