//! The user's own checks of a restored database: SQL assertions, and a command.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitStatus;

use futures::{TryStreamExt, pin_mut};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::DbError;
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::postgres::{self, shell};

/// A file of SQL. A column whose value is not true fails and names the assertion;
/// so does a query without a row, and a statement that ends in an error.
///
/// ```sql
/// SELECT count(*) > 0 AS there_are_users FROM users;
/// SELECT NOT EXISTS (SELECT FROM orders WHERE total < 0) AS no_negative_orders;
/// ```
pub struct Assertions {
    path: String,
    text: String,
}

/// What a file of assertions said.
#[derive(Debug, Default)]
pub struct Asserted {
    /// Names of the assertions: the columns of the queries' results.
    pub ran: Vec<String>,
    pub failures: Vec<String>,
}

impl Assertions {
    pub async fn read(path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        match tokio::fs::read_to_string(path).await {
            Ok(text) => Ok(Self { path: shown, text }),
            Err(source) => Err(Error::Checks { path: shown, source }),
        }
    }

    pub async fn run(&self, target: &Target) -> Result<Asserted, Error> {
        let session = Session::connect(target).await?;
        let mut asserted = Asserted::default();
        if let Err(error) = self.ask(&session, &mut asserted).await {
            match error.as_db_error().filter(|said| is_about_the_check(said)) {
                Some(said) => {
                    asserted.failures.push(format!("check '{}' failed: {}", self.path, said.message()));
                }
                None => return Err(postgres::Error::asking("run the checks")(error).into()),
            }
        }
        Ok(asserted)
    }

    /// Rows are judged as they come: there may be one for each of a table's.
    async fn ask(&self, session: &Session, asserted: &mut Asserted) -> Result<(), tokio_postgres::Error> {
        let messages = session.simple_query_raw(&self.text).await?;
        pin_mut!(messages);
        // Those of this query that no row came for yet.
        let mut unanswered: Vec<String> = Vec::new();
        let mut failed: BTreeSet<String> = BTreeSet::new();
        while let Some(message) = messages.try_next().await? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    unanswered = columns.iter().map(|column| column.name().to_owned()).collect();
                    for name in &unanswered {
                        if !asserted.ran.contains(name) {
                            asserted.ran.push(name.clone());
                        }
                    }
                }
                SimpleQueryMessage::Row(row) => {
                    unanswered.clear();
                    for (n, column) in row.columns().iter().enumerate() {
                        let why = match row.get(n) {
                            Some("t") => continue,
                            Some("f") => "does not hold",
                            Some(_) => "is neither true nor false",
                            None => "is neither true nor false, but NULL",
                        };
                        if failed.insert(column.name().to_owned()) {
                            asserted.failures.push(format!("check '{}' {why}", column.name()));
                        }
                    }
                }
                SimpleQueryMessage::CommandComplete(_) => {
                    for name in unanswered.drain(..) {
                        asserted.failures.push(format!("check '{name}' gave no row"));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// And not about a server that lacks something, was stopped or broke.
fn is_about_the_check(said: &DbError) -> bool {
    !["53", "57", "58"].iter().any(|class| said.code().code().starts_with(class))
}

/// Run a shell command against the restored database: how it ended.
pub async fn command(target: &Target, command: &str, stop: &CancellationToken) -> Result<ExitStatus, Error> {
    shell::run(shell::command(command, target), stop).await.map_err(Error::Command)?.ok_or(Error::Interrupted)
}
