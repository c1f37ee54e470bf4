//! One run at a time for each database: a small object that says who works
//! now, renewed while they live.
//!
//! A lease is a courtesy, not a lock: ids never meet, so that even two runs at
//! once cannot damage each other's backups. Nobody renews or removes a lease that
//! another has taken meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Catalog, Error, envelope, keys, listing};
use crate::store::{self, Store};
use crate::stream::ByteStream;

const RENEW_EVERY: Duration = Duration::from_mins(1);
/// Long enough for clocks that differ by some minutes.
const DEAD_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// How long a release waits for a renewal that is under way.
const LAST_RENEWAL: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Holder {
    purpose: String,
    host: String,
    /// Changes at each boot, so that a process id of an earlier boot means nothing.
    boot: String,
    /// In which a process id means something: containers share host and boot. Older
    /// versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid_namespace: Option<String>,
    pid: u32,
    /// When the process began, in the kernel's ticks: process ids are given again.
    /// Older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<u64>,
    since: Timestamp,
    renewed: Timestamp,
}

/// Held until it is released, or until the process dies.
pub struct Lease {
    store: Arc<dyn Store>,
    key: String,
    me: Holder,
    /// Whether it was still ours in the end.
    renewal: JoinHandle<bool>,
    stop_renewal: DropGuard,
}

impl Catalog {
    /// Take the lease, or say who has it.
    pub async fn lease(&self, purpose: &str) -> Result<Lease, Error> {
        let key = keys::lease(&self.database);
        let me = Holder::this_process(purpose);
        if !self.try_take(&key, &me).await? {
            match holder(self.store.as_ref(), &key).await? {
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
                let other = holder(self.store.as_ref(), &key).await?.unwrap_or(me);
                return Err(Error::Leased {
                    purpose: other.purpose,
                    database: self.database.clone(),
                    host: other.host,
                    pid: other.pid,
                    since: other.since,
                });
            }
        }
        let stop = CancellationToken::new();
        let renewal =
            tokio::spawn(renew(self.store.clone(), key.clone(), me.clone(), RENEW_EVERY, stop.clone()));
        Ok(Lease { store: self.store.clone(), key, me, renewal, stop_renewal: stop.drop_guard() })
    }

