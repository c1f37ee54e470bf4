//! Rows over several connections: pg_restore makes what comes before them, tables that
//! need nothing of each other side by side; the rows go straight from the stream to the
//! server, what stands on one table alone is made as soon as that is full, and
//! pg_restore makes the rest, several things at a time. The archive is read once and in
//! order; the only file is a private one that holds definitions and no row.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, Write};
use std::sync::Arc;

use futures::future::{join_all, try_join, try_join_all};
use tempfile::NamedTempFile;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::builds::Builds;
use super::route::Router;
use super::worker::Worker;
use super::{Error, Load, base_command, connections, conninfo, program, room};
use crate::archive::load::{Definitions, Reading, Stages, Tree, definitions, early, read};
use crate::archive::{Plan, Toc, list_file};
use crate::postgres::session::Session;
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

/// How it went.
pub(super) struct Done {
    /// Why over fewer connections than were asked for.
    pub fewer: Option<String>,
    /// Rows that the server took, by the dump id of their entry.
    pub taken: BTreeMap<i32, u64>,
}

/// Load the parts of a plan, in their order.
pub(super) async fn run<R: Read + Send + 'static>(
    load: &Load<'_>,
    tools: &ClientTools,
    source: Source<R>,
    plan: &Plan,
    stages: Stages,
    stop: &CancellationToken,
) -> Result<Done, Error> {
    let Source { toc, head, rest } = source;
    let stages = Arc::new(stages);
    let reading = Reading {
        toc: toc.clone(),
        stages: stages.clone(),
        position: head.len() as u64,
        decoders: load.jobs.min(DECODERS),
    };
    let mut made =
        Made { load, tools, toc: &toc, plan, file: NamedTempFile::new().map_err(Error::Definitions)?, stop };
    made.write(&definitions(&toc, &head, &BTreeMap::new())?)?;
    made.before(&stages.before).await?;
    let Rows { connections, sizes, taken, fewer, made: there } = rows(load, rest, reading, stop).await?;
    made.write(&definitions(&toc, &head, &sizes)?)?;
    drop((head, sizes));
    made.restore(&stages.after.difference(&there).copied().collect(), connections).await?;
    made.restore(&stages.attached, 1).await?;
    made.restore(&stages.behind, connections).await?;
    made.restore(&stages.grants, 1).await?;
    made.restore(&stages.last, connections).await?;
    Ok(Done { fewer, taken })
}

/// What pg_restore makes, from an archive without rows.
struct Made<'a> {
    load: &'a Load<'a>,
    tools: &'a ClientTools,
    toc: &'a Toc,
    plan: &'a Plan,
    file: NamedTempFile,
    stop: &'a CancellationToken,
}

impl Made<'_> {
    fn write(&mut self, definitions: &Definitions) -> Result<(), Error> {
        let file = self.file.as_file_mut();
        file.rewind()
            .and_then(|()| file.write_all(&definitions.bytes))
            .and_then(|()| file.set_len(definitions.length))
            .map_err(Error::Definitions)
    }

    /// What comes before the rows: where there is enough of it, in parts side by side.
    async fn before(&self, entries: &BTreeSet<i32>) -> Result<(), Error> {
        let tree = Tree::of(self.toc, entries);
        let hands = tree.hands(self.load.jobs);
        // Twice as many, since those that have just ended may still count.
        if hands == 1 || !connections::have_room(self.load.target, 2 * hands).await? {
            return self.restore(entries, 1).await;
        }
        self.restore(&tree.trunk, 1).await?;
        let parts = tree.deal(hands);
        // Each comes to its end: nobody still makes anything when an error is told.
        join_all(parts.iter().map(|part| self.restore(part, 1))).await.into_iter().collect()
    }

    /// Let `pg_restore` make some of the entries of the plan.
    async fn restore(&self, entries: &BTreeSet<i32>, jobs: usize) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let part = self.plan.entries.iter().copied().filter(|id| entries.contains(id)).collect();
        let list = list_file(self.toc, &Plan { entries: part, ..Plan::default() });
        let mut file = NamedTempFile::new().map_err(Error::ListFile)?;
        file.write_all(list.as_bytes()).map_err(Error::ListFile)?;
        let mut command = base_command(self.load, self.tools);
        command.arg("--use-list").arg(file.path());
        if jobs > 1 && entries.len() > 1 {
            command.arg(format!("--jobs={jobs}"));
        }
        self.load.target.apply(&mut command);
        command.arg(format!("--dbname={}", conninfo(self.load.target.database()))).arg(self.file.path());
        program::run(command, self.stop).await
    }
}

/// How the rows went in.
struct Rows {
    connections: usize,
    /// Bytes of each table.
    sizes: BTreeMap<i32, u64>,
    /// Rows of each, as the server counts them.
    taken: BTreeMap<i32, u64>,
    /// Why over fewer connections than were asked for.
    fewer: Option<String>,
    /// Entries that were made beside them.
    made: BTreeSet<i32>,
}

/// The rows and large objects. Whatever fails first ends all of it: connections are
/// dropped, and the server rolls back what they had under way.
async fn rows<R: Read + Send + 'static>(
    load: &Load<'_>,
    rest: R,
    reading: Reading,
    stop: &CancellationToken,
) -> Result<Rows, Error> {
    let (sessions, fewer) = connections::open(load.target, load.jobs).await?;
    let connections = sessions.len();
    room::give(&sessions).await?;
    let builds = Builds::new(early(&reading.toc, &reading.stages), connections);
    let (pieces, of_archive) = mpsc::channel(WAITING);
    let reader = tokio::task::spawn_blocking(move || read(rest, &reading, pieces));
    let (work, queue) = mpsc::channel(connections);
    let queue = Arc::new(Mutex::new(queue));
    let router = Router { pieces: of_archive, work, connections, builds: &builds };
    let worker = |session| Worker::new(session, queue.clone(), &builds).run();
    let workers = try_join_all(sessions.into_iter().map(worker));
    let loaded = tokio::select! {
        loaded = try_join(router.run(), workers) => loaded,
        () = stop.cancelled() => return Err(Error::Interrupted),
    };
    let (sizes, committed) = match loaded {
        Ok(loaded) => loaded,
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
    // A table without rows needs no COPY, and was loaded too.
    let mut taken: BTreeMap<i32, u64> = sizes.keys().map(|table| (*table, 0)).collect();
    let (sessions, committed): (Vec<_>, Vec<_>) = committed.into_iter().unzip();
    for (table, rows) in committed.into_iter().flatten() {
        *taken.entry(table).or_default() += rows;
    }
    let made = tokio::select! {
        made = builds.finish(&sessions) => made?,
        () = stop.cancelled() => return Err(Error::Interrupted),
    };
    if let Some(session) = sessions.first() {
        connections::flush(session).await?;
    }
    join_all(sessions.into_iter().map(Session::close)).await;
    let fewer = fewer.map(|error| format!("over {connections} of {} connections: {error}", load.jobs));
    Ok(Rows { connections, sizes, taken, fewer, made })
}
