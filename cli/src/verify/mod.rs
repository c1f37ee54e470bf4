//! Verify a stored backup, level by level: stored, readable, contents,
//! restored. Each level includes those before it, and what was reached is
//! recorded beside the manifest.

mod checks;
pub mod compare;
pub mod contents;
mod left_out;
pub mod trial;

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Instant;

use backstop_policy::manifest::{Artifact, Content, Digest, Encryption, Level, SCHEMA, Verification};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::checks::Assertions;
use crate::archive::{self, Contents};
use crate::catalog::{self, Backup, Catalog};
use crate::error::{Advise, in_one_line};
use crate::pipeline::{self, Keys, Tally};
use crate::postgres::target::Target;
use crate::postgres::{self, cluster, tools};
use crate::stream::{ByteStream, Stopped};
use crate::ui::{Progress, Ui};
use crate::{load, store};

/// What to verify, and how far.
pub struct Request<'a> {
    pub catalog: &'a Catalog,
    pub backup: &'a Backup,
    pub level: Level,
    pub keys: &'a Keys,
    pub critical_tables: &'a [String],
    pub on: Option<&'a Target>,
    /// Connections to load the trial over.
    pub jobs: usize,
    pub checks: Option<PathBuf>,
    pub run: Option<String>,
}

/// Why a chosen part of a database may not restore, though nothing is wrong with it.
const PART: &str = "the backup holds a part of the database, which needs what is not in it: ";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    #[error(transparent)]
    Tools(#[from] tools::Error),
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    #[error(transparent)]
    Archive(#[from] archive::Error),
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    #[error(transparent)]
    Load(load::Error),
    #[error("'{key}' is encrypted; level '{level}' needs the identity")]
    NeedsIdentity { key: String, level: Level },
    #[error("cannot open '{key}'")]
    Open {
        key: String,
        #[source]
        source: pipeline::Error,
    },
    #[error("backup {id} {verdict}, but that cannot be recorded")]
    Record {
        id: String,
        verdict: String,
        #[source]
        source: catalog::Error,
    },
    #[error("backup {id} holds rows and no definitions, so it cannot be restored by itself")]
    DataOnly { id: String },
    #[error("cannot read the checks in '{path}'")]
    Checks {
        path: String,
        #[source]
        source: io::Error,
    },
    /// Its text may hold a secret.
    #[error("cannot start a shell for the command of --run")]
    Command(#[source] io::Error),
    #[error("interrupted")]
    Interrupted,
    #[error("a thread of the verification died")]
    Panicked,
}

impl From<Stopped> for Error {
    fn from(_: Stopped) -> Self {
        Self::Interrupted
    }
}

/// What stopped the stream is told as what it is, and not as the stream's.
impl From<load::Error> for Error {
    fn from(error: load::Error) -> Self {
        match error {
            load::Error::Read(source) => {
                source.downcast().map_or_else(|source| Self::Load(load::Error::Read(source)), Self::Pipeline)
            }
            load::Error::Postgres(error) => Self::Postgres(error),
            load::Error::Tools(error) => Self::Tools(error),
            load::Error::Archive(error) => Self::Archive(error),
            load::Error::Interrupted => Self::Interrupted,
            other => Self::Load(other),
        }
    }
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        match self {
            // A transparent error is not a link of its own in the chain of causes.
            Self::Postgres(error) => error.hint(),
            Self::Tools(error) => error.hint(),
            Self::Cluster(error) => error.hint(),
            Self::Archive(error) => error.hint(),
            Self::Pipeline(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Catalog(error) => error.hint(),
            Self::Load(error) => error.hint(),
            Self::NeedsIdentity { .. } => Some(
                "give the private key with --identity FILE or in BACKSTOP_IDENTITY, or a passphrase in \
                 BACKSTOP_PASSPHRASE; a job that must not hold it can check `--level stored`"
                    .into(),
            ),
            Self::DataOnly { .. } => Some(
                "`--level contents` is as far as it can be checked; restore it over a backup of the definitions"
                    .into(),
            ),
            Self::Checks { .. } => {
                Some("`checks:` in backstop.yml names the file, relative to that file".into())
            }
            Self::Open { source, .. } => source.hint(),
            Self::Record { source, .. } => source.hint(),
            Self::Command(_) | Self::Interrupted | Self::Panicked => None,
        }
    }
}

/// Verify a backup and record what was found. A backup that fails is no error
/// of this function: the record says so.
pub async fn verify(request: &Request<'_>, ui: Ui, stop: &CancellationToken) -> Result<Verification, Error> {
    let manifest = &request.backup.manifest;
    let encrypted = manifest.artifact.encryption != Encryption::None;
    if encrypted && request.level > Level::Stored && request.keys.is_empty() {
        return Err(Error::NeedsIdentity { key: manifest.artifact.key.clone(), level: request.level });
    }
    if manifest.content == Content::Data && request.level == Level::Restored {
        return Err(Error::DataOnly { id: manifest.id.clone() });
    }
    // A file that is not there is told before the trial, which may take hours.
    let checks = match &request.checks {
        Some(path) if request.level == Level::Restored => Some(Assertions::read(path).await?),
        _ => None,
    };
    let begun = Instant::now();
    let mut record = Verification {
        schema: SCHEMA,
        backup: manifest.id.clone(),
        at: Timestamp::now(),
        made_by: crate::MADE_BY.to_owned(),
        asked: request.level,
        reached: None,
        passed: false,
        partial: Vec::new(),
        failures: Vec::new(),
        seconds: 0.0,
        restore_seconds: None,
        trial_server: None,
        checks: Vec::new(),
    };
    match climb(request, checks.as_ref(), &mut record, ui, stop).await {
        Ok(()) => {}
        Err(Stop::Failed(failure)) => record.failures.push(failure),
        Err(Stop::Error(error)) => return Err(*error),
    }
    record.passed = record.failures.is_empty() && record.reached == Some(request.level);
    record.seconds = begun.elapsed().as_secs_f64();
    request.catalog.record(manifest, &record).await.map_err(|source| {
        let verdict = match record.failures.first() {
            None => format!("passed its check (level '{}')", record.asked),
            Some(failure) => format!("FAILED its check ({failure})"),
        };
        Error::Record { id: manifest.id.clone(), verdict, source }
    })?;
    Ok(record)
}

/// Why the climb ended early.
enum Stop {
    /// The answer: this level does not hold.
    Failed(String),
    /// There is no answer.
    Error(Box<Error>),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(Box::new(error.into()))
    }
}

/// Go up the levels until one does not hold, noting each in the record.
async fn climb(
    request: &Request<'_>,
    checks: Option<&Assertions>,
    record: &mut Verification,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<(), Stop> {
    let manifest = &request.backup.manifest;
    let reached = |record: &mut Verification, level| {
        record.reached = Some(level);
        request.level == level
    };

    let progress = ui.progress("reading the stored dump", Some(manifest.artifact.stored.bytes));
    let seen = read(request, &manifest.artifact, progress, stop).await?;
    same(&manifest.artifact.key, &manifest.artifact.stored, &seen.stored)?;
    if let Some(globals) = &manifest.globals {
        match request.catalog.digest_stored(&globals.key, stop).await {
            Ok(found) => same(&globals.key, &globals.stored, &found)?,
            Err(catalog::Error::Store(store::Error::NotFound { key, .. })) => return Err(gone(&key)),
            Err(error) => return Err(error.into()),
        }
    }
    if reached(record, Level::Stored) {
        return Ok(());
    }

    let (plain, contents) = seen.opened.ok_or(Error::Panicked)?.map_err(|why| match why {
        Unreadable::Failed(failure) => Stop::Failed(failure),
        Unreadable::OtherKey(source) => Error::Open { key: manifest.artifact.key.clone(), source }.into(),
    })?;
    same("the decrypted dump", &manifest.artifact.plain, &plain)?;
    if reached(record, Level::Readable) {
        return Ok(());
    }

    let expected = contents::Expected {
        content: manifest.content,
        proof: &manifest.proof,
        critical_tables: request.critical_tables,
    };
    record.failures = contents::check(&contents, &expected);
    // The trial reads the table of contents anew, and one of them is large enough.
    drop(contents);
    if !record.failures.is_empty() || reached(record, Level::Contents) {
        return Ok(());
    }

    let body = request.catalog.store().get(&manifest.artifact.key).await?;
    let (body, keys) = (counted(body, ui, manifest.artifact.stored.bytes, stop), request.keys.clone());
    let archive = tokio::task::spawn_blocking(move || pipeline::open(body, &keys))
        .await
        .map_err(|_| Error::Panicked)??;
    let trial =
        trial::Trial { manifest, on: request.on, jobs: request.jobs, checks, run: request.run.as_deref() };
    let outcome = match trial::run(&trial, archive, ui, stop).await {
        // The archive would not restore: that is the answer, not a failure to ask.
        Err(Error::Load(error)) if error.is_refusal() => {
            let part = if manifest.filters.is_empty() { "" } else { PART };
            return Err(Stop::Failed(format!("{part}{error}")));
        }
        outcome => outcome?,
    };
    record.restore_seconds = Some(outcome.seconds);
    record.trial_server = Some(outcome.server);
    record.partial = outcome.compared.partial;
    record.checks = outcome.checks;
    record.failures = outcome.failures;
    if record.failures.is_empty() {
        record.reached = Some(Level::Restored);
    }
    Ok(())
}

/// One pass over the stored object.
struct Seen {
    stored: Digest,
    /// Decrypted and read to its end, or why not; `None` at level `stored`.
    opened: Option<Result<(Digest, Contents), Unreadable>>,
}

async fn read(
    request: &Request<'_>,
    artifact: &Artifact,
    progress: Progress,
    stop: &CancellationToken,
) -> Result<Seen, Stop> {
    let mut body = match request.catalog.store().get(&artifact.key).await {
        Ok(body) => body,
        Err(store::Error::NotFound { key, .. }) => return Err(gone(&key)),
        Err(error) => return Err(error.into()),
    };
    let (sender, copy) = crate::stream::channel();
    let opening = (request.level > Level::Stored).then(|| {
        let keys = request.keys.clone();
        tokio::task::spawn_blocking(move || open_and_inspect(copy, &keys))
    });
    let mut sender = opening.is_some().then_some(sender);
    let mut stored = pipeline::Count::default();
    loop {
        let chunk = tokio::select! {
            chunk = body.next() => chunk,
            () = stop.cancelled() => return Err(Error::Interrupted.into()),
        };
        match chunk {
            Ok(Some(chunk)) => {
                stored.add(&chunk);
                progress.add(chunk.len() as u64);
                if let Some(open) = &sender
                    && open.send(chunk).await.is_err()
                {
                    // Whoever reads it has seen enough; the digest goes on.
                    sender = None;
                }
            }
            Ok(None) => break,
            Err(source) => {
                return Err(catalog::Error::ReadBack { key: artifact.key.clone(), source }.into());
            }
        }
    }
    if let Some(sender) = sender {
        let _ = sender.end().await;
    }
    let opened = match opening {
        Some(task) => Some(task.await.map_err(|_| Error::Panicked)?),
        None => None,
    };
    Ok(Seen { stored: stored.digest(), opened })
}

/// Why a dump was not read to its end.
enum Unreadable {
    /// Somebody else's key was given, which says nothing about the backup.
    OtherKey(pipeline::Error),
    Failed(String),
}

impl<E: std::error::Error + 'static> From<E> for Unreadable {
    fn from(error: E) -> Self {
        Self::Failed(in_one_line(&error))
    }
}

fn open_and_inspect(body: ByteStream, keys: &Keys) -> Result<(Digest, Contents), Unreadable> {
    let opened = pipeline::open(body.into_reader(), keys).map_err(|error| {
        if error.wants_another_key() { Unreadable::OtherKey(error) } else { error.into() }
    })?;
    let mut plain = Tally::new(opened);
    let contents = archive::inspect(&mut plain, |_| {})?;
    // The archive's end must be the stream's, with the cipher's last word.
    io::copy(&mut plain, &mut io::sink())?;
    Ok((plain.digest(), contents))
}

fn same(what: &str, expected: &Digest, found: &Digest) -> Result<(), Stop> {
    if found.bytes != expected.bytes {
        let (found, expected) = (found.bytes, expected.bytes);
        return Err(Stop::Failed(format!("{what} has {found} bytes, but {expected} were committed")));
    }
    if found.sha256 != expected.sha256 {
        let sha256 = &found.sha256;
        return Err(Stop::Failed(format!(
            "{what} was changed since it was committed: its SHA-256 is {sha256}"
        )));
    }
    Ok(())
}

fn gone(key: &str) -> Stop {
    Stop::Failed(format!("'{key}' is gone from the store"))
}

/// A stream that shows its progress and can be stopped.
pub fn counted(body: ByteStream, ui: Ui, bytes: u64, stop: &CancellationToken) -> impl Read + Send + use<> {
    struct Counted<R> {
        inner: R,
        progress: Progress,
    }
    impl<R: Read> Read for Counted<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.inner.read(buffer)?;
            self.progress.add(length as u64);
            Ok(length)
        }
    }
    let inner = body.until_stopped(stop.clone()).into_reader();
    Counted { inner, progress: ui.progress("reading", Some(bytes)) }
}
