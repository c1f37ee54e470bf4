//! Read the catalogue: every committed backup with its later checks, newest
//! first; a damaged record is named and hides nothing else.

use std::collections::BTreeMap;

use backstop_policy::manifest::{Manifest, SCHEMA, Verification};
use futures::stream::{self, StreamExt};
use serde::de::DeserializeOwned;

use super::keys::{self, Record};
use super::{Backup, Catalog, Error, envelope};
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
#[derive(Debug, serde::Serialize)]
pub struct Damaged {
    pub key: String,
    pub reason: String,
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
        while let Some((key, bytes)) = read.next().await {
            let outcome = match (keys::record(&self.database, key), bytes) {
                (_, Err(error)) => Err(error),
                (Some(Record::Manifest { id, tier }), Ok(bytes)) => {
                    parse::<Manifest>(key, &bytes).map(|manifest| {
                        backups.insert((id, tier), manifest);
                    })
                }
                (Some(Record::Verification { id, tier, number }), Ok(bytes)) => {
                    parse::<Verification>(key, &bytes).map(|check| {
                        checks.entry((id, tier)).or_default().insert(number, check);
                    })
                }
                (None, _) => Ok(()),
            };
            match outcome {
                // Not found: removed between the listing and now.
                Ok(()) | Err(Error::Store(store::Error::NotFound { .. })) => {}
                Err(error @ (Error::Damaged { .. } | Error::NewerSchema { .. })) => {
                    damaged.push(Damaged { key: key.to_owned(), reason: error.to_string() });
                }
                Err(error) => return Err(error),
            }
        }
        let backups = backups.into_iter().rev().map(|(name, manifest)| Backup {
            manifest,
            verifications: checks.remove(&name).unwrap_or_default().into_values().collect(),
        });
        Ok(Listing { backups: backups.collect(), damaged })
    }

    /// One backup by id, by a unique beginning of one, or `latest`; a tier may
    /// be named after a slash (`latest/weekly`).
    pub async fn find(&self, selector: &str) -> Result<Backup, Error> {
        let listing = self.list().await?;
        let (id, tier) = match selector.split_once('/') {
            Some((id, tier)) => (id, Some(tier)),
            None => (selector, None),
        };
        let in_tier = |backup: &Backup| tier.is_none_or(|tier| backup.manifest.tier == tier);
        let mut fitting: Vec<Backup> = listing
            .backups
            .into_iter()
            .filter(|backup| in_tier(backup) && (id == "latest" || backup.manifest.id.starts_with(id)))
            .collect();
        let ids = fitting.iter().map(|backup| &backup.manifest.id).collect::<std::collections::BTreeSet<_>>();
        if id != "latest" && ids.len() > 1 {
            let examples = ids.iter().take(3).map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Error::Ambiguous { selector: selector.to_owned(), count: ids.len(), examples });
        }
        if fitting.is_empty() {
            // A damaged manifest of that very backup explains more than "not there".
            if let Some(broken) =
                listing.damaged.into_iter().find(|broken| id == "latest" || broken.key.contains(id))
            {
                return Err(Error::Damaged { key: broken.key, reason: broken.reason });
            }
            let (database, store) = (self.database.clone(), self.store.url().to_owned());
            return Err(if id == "latest" && tier.is_none() {
                Error::Empty { database, store }
            } else {
                Error::NoSuchBackup { selector: selector.to_owned(), database, store }
            });
        }
        Ok(fitting.swap_remove(0))
    }

    /// Write what a check found beside the manifest, which itself never changes.
    pub async fn record(&self, manifest: &Manifest, check: &Verification) -> Result<(), Error> {
        let body = envelope::wrap(check)
            .map_err(|error| Error::Damaged { key: manifest.id.clone(), reason: error.to_string() })?;
        let mut number = 1;
        loop {
            let key = keys::verification(&manifest.database, &manifest.tier, &manifest.id, number);
            let stream = crate::stream::ByteStream::from_bytes(body.clone().into());
            match self.store.put(&key, stream).await {
                Ok(_) => return Ok(()),
                Err(store::Error::Exists { .. }) => number += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
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
