//! Where a dump comes from: a backup of the catalogue, a file, or a URL. All of
//! them are unwrapped by their first bytes, and told apart into archives and
//! plain SQL.
//!
//! The end of a committed backup is said only when its digests are those of the
//! manifest, so whoever reads to the end has read what was committed.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backstop_policy::manifest::{Artifact, Digest, Manifest};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Error;
use crate::archive::{self, Kind, SNIFF};
use crate::catalog::{Backup, Catalog};
use crate::pipeline::{self, Count, Keys};
use crate::stream::{self, ByteStream};
use crate::ui::{Progress, Ui};

const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// No byte for this long is the end of a download.
const SILENCE_LIMIT: Duration = Duration::from_mins(1);

pub enum Origin {
    Backup {
        catalog: Catalog,
        backup: Box<Backup>,
    },
    File(PathBuf),
    /// Its query may be a secret: see [`shown`].
    Url(Url),
}

/// What a dump is, when everything around it is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Archive,
    Sql,
}

/// An opened dump.
pub struct Dump {
    pub form: Form,
    /// `age`, `gzip`, outermost first.
    pub layers: Vec<String>,
    reader: Box<dyn Read + Send>,
}

impl Read for Dump {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.reader.read(out)
    }
}

impl Origin {
    /// For people; without what may be secret.
    pub fn describe(&self) -> String {
        match self {
            Self::Backup { backup, .. } => {
                let Manifest { id, database, tier, .. } = &backup.manifest;
                format!("backup {id} of {database} (tier {tier})")
            }
            Self::File(path) => format!("file '{}'", path.display()),
            Self::Url(url) => shown(url),
        }
    }

    pub fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Backup { backup, .. } => Some(&backup.manifest),
            _ => None,
        }
    }

    /// Open the dump.
    pub async fn open(&self, keys: &Keys, ui: Ui, stop: &CancellationToken) -> Result<Dump, Error> {
        let what = self.describe();
        let (reader, total, digests): (Box<dyn Read + Send>, _, _) = match self {
            Self::Backup { catalog, backup } => {
                let artifact = &backup.manifest.artifact;
                let body = catalog.store().get(&artifact.key).await?;
                (Box::new(body.into_reader()), Some(artifact.stored.bytes), Some(artifact.clone()))
            }
            Self::File(path) => {
                let (file, bytes) = open_file(path)?;
                (Box::new(file), Some(bytes), None)
            }
            Self::Url(url) => {
                let (body, bytes) = fetch(url, stop).await?;
                (Box::new(body.into_reader()), bytes, None)
            }
        };
        let progress = ui.progress("restoring", total);
        unwrap(what, reader, digests, progress, keys, stop).await
    }

    /// Open the companion of roles and tablespaces, which is short.
    pub async fn globals(&self, keys: &Keys, ui: Ui, stop: &CancellationToken) -> Result<String, Error> {
        let Self::Backup { catalog, backup } = self else { return Err(Error::NoGlobals) };
        let Some(artifact) = &backup.manifest.globals else { return Err(Error::NoGlobals) };
        let body = catalog.store().get(&artifact.key).await?;
        let progress = ui.progress("reading the roles", Some(artifact.stored.bytes));
        let reader = Box::new(body.into_reader());
        let mut dump =
            open_layers("the roles".to_owned(), reader, Some(artifact.clone()), progress, keys, stop).await?;
        tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            dump.read_to_string(&mut text).map_err(Error::from_stream)?;
            Ok(text)
        })
        .await
        .map_err(|_| Error::Panicked)?
    }
}

/// A URL without its query, fragment, user and password: presigned URLs are keys.
pub fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

fn open_file(path: &PathBuf) -> Result<(std::fs::File, u64), Error> {
    let failed = |source| Error::Open { path: path.clone(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Error::Format {
            what: path.display().to_string(),
            format: "a directory (pg_dump -Fd)",
            way_out: "restore it with `pg_restore --exit-on-error -d NEW_DATABASE DIRECTORY`, or dump with \
                      `pg_dump --format=custom`",
        });
    }
    Ok((file, metadata.len()))
}

/// Start a download; what the server sends flows into a stream whose end is said
/// only where all of it came.
async fn fetch(url: &Url, stop: &CancellationToken) -> Result<(ByteStream, Option<u64>), Error> {
    let failed = |reason: String| Error::Fetch { url: shown(url), reason };
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(SILENCE_LIMIT)
        .user_agent(concat!("backstop/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| failed(causes(error)))?;
    let mut response = tokio::select! {
        response = client.get(url.clone()).send() => response.map_err(|error| failed(causes(error)))?,
        () = stop.cancelled() => return Err(Error::Interrupted),
    };
    if !response.status().is_success() {
        return Err(failed(format!("the server answers {}", response.status())));
    }
    let total = response.content_length();
    let (sender, body) = stream::channel();
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            let chunk = tokio::select! {
                chunk = response.chunk() => chunk,
                () = stop.cancelled() => return sender.fail(io::Error::other(Error::Interrupted)).await,
            };
            match chunk {
                Ok(Some(bytes)) => {
                    if sender.send(bytes).await.is_err() {
                        return;
                    }
                }
                Ok(None) => {
                    let _ = sender.end().await;
                    return;
                }
                Err(error) => return sender.fail(io::Error::other(causes(error))).await,
            }
        }
    });
    Ok((body, total))
}

