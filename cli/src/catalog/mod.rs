//! What backups a store holds: the only writer of manifests and records.
//!
//! A manifest is written last and create-only: that write is the commit point.
//! An object without a manifest is no backup. Keys are laid out by [`keys`].

mod commit;
mod envelope;
pub mod keys;
pub mod lease;
mod listing;

use std::sync::Arc;

use backstop_policy::manifest::{Level, Manifest, Verification};

use crate::error::Advise;
use crate::store::{self, Store};

pub use commit::Draft;
pub use lease::Lease;
pub use listing::{Damaged, Listing};

/// The backups of one database in one store.
#[derive(Clone)]
pub struct Catalog {
    store: Arc<dyn Store>,
    database: String,
}

/// A committed backup and what later checks found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Backup {
    #[serde(flatten)]
    pub manifest: Manifest,
    /// Oldest first.
    pub verifications: Vec<Verification>,
    /// Manifests that cannot be read and are newer or may be, where this is the `latest` one.
    #[serde(skip)]
    pub passed_over: Vec<Damaged>,
}

impl Backup {
    /// The highest level that is known to hold: the newest check decides, and a
    /// failed one takes the backup down to what it still reached.
    pub fn level(&self) -> Option<Level> {
        let at_commit = self.manifest.checked.stored.then_some(Level::Stored);
        self.verifications.iter().fold(at_commit, |level, check| {
            if check.passed { level.max(check.reached) } else { check.reached }
        })
    }

    /// Whether the newest check failed.
    pub fn is_bad(&self) -> bool {
        self.verifications.last().is_some_and(|check| !check.passed)
    }
}

impl Catalog {
    pub fn new(store: Arc<dyn Store>, database: &str) -> Self {
        Self { store, database: database.to_owned() }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub fn database(&self) -> &str {
        &self.database
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("no backup of '{database}' in '{store}' yet")]
    Empty { database: String, store: String },
    #[error("no backup '{selector}' of '{database}' in '{store}'")]
    NoSuchBackup { selector: String, database: String, store: String },
    #[error("'{selector}' fits {count} backups: {examples}")]
    Ambiguous { selector: String, count: usize, examples: String },
    #[error("record '{key}' is damaged: {reason}")]
    Damaged { key: String, reason: String },
    #[error("record '{key}' cannot be read: {reason}")]
    Unread { key: String, reason: String },
    #[error("record '{key}' has schema {found}, but this version reads up to {known}")]
    NewerSchema { key: String, found: u32, known: u32 },
    #[error(
        "'{key}' was stored, but reads back differently: {expected_bytes} bytes with SHA-256 {expected_sha256} were \
         sent, {found_bytes} bytes with {found_sha256} came back"
    )]
    StoredDiffers {
        key: String,
        expected_bytes: u64,
        expected_sha256: String,
        found_bytes: u64,
        found_sha256: String,
    },
    #[error("cannot read '{key}' back")]
    ReadBack {
        key: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{purpose} of '{database}' is already running: process {pid} on '{host}', since {since}")]
    Leased { purpose: String, database: String, host: String, pid: u32, since: jiff::Timestamp },
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Store(error) => return error.hint(),
            Self::Empty { .. } => "take one with `backstop backup`".into(),
            Self::NoSuchBackup { .. } => "`backstop list` shows what there is".into(),
            Self::Ambiguous { .. } => "give more characters of the id".into(),
            Self::Damaged { .. } => {
                "the other backups are not affected, `backstop list` shows them; bring the record back \
                 from the bucket's versions or from another store"
                    .into()
            }
            Self::Unread { .. } => {
                "it may be whole: see who may read that object, then run again; the other backups are not affected, \
                 name one of them by its id as `backstop list` shows it"
                    .into()
            }
            Self::NewerSchema { .. } => "use the version of backstop that wrote it, or a newer one".into(),
            Self::StoredDiffers { .. } => {
                "it was not committed there; the store loses or changes bytes: run `backstop doctor`".into()
            }
            // The store's own error lies in the stream's, and knows more.
            Self::ReadBack { .. } => return None,
            Self::Leased { .. } => {
                "wait for it to end; if it was killed on another machine, its lease runs out \
                 ten minutes after its last sign of life"
                    .into()
            }
        })
    }
}
