//! Where backups lie: a flat space of keys below one root, in a local directory
//! or a bucket. [`connect`] makes the right one from its [`Location`].
//!
//! Every write is create-only (but the lease's), bounded in memory, and leaves
//! nothing behind when it fails.

mod error;
mod local;
pub mod s3;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use error::Error;

use crate::stream::ByteStream;

/// A probe's object is smaller by far; a store that sends more is not read on.
const PROBE_LIMIT: usize = 64 * 1024;

/// What the configuration says about one store.
#[derive(Debug, Clone, Default)]
pub struct Location {
    /// `s3://bucket/prefix`, `file:///folder` or a path. Never with credentials.
    pub url: String,
    /// Default: the environment's, the profile's or the machine's, else `us-east-1`.
    pub region: Option<String>,
    /// `https://…` of a store that is not AWS.
    pub endpoint: Option<String>,
    /// The bucket is in the path instead of the host name; default: when an
    /// endpoint is given.
    pub path_style: Option<bool>,
    /// Server-side encryption: `AES256` or `aws:kms`.
    pub sse: Option<String>,
    /// For `aws:kms`; default: the account's own key for S3.
    pub sse_kms_key_id: Option<String>,
    /// Section of `~/.aws/config` and `~/.aws/credentials`.
    pub profile: Option<String>,
}

/// Make the store that `location` names. No request is made and nothing is
/// created: what is wrong with the store itself shows with its first use.
pub async fn connect(location: &Location) -> Result<Arc<dyn Store>, Error> {
    connect_until(location, &CancellationToken::new()).await
}

/// The same; a cancelled `stop` ends whatever waits for the store, but not what
/// cleans up in it.
pub async fn connect_until(location: &Location, stop: &CancellationToken) -> Result<Arc<dyn Store>, Error> {
    match Place::of(&location.url)? {
        Place::Folder(root) => {
            local::refuse_bucket_settings(location)?;
            Ok(Arc::new(local::Local::new(root)))
        }
        Place::Bucket { bucket, prefix } => {
            let store = s3::S3::open(location, bucket, prefix, None).await?;
            Ok(Arc::new(store.stopped_by(stop)))
        }
    }
}

/// A store's URL, taken apart.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Folder(std::path::PathBuf),
    Bucket {
        bucket: String,
        /// Without slashes at its ends; may be empty.
        prefix: String,
    },
}

impl Place {
    fn of(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::BadUrl { url: redacted(text), reason: reason.to_owned() };
        let Some((scheme, rest)) = text.split_once("://") else {
            if text.is_empty() {
                return Err(refuse("it is empty"));
            }
            if text.contains('\0') || text.starts_with('~') {
                return Err(refuse("a path is taken as it is, and '~' is the shell's: write the whole path"));
            }
            let root = std::path::absolute(text).map_err(|_| refuse("the path cannot be made absolute"))?;
            return Ok(Self::Folder(root));
        };
        match scheme {
            "file" => {
                let url = Url::parse(text).map_err(|_| refuse("it is not a URL"))?;
                if url.query().is_some() || url.fragment().is_some() {
                    return Err(refuse("'?' and '#' in a path are written '%3F' and '%23'"));
                }
                let root = url
                    .to_file_path()
                    .map_err(|()| refuse("it takes an absolute path with three slashes: file:///folder"))?;
                Ok(Self::Folder(root))
            }
            "s3" => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                // A secret key may hold '/', so that the '@' can lie behind the bucket.
                if bucket.contains(['@', ':']) {
                    return Err(refuse(
                        "credentials do not belong in it; they come from the environment, a profile or the machine's role",
                    ));
                }
                if rest.contains(['?', '#']) {
                    return Err(refuse(
                        "settings do not belong in it; write region, endpoint and the rest beside `url`",
                    ));
                }
                if !(3..=63).contains(&bucket.len())
                    || !bucket.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
                {
                    return Err(refuse("a bucket's name has 3 to 63 letters, digits, '-' and '.'"));
                }
                let prefix = prefix.trim_matches('/');
                if !prefix.is_empty() && check_key(prefix).is_err() {
                    return Err(refuse("the prefix has an empty part, '.' or '..' in it"));
                }
                Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
            }
            _ => Err(refuse("it begins with neither s3:// nor file://")),
        }
    }
}

/// A URL without what may be a secret: user, password, query.
fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (rest, query) = rest.split_once(['?', '#']).map_or((rest, ""), |(rest, _)| (rest, "?***"));
    let rest = match rest.rsplit_once('@') {
        Some((_, after)) => format!("***@{after}"),
        // `key:secret` whose '@' was forgotten.
        None if scheme != "file" && rest.contains(':') => "***".to_owned(),
        None => rest.to_owned(),
    };
    format!("{scheme}://{rest}{query}")
}

/// Whether a key stays below the root in every store, and cannot be taken for a
/// file that is still being written (`.name.random.part`).
fn check_key(key: &str) -> Result<(), &'static str> {
    if key.is_empty() {
        return Err("it is empty");
    }
    if key.len() > 900 {
        return Err("it is longer than 900 bytes");
    }
    if key.contains(|c: char| c.is_control() || c == '\\') {
        return Err("it has a control character or a backslash in it");
    }
    for part in key.split('/') {
        match part {
            "" => return Err("it has an empty part"),
            "." | ".." => return Err("it has '.' or '..' in it"),
            _ if is_temporary(part) => return Err("'.….part' is the name of an unfinished file"),
            _ => {}
        }
    }
    Ok(())
}

