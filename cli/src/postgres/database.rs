//! Make, drop and name databases on a server.

use backstop_policy::identifier::quote;

use super::Error;
use super::locale::{self, Locale};
use super::session::Session;

/// Create an empty database of exactly this locale.
pub async fn create(admin: &Session, name: &str, locale: &Locale) -> Result<(), Error> {
    let statement = locale.create_database(name, admin.server_version_num() / 10_000);
    admin.batch_execute(&statement).await.map_err(Error::asking(format!("create database '{name}'")))
}

/// Create an empty database for a trial: where the server lacks the locale, of
/// the closest one that it has; then the answer is the note that says so.
pub async fn create_for_trial(admin: &Session, name: &str, locale: &Locale) -> Result<Option<String>, Error> {
    locale::create_closest(admin, name, locale)
        .await
        .map_err(Error::asking(format!("create database '{name}'")))
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
