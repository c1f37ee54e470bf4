//! Whether a connection pooler hands our session from server process to server
//! process (transaction mode): what the host's name cannot tell.
//!
//! Such a pooler keeps no session, so an exported snapshot, a lock or a setting
//! can be on another connection than the statement after it.

use tokio_postgres::SimpleQueryMessage;

use super::error::Error;
use super::session::Session;

/// Ask from two sessions at once which server process answers. While the second
/// holds a transaction open, a pooler in transaction mode has to have lent it the
/// first one's process, or has to give the first one another.
pub async fn shares_backends(session: &Session) -> Result<bool, Error> {
    let before = backend(session, "SELECT pg_catalog.pg_backend_pid()").await?;
    let second = Session::connect(session.target()).await?;
    let other = backend(&second, "BEGIN; SELECT pg_catalog.pg_backend_pid()").await?;
    // Asking again while a pool of one is taken would wait for ever.
    let shared = other == before || backend(session, "SELECT pg_catalog.pg_backend_pid()").await? != before;
    second.simple_query("ROLLBACK").await.map_err(Error::asking("end a transaction"))?;
    second.close().await;
    Ok(shared)
}

async fn backend(session: &Session, sql: &str) -> Result<Option<String>, Error> {
    let messages =
        session.simple_query(sql).await.map_err(Error::asking("ask which server process answers"))?;
    Ok(messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
