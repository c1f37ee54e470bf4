//! Where backups go: whether the store can be written, and keeps what it is told.

use crate::store::Store;

use super::{Check, machine};

/// Probe a store below `prefix`; `now` is our clock in seconds since 1970.
pub async fn store(store: &dyn Store, prefix: &str, now: f64) -> Vec<Check> {
    const NAME: &str = "store";
    let url = store.url();
    let probe = match store.probe(prefix).await {
        Ok(probe) => probe,
        Err(error) => return vec![Check::failed(NAME, &error)],
    };
    let mut checks = vec![Check::ok(NAME, format!("'{url}' can be written, read, listed and deleted from"))];
    if !probe.create_only {
        checks.push(Check::warning(
            "store-create-only",
            format!(
                "'{url}' overwrites objects that are to be created only, so two runs can destroy each other's"
            ),
            "let only one job write there, and turn bucket versioning on",
        ));
    }
    if let Some(ahead) = probe.clock_ahead {
        // An i64 of seconds is far below 2^52.
        #[expect(clippy::cast_precision_loss, reason = "seconds between two clocks are few")]
        checks.push(machine::clock(&format!("'{url}'"), now + ahead as f64, now));
    }
    if let Some(stale @ 1..) = probe.stale_uploads {
        checks.push(Check::warning(
            "store-uploads",
            format!("unfinished uploads in '{url}', which are billed: {stale}"),
            "add a lifecycle rule that aborts incomplete multipart uploads after 1 day",
        ));
    }
    checks
}
