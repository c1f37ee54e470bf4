//! Take one backup: snapshot, dump, seal, store, check, commit.
//!
//! Whatever goes wrong before the commit leaves no object, no manifest and no
//! lease behind, and never touches an older backup.

mod not_captured;
mod proof;

use std::sync::Arc;

use backstop_policy::manifest::{self, Content, Filters, Level, Manifest, Proof};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::archive::{self, Coding, Dumped, Way};
use crate::catalog::{self, Catalog, Draft, keys};
use crate::error::Advise;
use crate::pipeline::{self, Encryption, Sealed};
use crate::postgres::globals;
use crate::postgres::snapshot::Snapshot;
use crate::postgres::target::Target;
use crate::postgres::tools::{self, ClientTools};
use crate::postgres::{self, Session};
use crate::store::{self, Store};
use crate::stream::{Stopped, unless};
use crate::ui::Ui;
use crate::verify::contents;

/// What to back up, and where to.
pub struct Job {
    /// Name of the database in the store.
    pub database: String,
    pub target: Target,
    pub tier: String,
    pub content: Content,
    pub filters: Filters,
    /// Whether roles and tablespaces go along.
    pub globals: bool,
    /// The dump goes to the first, and is copied from there to the others.
    pub stores: Vec<Arc<dyn Store>>,
    pub encryption: Encryption,
    pub critical_tables: Vec<String>,
    /// How the archive's blocks are compressed; `None` for what suits the server.
    pub coding: Option<Coding>,
    /// Connections that copy rows.
    pub jobs: usize,
    /// Whether the rows of each table are added up, and not only counted.
    pub digests: bool,
}

