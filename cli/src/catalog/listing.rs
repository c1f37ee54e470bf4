//! Read the catalogue: every committed backup with its later checks, newest
//! first; a record that is damaged or cannot be read is named and hides nothing else.

use std::collections::BTreeMap;

use backstop_policy::manifest::{Manifest, SCHEMA, Verification};
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::keys::{self, Record};
use super::{Backup, Catalog, Error, envelope};
use crate::error::in_one_line;
use crate::store::{self, Store};

/// Records read at the same time.
const CONCURRENCY: usize = 16;
/// A record larger than this is none of ours.
const LARGEST_RECORD: usize = 64 << 20;

/// What the catalogue holds.
#[derive(Debug)]
pub struct Listing {
    /// Newest first.
    pub backups: Vec<Backup>,
    pub damaged: Vec<Damaged>,
}

/// A record that cannot be believed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Damaged {
    pub key: String,
    pub reason: String,
    /// The schema of a record that is not damaged, but newer than this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
    /// The store does not give it: it may well be whole.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
}

impl Damaged {
    /// What is wrong with the record under this key; `None` where it is the store as a
    /// whole that fails.
    fn of(key: &str, error: &Error) -> Option<Self> {
        let (reason, schema) = match error {
            Error::Damaged { reason, .. } => (reason.clone(), None),
            Error::NewerSchema { found, known, .. } => {
                (format!("it has schema {found}, but this version reads up to {known}"), Some(*found))
            }
            Error::Store(error) if error.is_of_one_object() => (in_one_line(error), None),
            Error::ReadBack { source, .. }
                if store::Error::carried_by(source).is_none_or(store::Error::is_of_one_object) =>
            {
                (in_one_line(source), None)
            }
            _ => return None,
        };
        let unread = matches!(error, Error::Store(_) | Error::ReadBack { .. });
        Some(Self { key: key.to_owned(), reason, schema, unread })
    }

    fn into_error(self) -> Error {
        let Self { key, reason, schema, unread } = self;
        match schema {
            Some(found) => Error::NewerSchema { key, found, known: SCHEMA },
            None if unread => Error::Unread { key, reason },
            None => Error::Damaged { key, reason },
        }
    }
}

impl Catalog {
    pub async fn list(&self) -> Result<Listing, Error> {
        let objects = self.store.list(&keys::catalog(&self.database)).await?;
        let keys = objects.iter().filter(|object| keys::record(&self.database, &object.key).is_some());
        let mut read = stream::iter(keys)
            .map(|object| async move { (object.key.as_str(), fetch(self.store.as_ref(), &object.key).await) })
            .buffer_unordered(CONCURRENCY);

        let mut backups = BTreeMap::new();
        let mut checks: BTreeMap<_, BTreeMap<usize, Verification>> = BTreeMap::new();
        let mut damaged = Vec::new();
        let mut unread = None;
        while let Some((key, bytes)) = read.next().await {
            let outcome = match (keys::record(&self.database, key), bytes) {
                (_, Err(error)) => Err(error),
                (Some(Record::Manifest { id, tier }), Ok(bytes)) => {
                    parse::<Manifest>(key, &bytes).and_then(|manifest| {
                        let names = (&*manifest.database, &*manifest.id, &*manifest.tier);
                        belongs(key, names == (&*self.database, id, tier))?;
                        backups.insert((id, tier), manifest);
                        Ok(())
                    })
                }
                (Some(Record::Verification { id, tier, number }), Ok(bytes)) => {
                    parse::<Verification>(key, &bytes).and_then(|check| {
                        belongs(key, check.backup == id)?;
                        checks.entry((id, tier)).or_default().insert(number, check);
                        Ok(())
                    })
                }
                (None, _) => Ok(()),
            };
            match outcome {
                // Not found: removed between the listing and now.
                Ok(()) | Err(Error::Store(store::Error::NotFound { .. })) => {}
                Err(error) => {
                    let Some(record) = Damaged::of(key, &error) else { return Err(error) };
                    if record.unread {
                        unread.get_or_insert(error);
                    }
                    damaged.push(record);
                }
            }
        }
        // Then it is not one object that is not to be had.
        if let Some(error) = unread.filter(|_| backups.is_empty()) {
            return Err(error);
        }
        // They were read as they came.
        damaged.sort_by(|a, b| a.key.cmp(&b.key));
        let backups = backups.into_iter().map(|(name, manifest)| Backup {
            manifest,
            verifications: checks.remove(&name).unwrap_or_default().into_values().collect(),
            passed_over: Vec::new(),
        });
        let mut backups: Vec<Backup> = backups.collect();
        backups.sort_by(|a, b| age(&b.manifest).cmp(&age(&a.manifest)));
        Ok(Listing { backups, damaged })
    }

