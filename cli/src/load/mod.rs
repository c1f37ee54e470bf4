//! An archive into a database: its table of contents is read first, and what the
//! target cannot take is left out by an explicit list. The first error stops
//! everything, and the archive is read to its very end, where its digests are told.

mod builds;
mod connections;
mod error;
pub mod facts;
mod parallel;
mod program;
pub mod psql;
mod room;
mod route;
mod script;
mod single;
mod worker;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::process::Command;
use std::sync::Arc;

use backstop_policy::identifier::quote;
use tokio_util::sync::CancellationToken;

use crate::archive::load::{Obstacle, Stages, stages};
use crate::archive::{Halves, Plan, Selection, TargetFacts, Toc, plan as plan_of, read_toc};
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::postgres::tools::ClientTools;

pub use error::Error;
pub use psql::Frame;

/// What to load, and into what.
pub struct Load<'a> {
    pub target: &'a Target,
    pub selection: &'a Selection,
    /// Everything in one transaction with this around it, for a target that
    /// others use meanwhile. It is committed when the archive's end was good.
    pub frame: Option<&'a Frame>,
    /// Connections for the rows, and for what is made after them.
    pub jobs: usize,
}

/// What was loaded.
pub struct Loaded {
    pub toc: Toc,
    pub plan: Plan,
    pub tools: ClientTools,
    /// Rows that the server said it took, by the dump id of their entry; none where
    /// a program of PostgreSQL's loaded them.
    pub taken: BTreeMap<i32, u64>,
    /// What the load could not do as it was asked to.
    pub notes: Vec<String>,
}

/// An archive whose table of contents was read.
pub struct Archive {
    pub toc: Toc,
    head: Vec<u8>,
    rest: Box<dyn Read + Send>,
}

impl Archive {
    pub async fn read(archive: impl Read + Send + 'static) -> Result<Self, Error> {
        tokio::task::spawn_blocking(move || {
            let mut rest = io::BufReader::with_capacity(crate::stream::CHUNK, archive);
            let (toc, head) = read_toc(&mut rest)?;
            Ok(Self { toc, head, rest: Box::new(rest) })
        })
        .await
        .map_err(|_| Error::Panicked)?
    }
}

/// Load an archive. `review` sees the plan before anything is written.
pub async fn load(
    load: &Load<'_>,
    archive: impl Read + Send + 'static,
    review: impl FnOnce(&Toc, &Plan),
    prepare: impl AsyncFnOnce(&Toc) -> Result<(), Error>,
    stop: &CancellationToken,
) -> Result<Loaded, Error> {
    let archive = Archive::read(archive).await?;
    prepare(&archive.toc).await?;
    let target: TargetFacts = facts::read(load.target).await?;
    let plan = plan_of(&archive.toc, load.selection, &target)?;
    review(&archive.toc, &plan);
    restore(load, archive, plan, target.server_major, stop).await
}

/// Load the entries of a plan.
pub async fn restore(
    load: &Load<'_>,
    archive: Archive,
    plan: Plan,
    server_major: u32,
    stop: &CancellationToken,
) -> Result<Loaded, Error> {
    make_schemas(load.target, &plan).await?;
    let tools = ClientTools::for_restore(archive.toc.header.oldest_pg_restore(), server_major).await?;
    let Archive { toc, head, rest } = archive;
    let mut notes = Vec::new();
    let mut taken = BTreeMap::new();
    let toc = Arc::new(toc);
    match way(load, &tools, &toc, &plan, server_major) {
        Ok(stages) => {
            let source = parallel::Source { toc: toc.clone(), head, rest };
            let done = parallel::run(load, &tools, source, &plan, stages, stop).await?;
            notes.extend(done.fewer);
            taken = done.taken;
        }
        Err(why) => {
            notes.extend(why.map(|why| format!("loaded over one connection: {why}")));
            let bytes = io::Cursor::new(head).chain(rest);
            single::run(load, &tools, &toc, &plan, bytes, server_major, stop).await?;
        }
    }
    let toc = Arc::unwrap_or_clone(toc);
    Ok(Loaded { toc, plan, tools, taken, notes })
}

/// How to go in parallel, or why not, where that needs saying.
fn way(
    load: &Load<'_>,
    tools: &ClientTools,
    toc: &Toc,
    plan: &Plan,
    server_major: u32,
) -> Result<Stages, Option<String>> {
    if load.frame.is_some() {
        return Err(Some("everything is one transaction".to_owned()));
    }
    if single::sets_too_much(tools, server_major) {
        let version = tools.version;
        return Err(Some(format!("pg_restore {version} speaks to server {server_major} through psql only")));
    }
    if load.selection.halves != Halves::Both {
        return Err(None);
    }
    stages(toc, plan).map_err(|obstacle| match obstacle {
        Obstacle::NoRows => None,
        Obstacle::Entry(why) => Some(why),
    })
}

/// An archive of some tables names schemas that it does not make.
async fn make_schemas(target: &Target, plan: &Plan) -> Result<(), Error> {
    if plan.missing_schemas.is_empty() {
        return Ok(());
    }
    let session = Session::connect(target).await?;
    for schema in &plan.missing_schemas {
        let make = format!("CREATE SCHEMA IF NOT EXISTS {}", quote(schema));
        let failed = crate::postgres::Error::asking(format!("make schema '{schema}'"));
        session.batch_execute(&make).await.map_err(failed)?;
    }
    session.close().await;
    Ok(())
}

/// `pg_restore` with the flags that every run of it has.
fn base_command(load: &Load<'_>, tools: &ClientTools) -> Command {
    let mut command = tools.pg_restore();
    command.args(["--exit-on-error", "--no-password"]);
    for (wanted, flag) in
        [(load.selection.no_owner, "--no-owner"), (load.selection.no_privileges, "--no-privileges")]
    {
        if wanted {
            command.arg(flag);
        }
    }
    command
}

/// A database name as a conninfo string, so that a name with `=` in it is not
/// taken for one.
fn conninfo(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}
