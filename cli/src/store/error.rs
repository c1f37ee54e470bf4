//! What can go wrong with a store, in words that say which store and what to do.
//!
//! No variant carries a request, a header, a signed URL or a key: causes are
//! texts that this room wrote itself.

use std::io;

use crate::error::Advise;

/// The text of a cause: what a service or the system said, without secrets.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cause(pub(super) String);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no object '{key}' in '{store}'")]
    NotFound { store: String, key: String },
    #[error("object '{key}' is already in '{store}'")]
    Exists { store: String, key: String },
    #[error("store '{store}' does not exist")]
    NoStore { store: String },
    #[error("store '{store}' refused to {action}{}", named(key.as_deref()))]
    Denied {
        store: String,
        action: &'static str,
        key: Option<String>,
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
    #[error("store '{store}' is in another region{}", region.as_ref().map(|r| format!(": '{r}'")).unwrap_or_default())]
    WrongRegion { store: String, region: Option<String> },
    #[error("store '{store}' cannot be reached")]
    Unreachable {
        store: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("store '{store}' is full")]
    Full {
        store: String,
        #[source]
        source: io::Error,
    },
    #[error("'{key}' in '{store}' holds {found} bytes, but {sent} were sent")]
    WrongSize { store: String, key: String, sent: u64, found: u64 },
    /// The store said that it had stored an object, and has none.
    #[error("store '{store}' accepted '{key}' but does not have it")]
    Lost { store: String, key: String },
    /// A read that ended before the object did.
    #[error("'{key}' in '{store}' ended after {found} of {expected} bytes")]
    Short { store: String, key: String, expected: u64, found: u64 },
    /// Asked for server-side encryption, the store left it out without a word.
    #[error("store '{store}' did not encrypt '{key}' with '{asked}'")]
    NotEncrypted { store: String, key: String, asked: String },
    #[error("'{key}' in '{store}' changed while it was being read")]
    Changed { store: String, key: String },
    #[error("'{key}' is too large for store '{store}': {limit} bytes at most")]
    TooLarge { store: String, key: String, limit: u64 },
    #[error("store '{store}' does not work: {what}")]
    Broken { store: String, what: &'static str },
    #[error("store URL '{url}' cannot be used: {reason}")]
    BadUrl { url: String, reason: String },
    #[error("store '{store}' is set up wrongly: {reason}")]
    BadSetting { store: String, reason: String },
    #[error("object key '{key}' cannot be used: {reason}")]
    BadKey { key: String, reason: &'static str },
    /// The work failed, and what it had already sent could not be removed.
    #[error("an unfinished upload of '{key}' was left in store '{store}'")]
    LeftBehind {
        store: String,
        key: String,
        #[source]
        source: Box<Error>,
    },
    /// A signal came while the store was waited for.
    #[error("interrupted")]
    Stopped,
    /// Whoever asked for the work is gone; everything was cleaned up.
    #[error("the upload of '{key}' was cancelled")]
    Cancelled { key: String },
    /// The bytes that were to be stored ended in an error.
    #[error("{0}")]
    Source(#[source] io::Error),
    #[error("cannot {action} in store '{store}'{}", named(key.as_deref()))]
    Other {
        store: String,
        action: &'static str,
        key: Option<String>,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn named(key: Option<&str>) -> String {
    key.map(|key| format!(" ('{key}')")).unwrap_or_default()
}

impl Error {
    /// Name the object that the work was for.
    pub(super) fn of(mut self, name: &str) -> Self {
        match &mut self {
            // Asked for the reason of a refusal that gave none: not about the object.
            Self::Denied { action: "list objects", .. } | Self::Other { action: "list objects", .. } => {}
            Self::Denied { key, .. } | Self::Other { key, .. } => {
                key.get_or_insert_with(|| name.to_owned());
            }
            Self::LeftBehind { source, .. } => {
                let inner = std::mem::replace(&mut **source, Self::Cancelled { key: String::new() });
                **source = inner.of(name);
            }
            _ => {}
        }
        self
    }

    /// Whether another object of the store may be had all the same.
    pub fn is_of_one_object(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::Short { .. } | Self::Changed { .. } | Self::Other { .. })
    }

    /// The error of this room that a stream carries.
    pub fn carried_by(cause: &io::Error) -> Option<&Self> {
        cause.get_ref()?.downcast_ref()
    }

    /// Take an error of this room back out of the stream that carried it.
    pub fn from_stream(cause: io::Error, store: &str) -> Self {
        match cause.downcast::<Self>() {
            Ok(error) => error,
            Err(cause) => Self::Other {
                store: store.to_owned(),
                action: "read an object",
                key: None,
                source: Box::new(cause),
            },
        }
    }
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotFound { .. } => {
                "it was removed behind backstop's back: bring it back from the bucket's versions or from another store"
                    .to_owned()
            }
            Self::Exists { .. } => {
                "nothing was overwritten; if another backup runs at the same time, wait for it and run again"
                    .to_owned()
            }
            Self::NoStore { store } => match store.strip_prefix("file://") {
                Some(folder) => format!(
                    "if a disk belongs there, mount it; else check the path, or make the folder: mkdir -p -m 700 '{folder}'"
                ),
                None => "check the bucket's name, the region and the endpoint, or create the bucket".to_owned(),
            },
            Self::Denied { store, .. } if store.starts_with("file://") => {
                "check the folder's owner and mode, and whether the file system is mounted read-only".to_owned()
            }
            Self::Denied { .. } => "check the access key and its secret, and that its policy allows s3:ListBucket, \
                 s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and \
                 s3:ListBucketMultipartUploads here"
                .to_owned(),
            Self::NoCredentials { .. } => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a `profile`, or run with a role (web identity, \
                 container or machine)"
                    .to_owned()
            }
            Self::ClockSkew { .. } => {
                "set this machine's clock (`timedatectl set-ntp true`) and run again".to_owned()
            }
            Self::WrongRegion { region: Some(region), .. } => format!("set `region: {region}` for this store"),
            Self::WrongRegion { region: None, .. } => "set `region` to the bucket's region".to_owned(),
            Self::Unreachable { .. } => {
                "check `endpoint` and `region`, and that this machine's network, proxy and DNS reach the store"
                    .to_owned()
            }
            Self::Full { .. } => {
                "nothing was left behind; free space there, shorten the retention, or use another store".to_owned()
            }
            Self::WrongSize { .. } | Self::Lost { .. } | Self::Broken { .. } => {
                "do not trust this store with backups until it is repaired; `backstop doctor` tests it".to_owned()
            }
            Self::Short { .. } => "the object is damaged or the connection is bad: run again, and check it with \
                 `backstop verify`"
                .to_owned(),
            Self::NotEncrypted { .. } => {
                "the object was removed; leave `sse` out for this store and encrypt with `recipients` instead"
                    .to_owned()
            }
            Self::Changed { .. } => "something else writes to this store: find it, then run again".to_owned(),
            Self::TooLarge { .. } => "split the backup, e.g. with --exclude-table-data".to_owned(),
            Self::LeftBehind { .. } => {
                "it is no backup, but it is billed: let a lifecycle rule (AbortIncompleteMultipartUpload) remove such \
                 uploads; `backstop doctor` counts them"
                    .to_owned()
            }
            Self::BadUrl { .. } => {
                "write s3://bucket/prefix or file:///folder, and everything else beside `url`".to_owned()
            }
            Self::BadSetting { .. } => {
                "correct it where the store is named: `--store`, or `stores:` in backstop.yml".to_owned()
            }
            Self::BadKey { .. }
            | Self::Stopped
            | Self::Cancelled { .. }
            | Self::Source(_) => return None,
            Self::Other { .. } => {
                "run it again; if it fails again, the fault lies with the store: `backstop doctor` tests it"
                    .to_owned()
            }
        };
        Some(hint)
    }
}
