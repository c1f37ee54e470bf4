//! A store in a local directory: streams in, files of mode 0600 out, in folders
//! of mode 0700.
//!
//! A file is written under a temporary name beside its place, synced, published
//! create-only by one system call, and its folder synced: a crash or a full disk
//! leaves no half object, and of several writers one wins.
//!
//! **The root.** A missing root is made by the first `put` where its parent is
//! there, so that `file:///var/backups/shop` works at once. Not so below `/mnt`,
//! `/media` and the like while that is still the root file system: there it is a
//! disk that is not mounted (or a typing error), and backups must not quietly
//! fill the system's own disk. A mount point that exists, empty, is not told from
//! a folder; name a folder *on* the disk, and a missing disk is noticed.

mod folders;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use tempfile::TempPath;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use self::folders::{is_absent, sync_folder};
use super::error::Cause;
use super::{
    Error, Location, Object, Probe, Store, check_key, clock_ahead, is_temporary, probe_key, probe_reads,
};
use crate::error::without_path;
use crate::stream::{self, ByteStream, CHUNK};

/// Bytes after which the disk is set to work, so that the last sync, for which the whole
/// backup waits, has little left to do.
const AHEAD: u64 = 32 * 1024 * 1024;
/// An unfinished file that is older belongs to nobody.
const STALE_AFTER: Duration = Duration::from_hours(24);

#[derive(Clone)]
pub(super) struct Local {
    root: PathBuf,
    url: String,
}

/// Settings of a bucket beside a folder are a mistake that would else be silent,
/// and a silent `sse` would be a broken promise.
pub(super) fn refuse_bucket_settings(location: &Location) -> Result<(), Error> {
    let set = [
        ("region", location.region.is_some()),
        ("endpoint", location.endpoint.is_some()),
        ("path_style", location.path_style.is_some()),
        ("sse", location.sse.is_some()),
        ("sse_kms_key_id", location.sse_kms_key_id.is_some()),
        ("profile", location.profile.is_some()),
    ];
    match set.iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(Error::BadSetting {
            store: location.url.clone(),
            reason: format!("`{name}` is for buckets, and this is a folder"),
        }),
        None => Ok(()),
    }
}

impl Local {
    pub(super) fn new(root: PathBuf) -> Self {
        let url = url::Url::from_file_path(&root)
            .map_or_else(|()| format!("file://{}", root.display()), |url| url.to_string());
        Self { root, url }
    }

    fn path(&self, key: &str) -> Result<PathBuf, Error> {
        check_key(key).map_err(|reason| Error::BadKey { key: key.to_owned(), reason })?;
        Ok(self.root.join(key))
    }

    fn exists(&self, key: &str) -> Error {
        Error::Exists { store: self.url.clone(), key: key.to_owned() }
    }