const UNTOUCHED: &str = "nothing was committed; the older backups are as they were";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    #[error(transparent)]
    Tools(#[from] tools::Error),
    #[error(transparent)]
    Archive(#[from] archive::Error),
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    #[error("others changed '{database}' while its backup began: {}", some_of(changed))]
    Disturbed { database: String, changed: Vec<String> },
    #[error("the dump of '{database}' is not complete: {}", failures.join("; "))]
    Incomplete { database: String, failures: Vec<String> },
    #[error("backup {id} is in '{first}', but could not be copied to '{store}'")]
    Copy {
        id: String,
        first: String,
        store: String,
        #[source]
        source: Box<Error>,
    },
    #[error("no store to write to")]
    NoStore,
}

impl From<Stopped> for Error {
    fn from(_: Stopped) -> Self {
        Self::Pipeline(pipeline::Error::Interrupted)
    }
}

/// The first of many, and how many more there are.
fn some_of(changed: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = changed.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match changed.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Error {
    /// Whether all that lies in the store under the backup's id is our own. What
    /// was there before must not be cleaned up.
    fn left_only_ours(&self) -> bool {
        !matches!(
            self,
            Self::Store(store::Error::Exists { .. })
                | Self::Catalog(catalog::Error::Store(store::Error::Exists { .. }))
        )
    }
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        match self {
            // A transparent error is not a link of its own in the chain of causes.
            Self::Postgres(error) => error.hint(),
            Self::Tools(error) => error.hint(),
            Self::Archive(error) => error.hint(),
            Self::Incomplete { .. } | Self::Pipeline(pipeline::Error::Interrupted) => Some(UNTOUCHED.into()),
            Self::Pipeline(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Catalog(error) => error.hint(),
            Self::Copy { source, .. } => source.hint(),
            Self::Disturbed { .. } => {
                Some("nothing was committed; run it again when no migration is under way".into())
            }
            Self::NoStore => Some("name one with --store, or under `stores:` in backstop.yml".into()),
        }
    }
}

/// Take a backup; the manifest is that of the first store.
pub async fn take(job: &Job, ui: Ui, stop: &CancellationToken) -> Result<Manifest, Error> {
    let (first, others) = job.stores.split_first().ok_or(Error::NoStore)?;
    let catalog = Catalog::new(first.clone(), &job.database);
    let lease = catalog.lease("a backup").await?;
    let outcome = run(job, &catalog, others, ui, stop).await;
    lease.release().await;
    outcome
}

async fn run(
    job: &Job,
    catalog: &Catalog,
    others: &[Arc<dyn Store>],
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Manifest, Error> {
    let started_at = Timestamp::now();
    let id = keys::new_id(started_at);
    let encryption = job.encryption.record();
    let stored = match store_streams(job, catalog, &id, ui, stop).await {
        Ok(stored) => stored,
        Err(error) => {
            if error.left_only_ours() {
                catalog.discard(&job.tier, &id, &encryption).await;
            }
            return Err(error);
        }
    };
    let draft = Draft {
        id,
        tier: job.tier.clone(),
        content: job.content,
        filters: job.filters.clone(),
        started_at,
        source: stored.source.clone(),
        archive: stored.archive.clone(),
        proof: stored.proof.clone(),
        not_captured: stored.not_captured.clone(),
        in_flight: Level::Contents,
    };
    let committed = catalog.commit(draft.clone(), &stored.dump, stored.globals.as_ref(), stop).await;
    let manifest = match committed.map_err(Error::from) {
        Ok(manifest) => manifest,
        Err(error) => {
            if error.left_only_ours() {
                catalog.discard(&job.tier, &draft.id, &encryption).await;
            }
            return Err(error);
        }
    };
    // One store that fails is no reason to keep the backup from the next.
    let mut failed = None;
    for store in others {
        let Err(source) = copy(catalog, &manifest, &draft, &stored, store, ui, stop).await else { continue };
        let (id, first, store) =
            (manifest.id.clone(), catalog.store().url().to_owned(), store.url().to_owned());
        let error = Error::Copy { id, first, store, source: Box::new(source) };
        match failed {
            None => failed = Some(error),
            Some(_) => ui.warn(crate::error::in_one_line(&error)),
        }
    }
    failed.map_or(Ok(manifest), Err)
}

/// What lies in the store, uncommitted.
struct Stored {
    source: manifest::Source,
    archive: manifest::Archive,
    proof: Proof,
    not_captured: Vec<String>,
    dump: Sealed,
    globals: Option<Sealed>,
}

/// What is known before the dump starts.
struct Prepared {
    snapshot: Snapshot,
    source: manifest::Source,
    tools: ClientTools,
    expected: proof::Before,
}

async fn prepare(job: &Job) -> Result<Prepared, Error> {
    let (session, ()) = tokio::join!(Session::connect(&job.target), ClientTools::look_around());
    let session = session?;
    // These may have to be downloaded; a snapshot does not wait for that.
    let tools = ClientTools::for_server(session.server_version_num() / 10_000).await?;
    let snapshot = Snapshot::begin(session).await?;
    // Of a part, pg_dump itself is the judge: only it knows what the patterns match.
    if job.filters.is_empty() && job.content != Content::Schema {
        snapshot.privileges().await?.refuse(|_| true, true)?;
    }
    let source = snapshot.source().await?;
    let expected = proof::before(&snapshot, job).await?;
    Ok(Prepared { snapshot, source, tools, expected })
}

async fn store_streams(
    job: &Job,
    catalog: &Catalog,
    id: &str,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Stored, Error> {
    let Prepared { snapshot, source, tools, expected } = unless(stop, prepare(job)).await??;
    let request = archive::Request {
        tools: &tools,
        snapshot: &snapshot,
        content: job.content,
        filters: &job.filters,
        coding: job.coding,
        jobs: job.jobs,
        digests: job.digests,
    };
    let dumping = stop.child_token();
    let (dump, started) = match unless(stop, archive::dump(&request, &dumping)).await? {
        // Its pg_dump was ended for that reason, which is no failure of its own.
        Err(_) if stop.is_cancelled() => return Err(Stopped.into()),
        begun => begun?,
    };
    if let Way::Stream { reason: Some(reason) } = &started.way {
        ui.warn(format!("pg_dump copies the rows alone: {reason}"));
    }
    // How long the dump will be cannot be known, but the last one was about as long.
    let before = catalog.newest(&job.tier).await.ok().flatten();
    let likely = before.filter(|last| last.content == job.content && last.filters == job.filters);
    let progress =
        ui.progress(&format!("backing up {}", job.database), likely.map(|last| last.artifact.plain.bytes));
    let (body, sealing) =
        pipeline::seal(dump, job.encryption.clone(), dumping.clone(), move |bytes| progress.add(bytes));
    let key = keys::artifact(catalog.database(), &job.tier, id, &job.encryption.record());
    let wanted = stop.child_token();
    let putting = async {
        let put = catalog.store().put(&key, body).await;
        // A source that failed may do so because others changed something: that is
        // still worth knowing. A store that failed is told at once.
        if put.as_ref().is_err_and(|error| !matches!(error, store::Error::Source(_))) {
            wanted.cancel();
        }
        put
    };
    let asking = async {
        let seen = unless(&wanted, proof::meanwhile(&snapshot, &expected, &started)).await;
        let seen = seen.unwrap_or_else(|stopped| Err(stopped.into()));
        if let Err(Error::Disturbed { .. }) = seen {
            // It will never be a backup, however long it goes on.
            dumping.cancel();
        }
        seen
    };
    let (put, seen) = tokio::join!(putting, asking);
    let settled = settle(put, sealing).await;
    if let Err(error @ Error::Disturbed { .. }) = seen {
        return Err(error);
    }
    let (sealed, dumped) = settled?;
    for warning in &dumped.warnings {
        ui.warn(warning);
    }

    let mut failures = proof::missing(&expected, &dumped.contents, job);
    let seen = seen?;
    let changed = proof::emptied(&seen, &dumped.contents);
    if !changed.is_empty() {
        return Err(Error::Disturbed { database: source.database, changed });
    }
    let proof = proof::after(&snapshot, expected, &seen, &dumped.contents, &job.filters);
    failures.extend(contents::check(
        &dumped.contents,
        &contents::Expected { content: job.content, proof: &proof, critical_tables: &job.critical_tables },
    ));
    if !failures.is_empty() {
        return Err(Error::Incomplete { database: job.database.clone(), failures });
    }
    if dumped.contents.tables.is_empty() && job.content != Content::Schema {
        ui.warn(format!("database '{}' holds no table; its backup is empty", source.database));
    }

    let mut not_captured = not_captured::list(job, &dumped.contents.toc, snapshot.is_standby());
    let globals = if job.globals {
        match store_globals(job, snapshot.target(), catalog, id, &tools, stop).await {
            Ok(sealed) => Some(sealed),
            // Managed providers hide roles; the data is worth keeping all the same.
            Err(Error::Postgres(error)) => {
                ui.warn(format!("roles and tablespaces are not in the backup: {error}"));
                not_captured.push(format!("roles and tablespaces ({error})"));
                None
            }
            Err(error) => return Err(error),
        }
    } else {
        not_captured.push("roles and tablespaces (--no-globals)".to_owned());
        None
    };
    Ok(Stored { source, archive: describe(&dumped), proof, not_captured, dump: sealed, globals })
}

/// Of a stream's two ends, report the one that failed first: a source's own
/// error, not the store's "the stream stopped", and the other way round.
async fn settle(
    put: Result<u64, store::Error>,
    sealing: pipeline::Sealing<Dumped>,
) -> Result<(Sealed, Dumped), Error> {
    match (put, sealing.finish().await) {
        (Ok(_), finished) => Ok(finished?),
        (Err(failed), Ok(_) | Err(pipeline::Error::ReaderGone)) => Err(failed.into()),
        (Err(_), Err(cause)) => Err(cause.into()),
    }
}

async fn store_globals(
    job: &Job,
    target: &Target,
    catalog: &Catalog,
    id: &str,
    tools: &ClientTools,
    stop: &CancellationToken,
) -> Result<Sealed, Error> {
    let text = unless(stop, globals::dump(tools, target)).await??;
    let (body, sealing) =
        pipeline::seal(std::io::Cursor::new(text), job.encryption.clone(), stop.clone(), |_| {});
    let key = keys::globals(catalog.database(), &job.tier, id, &job.encryption.record());
    catalog.store().put(&key, body).await?;
    Ok(sealing.finish().await?.0)
}

/// Copy a committed backup, as it is stored, into another store and commit it
/// there; the digests are checked again at the other end.
async fn copy(
    from: &Catalog,
    manifest: &Manifest,
    draft: &Draft,
    stored: &Stored,
    store: &Arc<dyn Store>,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let to = Catalog::new(store.clone(), &manifest.database);
    let result = async {
        for artifact in std::iter::once(&manifest.artifact).chain(&manifest.globals) {
            ui.note(format!("copying {} to {}", artifact.key, store.url()));
            let body = from.store().get(&artifact.key).await?.until_stopped(stop.clone());
            store.put(&artifact.key, body).await?;
        }
        to.commit(draft.clone(), &stored.dump, stored.globals.as_ref(), stop).await?;
        Ok(())
    }
    .await;
    if result.as_ref().is_err_and(Error::left_only_ours) {
        to.discard(&manifest.tier, &manifest.id, &manifest.artifact.encryption).await;
    }
    result
}

fn describe(dumped: &Dumped) -> manifest::Archive {
    let header = &dumped.contents.toc.header;
    manifest::Archive {
        client: format!("pg_dump (PostgreSQL) {}", header.client_version),
        version: header.format_version(),
        compression: header.compression.as_str().to_owned(),
        oldest_pg_restore: header.oldest_pg_restore(),
        entries: u32::try_from(dumped.contents.toc.entries.len()).unwrap_or(u32::MAX),
    }
}