    /// One backup by id, by a unique beginning of one, or `latest`; a tier may
    /// be named after a slash (`latest/weekly`). What a restore put into
    /// [`keys::SAFETY`] holds the state that it was to mend, so that `latest`
    /// passes over it unless that tier is named.
    pub async fn find(&self, selector: &str) -> Result<Backup, Error> {
        let mut listing = self.list().await?;
        let (id, tier) = match selector.split_once('/') {
            Some((id, tier)) => (id, Some(tier)),
            None => (selector, None),
        };
        let in_tier = |its: &str| match tier {
            Some(tier) => its == tier,
            None => id != "latest" || its != keys::SAFETY,
        };
        let mut fitting: Vec<Backup> = listing
            .backups
            .into_iter()
            .filter(|backup| {
                in_tier(&backup.manifest.tier) && (id == "latest" || backup.manifest.id.starts_with(id))
            })
            .collect();
        let ids = fitting.iter().map(|backup| &backup.manifest.id).collect::<std::collections::BTreeSet<_>>();
        if id != "latest" && ids.len() > 1 {
            let examples = ids.iter().take(3).map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Error::Ambiguous { selector: selector.to_owned(), count: ids.len(), examples });
        }
        let asked_for = |broken: &Damaged| match keys::record(&self.database, &broken.key) {
            Some(Record::Manifest { id: its, tier: of }) => {
                (id == "latest" || its.starts_with(id)) && in_tier(of)
            }
            _ => false,
        };
        listing.damaged.retain(asked_for);
        if fitting.is_empty() {
            // A damaged manifest of that very backup explains more than "not there".
            if let Some(broken) = listing.damaged.pop() {
                return Err(broken.into_error());
            }
            let (database, store) = (self.database.clone(), self.store.url().to_owned());
            return Err(if id == "latest" && tier.is_none() {
                Error::Empty { database, store }
            } else {
                Error::NoSuchBackup { selector: selector.to_owned(), database, store }
            });
        }
        let mut found = fitting.swap_remove(0);
        if id == "latest" {
            // Of two in one second only what they hold could tell.
            listing.damaged.retain(|broken| match keys::record(&self.database, &broken.key) {
                Some(Record::Manifest { id, .. }) => keys::second(id) >= keys::second(&found.manifest.id),
                _ => false,
            });
        }
        // It may be whole, and the one that is meant.
        if let Some(unread) = listing.damaged.iter().rposition(|broken| broken.unread) {
            return Err(listing.damaged.swap_remove(unread).into_error());
        }
        if id == "latest" {
            // Whoever asks for the newest must hear of a newer one that cannot be read.
            found.passed_over = listing.damaged;
        }
        Ok(found)
    }

    /// The newest backup of a tier, without reading those of other seconds.
    pub async fn newest(&self, tier: &str) -> Result<Option<Manifest>, Error> {
        let objects = self.store.list(&keys::catalog(&self.database)).await?;
        let of_tier =
            objects.iter().rev().filter_map(|object| match keys::record(&self.database, &object.key) {
                Some(Record::Manifest { id, tier: its }) if its == tier => {
                    Some((keys::second(id), &object.key))
                }
                _ => None,
            });
        let mut last = None;
        let mut newest: Option<Manifest> = None;
        for (second, key) in of_tier {
            if *last.get_or_insert(second) != second {
                break;
            }
            let manifest = parse(key, &fetch(self.store.as_ref(), key).await?)?;
            newest = newest.into_iter().chain([manifest]).max_by(|a, b| age(a).cmp(&age(b)));
        }
        Ok(newest)
    }

    /// Write what a check found beside the manifest, which itself never changes.
    pub async fn record(&self, manifest: &Manifest, check: &Verification) -> Result<(), Error> {
        let body = envelope::wrap(check)
            .map_err(|error| Error::Damaged { key: manifest.id.clone(), reason: error.to_string() })?;
        let (database, tier, id) = (&manifest.database, &manifest.tier, &manifest.id);
        let others = self.store.list(&keys::verifications(database, tier, id)).await?;
        let number_of = |object: &store::Object| match keys::record(database, &object.key) {
            Some(Record::Verification { number, .. }) => number,
            _ => 0,
        };
        let mut number = 1 + others.iter().map(number_of).max().unwrap_or(0);
        loop {
            let key = keys::verification(database, tier, id, number);
            let stream = crate::stream::ByteStream::from_bytes(body.clone().into());
            match self.store.put(&key, stream).await {
                Ok(_) => return Ok(()),
                Err(store::Error::Exists { .. }) => number += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What backups are in the order of. An id tells its second alone.
fn age(manifest: &Manifest) -> (Timestamp, Timestamp, &str, &str) {
    (manifest.started_at, manifest.finished_at, &manifest.id, &manifest.tier)
}

/// A small object, whole.
pub(super) async fn fetch(store: &dyn Store, key: &str) -> Result<Vec<u8>, Error> {
    let mut body = store.get(key).await?;
    let mut bytes = Vec::new();
    loop {
        match body.next().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > LARGEST_RECORD => {
                return Err(Error::Damaged {
                    key: key.to_owned(),
                    reason: "too large for a record".to_owned(),
                });
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes),
            Err(source) => return Err(Error::ReadBack { key: key.to_owned(), source }),
        }
    }
}

/// A whole record under another's name would pass one backup off as another.
fn belongs(key: &str, fits: bool) -> Result<(), Error> {
    let reason = || "it is the record of another backup".to_owned();
    if fits { Ok(()) } else { Err(Error::Damaged { key: key.to_owned(), reason: reason() }) }
}

fn parse<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, Error> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let damaged = |reason| Error::Damaged { key: key.to_owned(), reason };
    let found = envelope::unwrap::<Versioned>(bytes).map_err(damaged)?.schema;
    if found > SCHEMA {
        return Err(Error::NewerSchema { key: key.to_owned(), found, known: SCHEMA });
    }
    envelope::unwrap(bytes).map_err(damaged)
}