    async fn try_take(&self, key: &str, me: &Holder) -> Result<bool, Error> {
        match self.store.put(key, ByteStream::from_bytes(body(me))).await {
            Ok(_) => Ok(true),
            Err(store::Error::Exists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Who has the lease; `None` where nobody has, or nobody can read who.
async fn holder(store: &dyn Store, key: &str) -> Result<Option<Holder>, Error> {
    match listing::fetch(store, key).await {
        Ok(bytes) => Ok(envelope::unwrap(&bytes).ok()),
        Err(Error::Store(store::Error::NotFound { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Lease {
    /// Give it back. A store that fails just now only makes the next run wait.
    pub async fn release(self) {
        drop(self.stop_renewal);
        // One that is still on its way would put the lease back.
        let Ok(Ok(true)) = tokio::time::timeout(LAST_RENEWAL, self.renewal).await else { return };
        // Who was stopped cannot ask any more, but asked a minute ago.
        if let Ok(found) = holder(self.store.as_ref(), &self.key).await
            && !found.is_some_and(|holder| holder.is_same_run(&self.me))
        {
            return;
        }
        let _ = self.store.delete(&self.key).await;
    }
}

impl Holder {
    fn this_process(purpose: &str) -> Self {
        let now = Timestamp::now();
        Self {
            purpose: purpose.to_owned(),
            host: hostname(),
            boot: boot(),
            pid_namespace: pid_namespace(),
            pid: std::process::id(),
            began: began(std::process::id()),
            since: now,
            renewed: now,
        }
    }

    /// Whether the run that holds it may still be at work.
    fn is_alive(&self, me: &Self) -> bool {
        let unknown_or_equal = self.pid_namespace.is_none() || self.pid_namespace == me.pid_namespace;
        if self.host == me.host && self.boot == me.boot && unknown_or_equal {
            return self.pid != me.pid && process_exists(self.pid, self.began);
        }
        me.renewed.duration_since(self.renewed) < DEAD_AFTER
    }

    fn is_same_run(&self, other: &Self) -> bool {
        Self { renewed: other.renewed, ..self.clone() } == *other
    }
}

/// Renew it until told to stop, or until it is another's.
async fn renew(
    store: Arc<dyn Store>,
    key: String,
    mut me: Holder,
    every: Duration,
    stop: CancellationToken,
) -> bool {
    while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        match holder(store.as_ref(), &key).await {
            Ok(Some(holder)) if holder.is_same_run(&me) => {
                me.renewed = Timestamp::now();
                // A renewal that fails is tried again: the lease outlives ten of them.
                let _ = store.replace(&key, body(&me)).await;
            }
            Ok(_) => return false,
            Err(_) => {}
        }
    }
    true
}

fn body(holder: &Holder) -> Bytes {
    // Plain strings and numbers always serialise.
    envelope::wrap(holder).unwrap_or_default().into()
}

/// Whether the process that began then is there, and not another with its number.
fn process_exists(pid: u32, begun: Option<u64>) -> bool {
    let Ok(number) = i32::try_from(pid) else { return false };
    let answer = nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), None);
    // Another user's process may not be signalled, but it is there.
    let is_there = matches!(answer, Ok(()) | Err(nix::errno::Errno::EPERM));
    is_there && begun.zip(began(pid)).is_none_or(|(then, now)| then == now)
}

/// When a process began, where the kernel says so (`proc_pid_stat(5)`, `starttime`).
fn began(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name stands in brackets and may hold any of them.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

fn pid_namespace() -> Option<String> {
    Some(std::fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

fn hostname() -> String {
    nix::unistd::gethostname()
        .map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Location;

    fn me() -> Holder {
        Holder::this_process("a backup")
    }

    /// A run in the process that started this one.
    fn parent() -> Holder {
        let pid = nix::unistd::getppid().as_raw().cast_unsigned();
        Holder { pid, began: began(pid), ..me() }
    }

    fn old(holder: Holder) -> Holder {
        Holder { renewed: holder.renewed - DEAD_AFTER, ..holder }
    }

    #[test]
    fn a_process_of_this_machine_holds_a_lease_for_as_long_as_it_lives() {
        assert!(parent().began.is_some());
        assert!(parent().is_alive(&me()) && old(parent()).is_alive(&me()));
        // Its number was given to another process.
        let began = parent().began.map(|began| began - 1);
        assert!(!Holder { began, ..parent() }.is_alive(&me()));
        // An older version did not say when it began, or where.
        let unsaid = || Holder { began: None, pid_namespace: None, ..parent() };
        assert!(unsaid().is_alive(&me()) && old(unsaid()).is_alive(&me()));
        let gone = std::process::Command::new("true").spawn().and_then(|mut child| {
            child.wait()?;
            Ok(child.id())
        });
        assert!(!Holder { pid: gone.unwrap(), ..me() }.is_alive(&me()));
    }

    #[test]
    fn a_process_of_another_container_is_known_by_its_renewals_alone() {
        let elsewhere = || Some("pid:[1]".to_owned());
        for pid in [std::process::id(), parent().pid, u32::MAX] {
            let other = || Holder { pid_namespace: elsewhere(), pid, ..parent() };
            assert!(other().is_alive(&me()) && !old(other()).is_alive(&me()), "{pid}");
        }
    }

    #[test]
    fn a_lease_of_an_older_version_is_read() {
        let mut text = serde_json::to_value(parent()).unwrap();
        for added in ["pid_namespace", "began"] {
            assert!(text.as_object_mut().unwrap().remove(added).is_some());
        }
        let read: Holder = serde_json::from_value(text).unwrap();
        assert_eq!(
            read,
            Holder { pid_namespace: None, began: None, since: read.since, renewed: read.renewed, ..parent() }
        );
    }

    #[tokio::test]
    async fn what_another_took_is_neither_renewed_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().display().to_string();
        let store = crate::store::connect(&Location { url, ..Location::default() }).await.unwrap();
        let catalog = Catalog::new(store.clone(), "shop");
        let key = keys::lease("shop");
        let is_there = async || holder(store.as_ref(), &key).await.unwrap();

        let lease = catalog.lease("a backup").await.unwrap();
        assert!(is_there().await.is_some());
        lease.release().await;
        assert_eq!(is_there().await, None);

        let lease = catalog.lease("a backup").await.unwrap();
        let stop = CancellationToken::new();
        let every = Duration::from_millis(5);
        let renewal = tokio::spawn(renew(store.clone(), key.clone(), lease.me.clone(), every, stop.clone()));
        while is_there().await.is_some_and(|holder| holder == lease.me) {
            tokio::time::sleep(every).await;
        }
        assert!(is_there().await.unwrap().is_same_run(&lease.me), "renewed");
        stop.cancel();
        assert!(renewal.await.unwrap(), "it was ours to the end");

        let other = Holder { pid: 4711, ..me() };
        store.replace(&key, body(&other)).await.unwrap();
        let stop = CancellationToken::new();
        let renewal = renew(store.clone(), key.clone(), lease.me.clone(), every, stop);
        assert!(!renewal.await, "it is another's");
        lease.release().await;
        assert_eq!(is_there().await, Some(other));
    }
}