    /// What an I/O error means for this store.
    fn failed(&self, action: &'static str, cause: io::Error) -> Error {
        let store = self.url.clone();
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full { store, source: cause },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::Denied { store, action, key: None, source: Box::new(cause) }
            }
            _ => Error::Other { store, action, key: None, source: Box::new(cause) },
        }
    }

    fn no_store(&self) -> Error {
        Error::NoStore { store: self.url.clone() }
    }

    /// Write the stream to a temporary file beside `path` and sync it. The file
    /// goes when the returned path is dropped, as it does when this is cancelled.
    async fn write(&self, key: &str, path: &Path, mut body: ByteStream) -> Result<(TempPath, u64), Error> {
        let (store, target) = (self.clone(), path.to_owned());
        let temporary = blocking(move || {
            store.make_folders(&target)?;
            let folder = target.parent().unwrap_or(&store.root);
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            // A file name has 255 bytes at most, and the random part wants some.
            let name: String = name.chars().take(50).collect();
            // Mode 0600 is what tempfile makes.
            tempfile::Builder::new()
                .prefix(&format!(".{name}."))
                .suffix(".part")
                .rand_bytes(12)
                .tempfile_in(folder)
                .map_err(|cause| store.failed("make a file", without_path(cause)))
        })
        .await?;
        let (file, temporary) = temporary.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let (mut bytes, mut asked) = (0, 0);
        let mut ahead: Option<JoinHandle<io::Result<()>>> = None;
        while let Some(chunk) = body.next().await.map_err(Error::Source)? {
            file.write_all(&chunk).await.map_err(|cause| self.failed("write a file", cause))?;
            bytes += chunk.len() as u64;
            if bytes - asked >= AHEAD && ahead.as_ref().is_none_or(JoinHandle::is_finished) {
                self.synced(ahead.take()).await?;
                let same = file.try_clone().await.map_err(|cause| self.failed("sync a file", cause))?;
                ahead = Some(tokio::spawn(async move { same.sync_data().await }));
                asked = bytes;
            }
        }
        // tokio's file reports the last write's error with the flush.
        file.flush().await.map_err(|cause| self.failed("write a file", cause))?;
        self.synced(ahead).await?;
        file.sync_all().await.map_err(|cause| self.failed("sync a file", cause))?;
        let found = file.metadata().await.map_err(|cause| self.failed("look at a file", cause))?.len();
        if found != bytes {
            return Err(Error::WrongSize {
                store: self.url.clone(),
                key: key.to_owned(),
                sent: bytes,
                found,
            });
        }
        Ok((temporary, bytes))
    }

    /// Its error is told once, to the first who asks: it must not be passed over.
    async fn synced(&self, ahead: Option<JoinHandle<io::Result<()>>>) -> Result<(), Error> {
        let Some(ahead) = ahead else { return Ok(()) };
        let synced = ahead.await.unwrap_or_else(|cause| Err(io::Error::other(cause)));
        synced.map_err(|cause| self.failed("sync a file", cause))
    }

    /// Write and publish, create-only in every race: the kernel decides.
    async fn create(&self, key: &str, path: PathBuf, body: ByteStream) -> Result<u64, Error> {
        let (temporary, bytes) = self.write(key, &path, body).await?;
        let (store, key) = (self.clone(), key.to_owned());
        blocking(move || {
            if let Err(failed) = temporary.persist_noclobber(&path) {
                return Err(match failed.error.kind() {
                    io::ErrorKind::AlreadyExists => store.exists(&key),
                    _ => store.failed("publish a file", failed.error),
                });
            }
            store.sync_folder_of(&path).inspect_err(|_| {
                // Not known to be durable, so it must not be there at all.
                let _ = std::fs::remove_file(&path);
            })
        })
        .await?;
        Ok(bytes)
    }

    fn sync_folder_of(&self, path: &Path) -> Result<(), Error> {
        sync_folder(path.parent().unwrap_or(&self.root)).map_err(|cause| self.failed("sync a folder", cause))
    }
}

#[async_trait]
impl Store for Local {
    fn url(&self) -> &str {
        &self.url
    }

    async fn put(&self, key: &str, body: ByteStream) -> Result<u64, Error> {
        let path = self.path(key)?;
        // Better now than after an hour of dumping; what counts is `create`.
        if tokio::fs::symlink_metadata(&path).await.is_ok() {
            return Err(self.exists(key));
        }
        self.create(key, path, body).await.map_err(|cause| cause.of(key))
    }

    async fn replace(&self, key: &str, body: Bytes) -> Result<(), Error> {
        let path = self.path(key)?;
        let (temporary, _) = self.write(key, &path, ByteStream::from_bytes(body)).await?;
        let store = self.clone();
        blocking(move || {
            temporary.persist(&path).map_err(|failed| store.failed("publish a file", failed.error))?;
            store.sync_folder_of(&path)
        })
        .await
    }

    async fn get(&self, key: &str) -> Result<ByteStream, Error> {
        let path = self.path(key)?;
        let missing = || Error::NotFound { store: self.url.clone(), key: key.to_owned() };
        let file = match tokio::fs::File::open(&path).await {
            Ok(file) => file,
            Err(cause) if is_absent(&cause) => {
                self.root_is_there()?;
                return Err(missing());
            }
            Err(cause) => return Err(self.failed("read an object", cause).of(key)),
        };
        let about = file.metadata().await.map_err(|cause| self.failed("read an object", cause))?;
        if !about.is_file() {
            return Err(missing());
        }
        let (sender, body) = stream::channel();
        let (store, key) = (self.clone(), key.to_owned());
        tokio::spawn(async move {
            match store.pump(&key, file, about.len(), &sender).await {
                Ok(()) => drop(sender.end().await),
                Err(cause) => sender.fail(cause).await,
            }
        });
        Ok(body)
    }

