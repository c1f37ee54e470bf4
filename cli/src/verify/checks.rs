//! The user's own checks of a restored database: SQL assertions, and a command.

use std::path::Path;
use std::process::ExitStatus;

use tokio_postgres::SimpleQueryMessage;
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::postgres::session::Session;
use crate::postgres::shell;
use crate::postgres::target::Target;

/// What a file of assertions said.
pub struct Asserted {
    /// Names of the assertions: the columns of the queries' results.
    pub ran: Vec<String>,
    pub failures: Vec<String>,
}

/// Run a file of SQL. A column whose value is false fails and names the
/// assertion; so does a statement that ends in an error.
///
/// ```sql
/// SELECT count(*) > 0 AS there_are_users FROM users;
/// SELECT NOT EXISTS (SELECT FROM orders WHERE total < 0) AS no_negative_orders;
/// ```
pub async fn sql(target: &Target, path: &Path) -> Result<Asserted, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Checks { path: path.display().to_string(), source })?;
    let session = Session::connect(target).await?;
    let mut asserted = Asserted { ran: Vec::new(), failures: Vec::new() };
    let messages = match session.simple_query(&text).await {
        Ok(messages) => messages,
        Err(error) => {
            let why = error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned());
            asserted.failures.push(format!("check '{}' failed: {why}", path.display()));
            return Ok(asserted);
        }
    };
    for message in &messages {
        let SimpleQueryMessage::Row(row) = message else { continue };
        for (n, column) in row.columns().iter().enumerate() {
            let name = column.name().to_owned();
            if row.get(n) == Some("f") {
                asserted.failures.push(format!("check '{name}' does not hold"));
            }
            if !asserted.ran.contains(&name) {
                asserted.ran.push(name);
            }
        }
    }
    Ok(asserted)
}

/// Run a shell command against the restored database: how it ended.
pub async fn command(target: &Target, command: &str, stop: &CancellationToken) -> Result<ExitStatus, Error> {
    shell::run(shell::command(command, target), stop).await.map_err(Error::Command)?.ok_or(Error::Interrupted)
}
