//! Verify a stored backup, level by level: stored, readable, contents,
//! restored. Each level includes those before it, and what was reached is
//! recorded beside the manifest.

mod checks;
pub mod compare;
pub mod contents;
pub mod trial;

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Instant;

use backstop_policy::manifest::{Artifact, Digest, Encryption, Level, SCHEMA, Verification};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::archive::{self, Contents};
use crate::catalog::{self, Backup, Catalog};
use crate::error::Advise;
use crate::pipeline::{self, Keys, Tally};
use crate::postgres::target::Target;
use crate::postgres::{self, cluster, tools};
use crate::stream::ByteStream;
use crate::ui::{Progress, Ui};
use crate::{restore, store};

/// What to verify, and how far.
pub struct Request<'a> {
    pub catalog: &'a Catalog,
    pub backup: &'a Backup,
    pub level: Level,
    pub keys: &'a Keys,
    pub critical_tables: &'a [String],
    pub on: Option<&'a Target>,
    pub checks: Option<PathBuf>,
    pub run: Option<String>,
}

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
    Restore(#[from] restore::Error),
    #[error("'{key}' is encrypted; level '{level}' needs the identity")]
    NeedsIdentity { key: String, level: Level },
    #[error("cannot read the checks in '{path}'")]
    Checks {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("cannot run '{command}'")]
    Command {
        command: String,
        #[source]
        source: io::Error,
    },
    #[error("interrupted")]
    Interrupted,
    #[error("a thread of the verification died")]
    Panicked,
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NeedsIdentity { .. } => Some(
                "give the private key with --identity FILE; a job that must not hold it can check \
                 `--level stored`"
                    .into(),
            ),
            Self::Checks { .. } => {
                Some("`checks:` in backstop.yml names the file, relative to that file".into())
            }
            _ => None,
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
    climb(request, &mut record, ui, stop).await?;
    record.passed = record.failures.is_empty() && record.reached == Some(request.level);
    record.seconds = begun.elapsed().as_secs_f64();
    request.catalog.record(manifest, &record).await?;
    Ok(record)
}

