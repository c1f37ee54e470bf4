//! A dump as a [`Source`]: `pg_dump` writes the table of contents; the rows are
//! copied by several connections of ours, or, where that cannot be, by `pg_dump`
//! alone. What comes out is one stock archive, and ends only when all ended well.

mod announced;
mod line;
mod objects;
mod parallel;
mod plan;
mod program;
mod stream;
mod worker;

use std::io::{self, Read};

use backstop_policy::manifest::{Content, Filters};
use nix::sys::signal::Signal;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Coding, Contents, Error, Toc};
use crate::postgres::snapshot::{Shared, Snapshot, Table};
use crate::postgres::tools::ClientTools;
use crate::stream::Source;

use announced::Announced;
use parallel::{Parallel, Prepared};
use program::Program;
use stream::Stream;

/// What to dump.
pub struct Request<'a> {
    pub tools: &'a ClientTools,
    pub snapshot: &'a Snapshot,
    pub content: Content,
    pub filters: &'a Filters,
    /// `None` for what the server's own pg_restore reads best.
    pub coding: Option<Coding>,
    /// Connections that copy rows; with one, `pg_dump` copies them itself.
    pub jobs: usize,
    /// Whether the rows are added up.
    pub digests: bool,
}

/// A running dump.
pub struct Dump {
    way: Running,
    _ending: Ending,
}

/// When the dump goes, nothing of it goes on: `pg_dump` would hold its locks.
struct Ending {
    program: Program,
    _stop: DropGuard,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.program.signal(Signal::SIGKILL);
    }
}

enum Running {
    Parallel(Box<Parallel>),
    Stream(Stream),
}

/// What is known once a dump has started.
pub struct Started {
    /// The tables whose rows follow; every one is locked by now.
    pub tables: Vec<Table>,
    pub way: Way,
}

/// Who copies the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    Parallel {
        connections: usize,
    },
    /// `pg_dump` alone; with the reason, where that was not asked for.
    Stream {
        reason: Option<String>,
    },
}

/// A dump that ended well.
pub struct Dumped {
    pub contents: Contents,
    /// Warnings of `pg_dump`.
    pub warnings: Vec<String>,
}

/// How the rows are reached.
struct Connections {
    shared: Shared,
    /// Whether a range of pages is read without reading all of them.
    ranges: bool,
    jobs: usize,
    digests: bool,
}

/// As many connections as processors, and one more, because a server that waits
/// for its disk leaves them idle; at most 8.
pub fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).saturating_add(1).min(8)
}

/// Begin a dump. `stop` ends it early.
pub async fn dump(request: &Request<'_>, stop: &CancellationToken) -> Result<(Dump, Started), Error> {
    let running = program::start(command(request))?;
    let stop = stop.child_token();
    running.program.end_when_stopped(stop.clone());
    let ending = Ending { program: running.program.clone(), _stop: stop.clone().drop_guard() };
    let announced =
        tokio::task::spawn_blocking(|| Announced::read(running)).await.map_err(|_| Error::ThreadDied)??;
    let tables = tables_with_rows(&announced.toc);
    let coding = coding(request.coding, &announced.toc)?;

    let prepared = match request.snapshot.shared() {
        Some(shared) if request.jobs > 1 && request.content != Content::Schema => {
            let ranges = request.snapshot.reads_ranges();
            let connections = Connections { shared, ranges, jobs: request.jobs, digests: request.digests };
            Prepared::new(&announced.toc, &connections)
                .await
                .map(|prepared| (prepared, connections))
                .map_err(Some)
        }
        _ => Err(None),
    };
    let (way, taken) = match prepared {
        Ok((prepared, connections)) => {
            let (parallel, connections) =
                Parallel::start(announced, prepared, &connections, coding, &stop).await?;
            (Running::Parallel(Box::new(parallel)), Way::Parallel { connections })
        }
        Err(reason) => (Running::Stream(Stream::start(announced, coding)), Way::Stream { reason }),
    };
    Ok((Dump { way, _ending: ending }, Started { tables, way: taken }))
}

fn command(request: &Request<'_>) -> std::process::Command {
    let mut command = request.tools.pg_dump();
    request.snapshot.target().apply(&mut command);
    // Its blocks are compressed by us.
    command.args(["--format=custom", "--compress=0", "--no-password"]);
    if let Some(snapshot) = request.snapshot.id() {
        command.arg(format!("--snapshot={snapshot}"));
    }
    match request.content {
        Content::Full => {}
        Content::Schema => drop(command.arg("--schema-only")),
        Content::Data => drop(command.arg("--data-only")),
    }
    let filters = request.filters;
    for (flag, patterns) in [
        ("--schema", &filters.schemas),
        ("--table", &filters.tables),
        ("--exclude-table", &filters.exclude_tables),
        ("--exclude-table-data", &filters.exclude_table_data),
    ] {
        command.args(patterns.iter().map(|pattern| format!("{flag}={pattern}")));
    }
    command
}

/// zstd is read by pg_restore 16 and newer, and only the archive of such a
/// pg_dump can say that it is used; gzip is read by every one.
fn coding(asked: Option<Coding>, toc: &Toc) -> Result<Coding, Error> {
    let zstd = toc.header.version >= (1, 15, 0);
    match asked {
        Some(Coding::Zstd(_)) if !zstd => Err(Error::NoZstd { client: toc.header.client_version.clone() }),
        Some(coding) => Ok(coding),
        None if zstd => Ok(Coding::Zstd(1)),
        None => Ok(Coding::Gzip(6)),
    }
}

/// Not the whole table of contents, which is tens of megabytes where there are
/// thousands of tables.
fn tables_with_rows(toc: &Toc) -> Vec<Table> {
    toc.entries
        .iter()
        .filter(|entry| entry.desc == "TABLE DATA")
        .map(|entry| Table { oid: entry.oid, schema: entry.namespace.clone(), name: entry.tag.clone() })
        .collect()
}

impl Read for Dump {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.way {
            Running::Parallel(parallel) => parallel.read(buffer),
            Running::Stream(stream) => stream.read(buffer),
        }
    }
}

impl Source for Dump {
    type Outcome = Dumped;

    fn finish(self) -> io::Result<Dumped> {
        match self.way {
            Running::Parallel(parallel) => parallel.finish(),
            Running::Stream(stream) => stream.finish(),
        }
        .map_err(io::Error::other)
    }
}
