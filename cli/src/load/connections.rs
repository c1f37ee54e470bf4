//! The connections that rows are loaded over, each with the settings that
//! pg_restore gives its own.

use std::time::Duration;

use futures::future::join_all;

use crate::postgres::Error;
use crate::postgres::session::{READS_ITSELF, Session, no_limits};
use crate::postgres::target::Target;

/// A server counts a session for a moment longer than it lasts, and pg_restore's have
/// just ended: where only so many are allowed, ours is tried again this often.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// As many as were asked for, or as the server gives; at least one. With fewer comes
/// why there are no more.
pub(super) async fn open(target: &Target, wanted: usize) -> Result<(Vec<Session>, Option<Error>), Error> {
    let first = first(target).await?;
    // The others go where the first one went.
    let target = first.target().clone();
    settings(&first).await?;
    let more = (1..wanted).map(async |_| {
        let session = Session::connect(&target).await?;
        settings(&session).await.map(|()| session)
    });
    let mut sessions = vec![first];
    let mut fewer = None;
    for session in join_all(more).await {
        match session {
            Ok(session) => sessions.push(session),
            Err(error) => fewer = Some(error),
        }
    }
    Ok((sessions, fewer))
}

async fn first(target: &Target) -> Result<Session, Error> {
    for _ in 1..TRIES {
        match Session::connect(target).await {
            Err(Error::TooManyConnections { .. }) => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
    Session::connect(target).await
}

/// Whether the server gives so many connections; they are closed again.
pub(super) async fn have_room(target: &Target, wanted: usize) -> Result<bool, Error> {
    let (sessions, fewer) = open(target, wanted).await?;
    join_all(sessions.into_iter().map(Session::close)).await;
    if fewer.is_some() {
        // Whoever comes next needs one that we had.
        tokio::time::sleep(PAUSE).await;
    }
    Ok(fewer.is_none())
}

/// Those of `_doSetFixedOutputState` in `pg_backup_archiver.c`; and how pg_dump
/// writes dates, intervals and arrays, whatever is usual in the database.
async fn settings(session: &Session) -> Result<(), Error> {
    let mut sql = no_limits(session.server_version_num());
    sql += "SET lock_timeout = 0; SET standard_conforming_strings = on; \
         SELECT pg_catalog.set_config('search_path', '', false); SET check_function_bodies = false; \
         SET xmloption = content; SET client_min_messages = warning; SET row_security = off; \
         SET datestyle = ISO; SET intervalstyle = postgres; SET array_nulls = on; ";
    // Every core has rows to see to; `builds` says when it is otherwise.
    sql += "SET max_parallel_maintenance_workers = 0; ";
    sql += READS_ITSELF;
    sql += "; ";
    // The database is new: until all of it is there, none of it counts.
    sql += "SET synchronous_commit = off";
    session.batch_execute(&sql).await.map_err(Error::asking("prepare a connection for the rows"))
}

/// Put everything that was committed on the server's disk.
pub(super) async fn flush(session: &Session) -> Result<(), Error> {
    session
        .batch_execute(
            "SET synchronous_commit = on; SELECT pg_catalog.pg_logical_emit_message(true, 'backstop', 'rows loaded')",
        )
        .await
        .map_err(Error::asking("write the rows to its disk"))
}
