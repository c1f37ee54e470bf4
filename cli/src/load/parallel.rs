//! Rows over several connections: pg_restore makes what comes before them, the rows
//! go straight from the stream to the server, pg_restore makes what comes after
//! them, several things at a time. The archive is read once and in order; the only
//! file is a private one that holds definitions and no row.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::Arc;

use futures::future::{try_join, try_join_all};
use tempfile::NamedTempFile;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::route::Router;
use super::worker::Worker;
use super::{Error, Load, base_command, connections, conninfo, program};
use crate::archive::load::{Reading, Stages, definitions, read};
use crate::archive::{Plan, Toc, list_file};
use crate::postgres::tools::ClientTools;

/// Pieces that wait between the threads; their bytes are bounded elsewhere.
const WAITING: usize = 64;
/// Threads that decompress: each feeds several connections.
const DECODERS: usize = 4;

/// An archive on its way.
pub(super) struct Source<R> {
    pub toc: Arc<Toc>,
    /// Its bytes before the first data block.
    pub head: Vec<u8>,
    pub rest: R,
}

/// Load the parts of a plan, in their order; how many connections took the rows, and
/// why not more.
pub(super) async fn run<R: Read + Send + 'static>(
    load: &Load<'_>,
    tools: &ClientTools,
    source: Source<R>,
    plan: &Plan,
    stages: Stages,
    stop: &CancellationToken,
) -> Result<Option<String>, Error> {
    let Source { toc, head, rest } = source;
    let stages = Arc::new(stages);
    let reading = Reading {
        toc: toc.clone(),
        stages: stages.clone(),
        position: head.len() as u64,
        decoders: load.jobs.min(DECODERS),
    };
    let file = private_file(&definitions(&toc, &head)?)?;
    drop(head);

    let made = Definitions { load, tools, toc: &toc, plan, file, stop };
    made.restore(&stages.before, 1).await?;
    let (connections, fewer) = rows(load, rest, reading, stop).await?;
    made.restore(&stages.after, connections).await?;
    made.restore(&stages.grants, 1).await?;
    made.restore(&stages.last, connections).await?;
    Ok(fewer)
}

/// An archive without rows, and who takes what from it.
struct Definitions<'a> {
    load: &'a Load<'a>,
    tools: &'a ClientTools,
    toc: &'a Toc,
    plan: &'a Plan,
    file: NamedTempFile,
    stop: &'a CancellationToken,
}

impl Definitions<'_> {
    /// Let `pg_restore` make some of the entries of the plan.
    async fn restore(&self, entries: &BTreeSet<i32>, jobs: usize) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let part = self.plan.entries.iter().copied().filter(|id| entries.contains(id)).collect();
        let list = list_file(self.toc, &Plan { entries: part, ..Plan::default() });
        let list = private_file(list.as_bytes())?;
        let mut command = base_command(self.load, self.tools);
        command.arg("--use-list").arg(list.path());
        if jobs > 1 && entries.len() > 1 {
            command.arg(format!("--jobs={jobs}"));
        }
        self.load.target.apply(&mut command);
        command.arg(format!("--dbname={}", conninfo(self.load.target.database()))).arg(self.file.path());
        program::run(command, self.stop).await
    }
}

fn private_file(bytes: &[u8]) -> Result<NamedTempFile, Error> {
    let mut file = NamedTempFile::new().map_err(Error::Definitions)?;
    file.write_all(bytes).map_err(Error::Definitions)?;
    Ok(file)
}

/// The rows and large objects. Whatever fails first ends all of it: connections are
/// dropped, and the server rolls back what they had under way.
async fn rows<R: Read + Send + 'static>(
    load: &Load<'_>,
    rest: R,
    reading: Reading,
    stop: &CancellationToken,
) -> Result<(usize, Option<String>), Error> {
    let (sessions, fewer) = connections::open(load.target, load.jobs).await?;
    let connections = sessions.len();
    let (pieces, of_archive) = mpsc::channel(WAITING);
    let reader = tokio::task::spawn_blocking(move || read(rest, &reading, pieces));
    let (work, queue) = mpsc::channel(connections);
    let queue = Arc::new(Mutex::new(queue));
    let router = Router { pieces: of_archive, work, connections };
    let workers = try_join_all(sessions.into_iter().map(|session| Worker::new(session, queue.clone()).run()));
    let loaded = tokio::select! {
        loaded = try_join(router.run(), workers) => loaded,
        () = stop.cancelled() => return Err(Error::Interrupted),
    };
    let sessions = match loaded {
        Ok(((), sessions)) => sessions,
        // Nobody to read from: the reader says why.
        Err(Error::Panicked) => {
            return Err(match reader.await {
                Ok(Err(error)) => error.into(),
                _ => Error::Panicked,
            });
        }
        Err(error) => return Err(error),
    };
    reader.await.map_err(|_| Error::Panicked)??;
    for (number, session) in sessions.into_iter().enumerate() {
        if number == 0 {
            connections::flush(&session).await?;
        }
        session.close().await;
    }
    Ok((
        connections,
        fewer.map(|error| format!("{connections} connections instead of {}: {error}", load.jobs)),
    ))
}
