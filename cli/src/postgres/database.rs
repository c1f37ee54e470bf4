//! Make, drop and name databases on a server.

use backstop_policy::identifier::{literal, quote};
use backstop_policy::manifest::Source;

use super::Error;
use super::session::Session;

/// What a new database is made like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locale {
    /// As the source's, or not at all.
    Exact,
    /// As the source's where the server has it, else `C`: good enough for a trial.
    OrC,
}

/// Create a database from template0 with the source's encoding and locale.
/// Returns what had to be made differently, one sentence each.
pub async fn create(admin: &Session, name: &str, like: &Source, locale: Locale) -> Result<Vec<String>, Error> {
    let base = format!("CREATE DATABASE {} TEMPLATE template0 ENCODING {}", quote(name), literal(&like.encoding));
    let exact = format!("{base} {}", locale_clauses(admin, like));
    let failed = |error| Error::asking(format!("create database '{name}'"))(error);
    match admin.batch_execute(&exact).await {
        Ok(()) => Ok(Vec::new()),
        Err(error) if locale == Locale::OrC && is_about_locale(&error) => {
            admin.batch_execute(&format!("{base} LC_COLLATE 'C' LC_CTYPE 'C'")).await.map_err(failed)?;
            Ok(vec![format!("the trial server has no locale '{}'; the trial database sorts by 'C'", like.collate)])
        }
        Err(error) => Err(failed(error)),
    }
}

fn locale_clauses(admin: &Session, like: &Source) -> String {
    let mut clauses = format!("LC_COLLATE {} LC_CTYPE {}", literal(&like.collate), literal(&like.ctype));
    let version = admin.server_version_num() / 10_000;
    if let (Some(provider @ ("icu" | "builtin")), Some(locale)) = (like.locale_provider.as_deref(), &like.locale) {
        if provider == "icu" && version >= 15 {
            clauses += &format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", literal(locale));
        } else if provider == "builtin" && version >= 17 {
            clauses += &format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(locale));
        }
    } else if version >= 15 {
        clauses += " LOCALE_PROVIDER libc";
    }
    clauses
}

fn is_about_locale(error: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;
    error.code().is_some_and(|code| {
        [SqlState::INVALID_PARAMETER_VALUE, SqlState::WRONG_OBJECT_TYPE, SqlState::FEATURE_NOT_SUPPORTED].contains(code)
    })
}

/// Drop a database, ending the sessions in it.
pub async fn drop(admin: &Session, name: &str) -> Result<(), Error> {
    admin
        .batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(name)))
        .await
        .map_err(Error::asking(format!("drop database '{name}'")))
}

/// Whether there is a database of that name.
pub async fn exists(admin: &Session, name: &str) -> Result<bool, Error> {
    admin
        .query_one("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", &[&name])
        .await
        .map(|row| row.get(0))
        .map_err(Error::asking("look the databases up"))
}