/// Go up the levels until one does not hold.
async fn climb(
    request: &Request<'_>,
    record: &mut Verification,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let manifest = &request.backup.manifest;
    let fail = |record: &mut Verification, failure: String| record.failures.push(failure);

    let progress = ui.progress("reading the stored dump", Some(manifest.artifact.stored.bytes));
    let seen = match read(request, &manifest.artifact, progress, stop).await? {
        Ok(seen) => seen,
        Err(failure) => return Ok(fail(record, failure)),
    };
    if let Some(failure) = differs(&manifest.artifact.key, &manifest.artifact.stored, &seen.stored) {
        return Ok(fail(record, failure));
    }
    if let Some(globals) = &manifest.globals {
        match request.catalog.digest_stored(&globals.key, |_| {}).await {
            Ok(found) => {
                if let Some(failure) = differs(&globals.key, &globals.stored, &found) {
                    return Ok(fail(record, failure));
                }
            }
            Err(catalog::Error::Store(store::Error::NotFound { key, .. })) => {
                return Ok(fail(record, format!("'{key}' is gone from the store")));
            }
            Err(error) => return Err(error.into()),
        }
    }
    record.reached = Some(Level::Stored);
    if request.level == Level::Stored {
        return Ok(());
    }

    let (plain, contents) = match seen.opened {
        Some(Ok(opened)) => opened,
        Some(Err(failure)) => return Ok(fail(record, failure)),
        None => return Err(Error::Panicked),
    };
    if let Some(failure) = differs("the decrypted dump", &manifest.artifact.plain, &plain) {
        return Ok(fail(record, failure));
    }
    record.reached = Some(Level::Readable);
    if request.level == Level::Readable {
        return Ok(());
    }

    let expected = contents::Expected {
        content: manifest.content,
        proof: &manifest.proof,
        critical_tables: request.critical_tables,
    };
    record.failures = contents::check(&contents, &expected);
    if !record.failures.is_empty() {
        return Ok(());
    }
    record.reached = Some(Level::Contents);
    if request.level == Level::Contents {
        return Ok(());
    }

    let body = request.catalog.store().get(&manifest.artifact.key).await?;
    let (body, keys) = (counted(body, ui, manifest.artifact.stored.bytes, stop), request.keys.clone());
    let archive = tokio::task::spawn_blocking(move || pipeline::open(body, &keys))
        .await
        .map_err(|_| Error::Panicked)??;
    let trial = trial::Trial {
        manifest,
        on: request.on,
        checks: request.checks.as_deref(),
        run: request.run.as_deref(),
    };
    match trial::run(&trial, archive, ui, stop).await {
        Ok(outcome) => {
            record.restore_seconds = Some(outcome.seconds);
            record.trial_server = Some(outcome.server);
            record.partial = outcome.compared.partial;
            record.checks = outcome.checks;
            record.failures = outcome.failures;
            if record.failures.is_empty() {
                record.reached = Some(Level::Restored);
            }
        }
        // The archive would not restore: that is the answer, not a failure to ask.
        Err(Error::Restore(error @ restore::Error::Restore { .. })) => fail(record, error.to_string()),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// One pass over the stored object.
struct Seen {
    stored: Digest,
    /// Decrypted and read to its end, or why not; `None` at level `stored`.
    opened: Option<Result<(Digest, Contents), String>>,
}

/// The outer error could not ask; the inner one is the answer "not readable".
async fn read(
    request: &Request<'_>,
    artifact: &Artifact,
    progress: Progress,
    stop: &CancellationToken,
) -> Result<Result<Seen, String>, Error> {
    let mut body = match request.catalog.store().get(&artifact.key).await {
        Ok(body) => body,
        Err(store::Error::NotFound { key, .. }) => return Ok(Err(format!("'{key}' is gone from the store"))),
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
            () = stop.cancelled() => return Err(Error::Interrupted),
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
                return Err(Error::Catalog(catalog::Error::ReadBack { key: artifact.key.clone(), source }));
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
    Ok(Ok(Seen { stored: stored.digest(), opened }))
}

fn open_and_inspect(body: ByteStream, keys: &Keys) -> Result<(Digest, Contents), String> {
    let opened = pipeline::open(body.into_reader(), keys).map_err(|error| say(&error))?;
    let mut plain = Tally::new(opened);
    let contents = archive::inspect(&mut plain, |_| {}).map_err(|error| say(&error))?;
    // The archive's end must be the stream's, with the cipher's last word.
    io::copy(&mut plain, &mut io::sink()).map_err(|error| say(&error))?;
    Ok((plain.digest(), contents))
}

/// An error and its causes in one line.
fn say(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).fold(
        String::new(),
        |line, cause| {
            if line.contains(&cause) {
                line
            } else if line.is_empty() {
                cause
            } else {
                format!("{line}: {cause}")
            }
        },
    )
}

fn differs(what: &str, expected: &Digest, found: &Digest) -> Option<String> {
    if found.bytes != expected.bytes {
        return Some(format!("{what} has {} bytes, but {} were committed", found.bytes, expected.bytes));
    }
    (found.sha256 != expected.sha256)
        .then(|| format!("{what} was changed since it was committed: its SHA-256 is {}", found.sha256))
}

/// A stream that shows its progress and can be stopped.
pub fn counted(body: ByteStream, ui: Ui, bytes: u64, stop: &CancellationToken) -> impl Read + Send + use<> {
    struct Counted<R> {
        inner: R,
        progress: Progress,
        stop: CancellationToken,
    }
    impl<R: Read> Read for Counted<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.stop.is_cancelled() {
                return Err(io::Error::other(Error::Interrupted));
            }
            let length = self.inner.read(buffer)?;
            self.progress.add(length as u64);
            Ok(length)
        }
    }
    Counted { inner: body.into_reader(), progress: ui.progress("reading", Some(bytes)), stop: stop.clone() }
}
