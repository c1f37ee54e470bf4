//! Where backups lie: a flat space of keys below one root, in a local directory
//! or a bucket. `connect` makes the right one from its URL.
//!
//! Every write is create-only (but the lease's), bounded in memory, and leaves
//! nothing behind when it fails.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::error::Advise;
use crate::stream::ByteStream;

/// One object as the store describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Relative to the store's root, `/`-separated.
    pub key: String,
    pub bytes: u64,
    pub modified: Option<Timestamp>,
}

/// A place for backups. All keys are relative to the store's root.
#[async_trait]
pub trait Store: Send + Sync {
    /// The store's URL, without credentials.
    fn url(&self) -> &str;

    /// Write a new object from a stream of unknown length and return its size.
    /// An object that is already there is [`Error::Exists`]. When the stream or
    /// the store fails, nothing is left behind: no object, no upload in parts.
    async fn put(&self, key: &str, body: ByteStream) -> Result<u64, Error>;

    /// Write over an object, whole. Only for the lease, which is renewed.
    async fn replace(&self, key: &str, body: Bytes) -> Result<(), Error>;

    /// Read an object from its first byte. A short answer is an error in the stream.
    async fn get(&self, key: &str) -> Result<ByteStream, Error>;

    /// Describe an object, or `None` when there is none.
    async fn head(&self, key: &str) -> Result<Option<Object>, Error>;

    /// Every object whose key starts with `prefix`, sorted by key, all pages.
    async fn list(&self, prefix: &str) -> Result<Vec<Object>, Error>;

    /// Remove an object; one that is not there is no error.
    async fn delete(&self, key: &str) -> Result<(), Error>;

    /// A URL that reads the object without credentials for a while, where the
    /// store can make one.
    async fn presign(&self, key: &str, valid: Duration) -> Result<Option<String>, Error>;

    /// Write, read back, list, refuse to overwrite and delete a small object
    /// below `prefix`, and say what the store can and cannot do.
    async fn probe(&self, prefix: &str) -> Result<Probe, Error>;
}

/// What a store was seen to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// A second create-only write of the same key was refused.
    pub create_only: bool,
    /// Seconds that the store's clock is ahead of ours, where it tells the time.
    pub clock_ahead: Option<i64>,
    /// Uploads in parts, older than a day, that nobody finished.
    pub stale_uploads: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no object '{key}' in '{store}'")]
    NotFound { store: String, key: String },
    #[error("object '{key}' is already in '{store}'")]
    Exists { store: String, key: String },
    #[error("store '{store}' does not exist")]
    NoStore { store: String },
    #[error("store '{store}' refused to {action}")]
    Denied {
        store: String,
        action: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("no credentials for store '{store}'")]
    NoCredentials {
        store: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the clock of this machine and that of store '{store}' differ too much")]
    ClockSkew { store: String },
    #[error("store '{store}' is full")]
    Full {
        store: String,
        #[source]
        source: std::io::Error,
    },
    #[error("'{key}' in '{store}' holds {found} bytes, but {sent} were sent")]
    WrongSize { store: String, key: String, sent: u64, found: u64 },
    #[error("store URL '{url}' cannot be used: {reason}")]
    BadUrl { url: String, reason: String },
    /// The bytes that were to be stored ended in an error.
    #[error(transparent)]
    Source(std::io::Error),
    #[error("cannot {action} in store '{store}'")]
    Other {
        store: String,
        action: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        None
    }
}