fn is_temporary(name: &str) -> bool {
    // The name is ours, so that its case is known.
    name.starts_with('.') && name.as_bytes().ends_with(b".part")
}

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
    /// Uploads, older than a day, that nobody finished; `None` where the store
    /// does not say.
    pub stale_uploads: Option<usize>,
}

/// Seconds that the store's clock is ahead, from the time that it gave to an
/// object which was written between `before` and `after`. Stores tell whole
/// seconds, so that one second either way proves nothing.
fn clock_ahead(modified: Option<Timestamp>, before: Timestamp, after: Timestamp) -> Option<i64> {
    let modified = modified?.as_second();
    let (earliest, latest) = (before.as_second() - 1, after.as_second() + 1);
    Some(if modified > latest {
        modified - latest
    } else if modified < earliest {
        modified - earliest
    } else {
        0
    })
}

/// Read back what a probe wrote.
async fn read_back(store: &dyn Store, key: &str) -> Result<Vec<u8>, Error> {
    let mut stream = store.get(key).await?;
    let mut all = Vec::new();
    while let Some(chunk) = stream.next().await.map_err(|cause| Error::from_stream(cause, store.url()))? {
        all.extend_from_slice(&chunk);
        if all.len() > PROBE_LIMIT {
            break;
        }
    }
    Ok(all)
}

/// The part of a probe that needs nothing but the trait: read back and list.
async fn probe_reads(store: &dyn Store, key: &str, written: &[u8]) -> Result<(), Error> {
    let broken = |what: &'static str| Error::Broken { store: store.url().to_owned(), what };
    if read_back(store, key).await? != written {
        return Err(broken("other bytes came back than were stored"));
    }
    match store.head(key).await? {
        Some(object) if object.bytes == written.len() as u64 => {}
        _ => return Err(broken("a stored object is described wrongly")),
    }
    if !store.list(key).await?.iter().any(|object| object.key == key) {
        return Err(broken("a stored object is not in the listing"));
    }
    Ok(())
}

/// A new key below `prefix` for a probe.
fn probe_key(prefix: &str) -> String {
    let name = format!("backstop-probe-{:016x}", rand::random::<u64>());
    match prefix.trim_matches('/') {
        "" => name,
        prefix => format!("{prefix}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let bucket =
            |bucket: &str, prefix: &str| Place::Bucket { bucket: bucket.into(), prefix: prefix.into() };
        assert_eq!(Place::of("s3://shop-backups").unwrap(), bucket("shop-backups", ""));
        assert_eq!(Place::of("s3://shop-backups/a/b@c/").unwrap(), bucket("shop-backups", "a/b@c"));
        assert_eq!(Place::of("file:///var/back%20up").unwrap(), Place::Folder("/var/back up".into()));
        assert_eq!(Place::of("/var/backups").unwrap(), Place::Folder("/var/backups".into()));
        assert_eq!(Place::of("out").unwrap(), Place::Folder(std::env::current_dir().unwrap().join("out")));
        for bad in [
            "",
            "~/x",
            "file://var/x",
            "gs://b",
            "s3://",
            "s3://ab",
            "s3://abc/x/../y",
            "s3://a b c/x",
            "s3://abc?x=1",
        ] {
            assert!(matches!(Place::of(bad), Err(Error::BadUrl { .. })), "{bad}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_shown() {
        for url in [
            "s3://AKIAX:s3cret@bucket/prefix",
            "s3://AKIAX:s3c/ret@bucket/prefix",
            "s3://AKIAX:s3cret",
            "s3://s3cret@bucket",
            "https://AKIAX:s3cret@host/bucket",
            "s3://bucket/x?secret=s3cret",
            "s3://bucket/x#s3cret",
        ] {
            let error = Place::of(url).unwrap_err();
            let shown = format!("{error} {error:?} {:?}", crate::error::Advise::hint(&error));
            assert!(!shown.contains("s3c") && !shown.contains("AKIAX"), "{shown}");
        }
    }

    #[test]
    fn keys_stay_below_the_root() {
        for good in
            ["a", "a/b.c", "shop/catalog/20261121T021700Z-7f3a9c.daily.json", "é ü/☃", ".hidden", "x.part"]
        {
            assert_eq!(check_key(good), Ok(()), "{good}");
        }
        for bad in ["", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0b", "a\nb", "a\\b", "a/.b.x.part"]
        {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_clock_is_ahead_only_by_more_than_the_store_rounds() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(clock_ahead(None, at(100), at(100)), None);
        assert_eq!(clock_ahead(Some(at(99)), at(100), at(102)), Some(0));
        assert_eq!(clock_ahead(Some(at(103)), at(100), at(102)), Some(0));
        assert_eq!(clock_ahead(Some(at(1003)), at(100), at(102)), Some(900));
        assert_eq!(clock_ahead(Some(at(39)), at(100), at(102)), Some(-60));
    }
}