    async fn head(&self, key: &str) -> Result<Option<Object>, Error> {
        match tokio::fs::metadata(self.path(key)?).await {
            Ok(about) if about.is_file() => Ok(Some(describe(key, &about))),
            Ok(_) => Ok(None),
            Err(cause) if is_absent(&cause) => self.root_is_there().map(|_| None),
            Err(cause) => Err(self.failed("look at an object", cause).of(key)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, Error> {
        // A prefix is compared, never opened; but its folder is.
        if let Some((folder, _)) = prefix.rsplit_once('/') {
            self.path(folder)?;
        }
        let (store, prefix) = (self.clone(), prefix.to_owned());
        blocking(move || {
            let mut objects = Vec::new();
            if store.root_is_there()? {
                store.walk(&prefix, &mut |name, key, about| {
                    if key.starts_with(&prefix) && !is_temporary(name) {
                        objects.push(describe(key, about));
                    }
                })?;
            }
            objects.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(objects)
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        let path = self.path(key)?;
        let (store, key) = (self.clone(), key.to_owned());
        blocking(move || match std::fs::remove_file(&path) {
            Ok(()) => store.sync_folder_of(&path),
            Err(cause) if is_absent(&cause) => store.root_is_there().map(|_| ()),
            Err(cause) => Err(store.failed("delete an object", cause).of(&key)),
        })
        .await
    }

    async fn presign(&self, _key: &str, _valid: Duration) -> Result<Option<String>, Error> {
        Ok(None)
    }

    async fn probe(&self, prefix: &str) -> Result<Probe, Error> {
        let key = probe_key(prefix);
        let path = self.path(&key)?;
        let before = Timestamp::now();
        self.create(&key, path.clone(), ByteStream::from_bytes(Bytes::from_static(b"backstop"))).await?;
        let after = Timestamp::now();
        let seen = async {
            probe_reads(self, &key, b"backstop").await?;
            let again =
                self.create(&key, path, ByteStream::from_bytes(Bytes::from_static(b"overwritten"))).await;
            let create_only = match again {
                Err(Error::Exists { .. }) => true,
                Ok(_) => false,
                Err(other) => return Err(other),
            };
            let modified = self.head(&key).await?.and_then(|object| object.modified);
            Ok((create_only, clock_ahead(modified, before, after)))
        }
        .await;
        self.delete(&key).await?;
        let (create_only, clock_ahead) = seen?;
        let store = self.clone();
        let stale_uploads = blocking(move || {
            let mut stale = 0;
            let now = SystemTime::now();
            store.walk("", &mut |name, _, about| {
                let age = about.modified().ok().and_then(|then| now.duration_since(then).ok());
                stale += usize::from(is_temporary(name) && age.is_some_and(|age| age > STALE_AFTER));
            })?;
            Ok(stale)
        })
        .await?;
        Ok(Probe { create_only, clock_ahead, stale_uploads: Some(stale_uploads) })
    }
}

impl Local {
    /// Send exactly the `expected` bytes that the file had when it was opened.
    async fn pump(
        &self,
        key: &str,
        mut file: tokio::fs::File,
        expected: u64,
        sender: &stream::Sender,
    ) -> io::Result<()> {
        let (store, key) = (self.url.clone(), key.to_owned());
        let mut found = 0;
        loop {
            let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
            let read = file
                .read_buf(&mut chunk)
                .await
                .map_err(|cause| io::Error::other(self.failed("read an object", cause).of(&key)))?
                as u64;
            match (read, found + read) {
                (0, _) if found == expected => return Ok(()),
                (0, _) => return Err(io::Error::other(Error::Short { store, key, expected, found })),
                (_, now) if now > expected => return Err(io::Error::other(Error::Changed { store, key })),
                (_, now) => found = now,
            }
            sender.send(chunk.freeze()).await?;
        }
    }
}

fn describe(key: &str, about: &std::fs::Metadata) -> Object {
    let modified = about.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    Object { key: key.to_owned(), bytes: about.len(), modified }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|cause| {
        Err(Error::Other {
            store: "file://".to_owned(),
            action: "work",
            key: None,
            source: Box::new(Cause(cause.to_string())),
        })
    })
}