/// An error of the HTTP client with its causes, without the URL.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let all = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Open, and see what is inside.
async fn unwrap(
    what: String,
    reader: Box<dyn Read + Send>,
    digests: Option<Artifact>,
    progress: Progress,
    keys: &Keys,
    stop: &CancellationToken,
) -> Result<Dump, Error> {
    let mut dump = open_layers(what.clone(), reader, digests, progress, keys, stop).await?;
    tokio::task::spawn_blocking(move || {
        let mut head = Vec::new();
        (&mut dump).take(SNIFF as u64).read_to_end(&mut head).map_err(Error::from_stream)?;
        dump.form = match archive::sniff(&head) {
            Kind::CustomArchive => Form::Archive,
            Kind::PlainSql => Form::Sql,
            Kind::Tar => {
                return Err(Error::Format {
                    what,
                    format: "a tar archive (pg_dump -Ft)",
                    way_out: "restore it with `pg_restore --exit-on-error -d NEW_DATABASE FILE`, or dump with \
                              `pg_dump --format=custom`",
                });
            }
            // SQL that somebody wrote or edited has no header to know it by.
            Kind::Unknown if is_text(&head) => Form::Sql,
            Kind::Unknown => return Err(Error::NoDump { what }),
        };
        dump.reader = Box::new(io::Cursor::new(head).chain(dump.reader));
        Ok(dump)
    })
    .await
    .map_err(|_| Error::Panicked)?
}

async fn open_layers(
    what: String,
    reader: Box<dyn Read + Send>,
    digests: Option<Artifact>,
    progress: Progress,
    keys: &Keys,
    stop: &CancellationToken,
) -> Result<Dump, Error> {
    let (keys, stop) = (keys.clone(), stop.clone());
    tokio::task::spawn_blocking(move || {
        let stored = Arc::new(Mutex::new(Count::default()));
        let tallied = Stored { reader, count: stored.clone(), progress, stop };
        let opened = pipeline::open(tallied, &keys)?;
        let layers = opened.layers.iter().map(ToString::to_string).collect();
        let plain = Plain { reader: opened, count: Count::default(), stored, expected: digests, what };
        Ok(Dump { form: Form::Sql, layers, reader: Box::new(plain) })
    })
    .await
    .map_err(|_| Error::Panicked)?
}

fn is_text(head: &[u8]) -> bool {
    let printable = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C | 0x20..=0x7E | 0x80..);
    !head.is_empty() && head.iter().all(printable)
}

/// The stored side: tallied, shown, and stopped on a signal.
struct Stored {
    reader: Box<dyn Read + Send>,
    count: Arc<Mutex<Count>>,
    progress: Progress,
    stop: CancellationToken,
}

impl Read for Stored {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other(Error::Interrupted));
        }
        let length = self.reader.read(out)?;
        self.count.lock().unwrap_or_else(PoisonError::into_inner).add(&out[..length]);
        self.progress.add(length as u64);
        Ok(length)
    }
}

/// The plain side, whose end is said when both digests are right.
struct Plain<R> {
    reader: R,
    count: Count,
    stored: Arc<Mutex<Count>>,
    expected: Option<Artifact>,
    what: String,
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(out)?;
        if self.expected.is_some() {
            self.count.add(&out[..length]);
        }
        if length == 0
            && !out.is_empty()
            && let Some(artifact) = &self.expected
        {
            let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner).digest();
            same(&format!("{}, as stored,", self.what), &artifact.stored, &stored)
                .and_then(|()| {
                    same(&format!("{}, decrypted,", self.what), &artifact.plain, &self.count.digest())
                })
                .map_err(io::Error::other)?;
        }
        Ok(length)
    }
}

fn same(what: &str, expected: &Digest, found: &Digest) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Changed {
        what: what.to_owned(),
        expected_bytes: expected.bytes,
        expected_sha256: expected.sha256.clone(),
        found_bytes: found.bytes,
        found_sha256: found.sha256.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let url = Url::parse("https://me:pw@h.example:8443/b/x.dump?X-Amz-Signature=abc#f").unwrap();
        assert_eq!(shown(&url), "https://h.example:8443/b/x.dump");
        let origin = Origin::Url(url);
        assert!(!origin.describe().contains("Signature") && !origin.describe().contains("pw"));
    }
}
