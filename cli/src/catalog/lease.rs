//! One run at a time for each database: a small object that says who works
//! now, renewed while they live.
//!
//! A lease is a courtesy, not a lock: ids never meet, so that even two runs at
//! once cannot damage each other's backups.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::{Catalog, Error, envelope, keys, listing};
use crate::store::{self, Store};
use crate::stream::ByteStream;

const RENEW_EVERY: Duration = Duration::from_mins(1);
/// Long enough for clocks that differ by some minutes.
const DEAD_AFTER: SignedDuration = SignedDuration::from_mins(10);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Holder {
    purpose: String,
    host: String,
    /// Changes at each boot, so that a process id of an earlier boot means nothing.
    boot: String,
    pid: u32,
    since: Timestamp,
    renewed: Timestamp,
}

/// Held until it is released, or until the process dies.
pub struct Lease {
    store: Arc<dyn Store>,
    key: String,
    renewal: JoinHandle<()>,
}

impl Catalog {
    /// Take the lease, or say who has it.
    pub async fn lease(&self, purpose: &str) -> Result<Lease, Error> {
        let key = keys::lease(&self.database);
        let now = Timestamp::now();
        let me = Holder {
            purpose: purpose.to_owned(),
            host: hostname(),
            boot: boot(),
            pid: std::process::id(),
            since: now,
            renewed: now,
        };
        if !self.try_take(&key, &me).await? {
            match self.holder(&key).await? {
                Some(other) if other.is_alive(&me) => {
                    return Err(Error::Leased {
                        purpose: other.purpose,
                        database: self.database.clone(),
                        host: other.host,
                        pid: other.pid,
                        since: other.since,
                    });
                }
                // Its holder is dead, or nobody can read it any more.
                _ => self.store.delete(&key).await?,
            }
            if !self.try_take(&key, &me).await? {
                let other = self.holder(&key).await?.unwrap_or(me);
                return Err(Error::Leased {
                    purpose: other.purpose,
                    database: self.database.clone(),
                    host: other.host,
                    pid: other.pid,
                    since: other.since,
                });
            }
        }
        let renewal = tokio::spawn(renew(self.store.clone(), key.clone(), me));
        Ok(Lease { store: self.store.clone(), key, renewal })
    }

    async fn try_take(&self, key: &str, me: &Holder) -> Result<bool, Error> {
        match self.store.put(key, ByteStream::from_bytes(body(me))).await {
            Ok(_) => Ok(true),
            Err(store::Error::Exists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn holder(&self, key: &str) -> Result<Option<Holder>, Error> {
        match listing::fetch(self.store.as_ref(), key).await {
            Ok(bytes) => Ok(envelope::unwrap(&bytes).ok()),
            Err(Error::Store(store::Error::NotFound { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Lease {
    /// Give it back. A store that fails just now only makes the next run wait.
    pub async fn release(self) {
        self.renewal.abort();
        let _ = self.store.delete(&self.key).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Holder {
    fn is_alive(&self, me: &Self) -> bool {
        if self.host == me.host && self.boot == me.boot {
            return self.pid != me.pid && process_exists(self.pid);
        }
        me.renewed.duration_since(self.renewed) < DEAD_AFTER
    }
}

async fn renew(store: Arc<dyn Store>, key: String, mut me: Holder) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        me.renewed = Timestamp::now();
        // A renewal that fails is tried again: the lease outlives ten of them.
        let _ = store.replace(&key, body(&me)).await;
    }
}

fn body(holder: &Holder) -> Bytes {
    // Plain strings and numbers always serialise.
    envelope::wrap(holder).unwrap_or_default().into()
}

fn process_exists(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid) else { return false };
    let answer = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None);
    // Another user's process may not be signalled, but it is there.
    matches!(answer, Ok(()) | Err(nix::errno::Errno::EPERM))
}

fn hostname() -> String {
    nix::unistd::gethostname()
        .map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
