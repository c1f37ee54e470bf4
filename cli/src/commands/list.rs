//! `backstop list`: the backups of a store, newest first.

use jiff::Timestamp;
use serde::Serialize;

use super::Context;
use super::options::StoreArgs;
use crate::catalog::{Backup, Damaged};
use crate::error::ExitStatus;
use crate::report;

/// List the backups in the store, newest first
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Only backups of this tier
    #[arg(long)]
    tier: Option<String>,
}

#[derive(Serialize)]
struct Listed<'a> {
    database: &'a str,
    store: &'a str,
    backups: &'a [Backup],
    damaged: &'a [Damaged],
}

pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitStatus> {
    let (_, catalog) = context.catalog(&args.store).await?;
    let mut listing = catalog.list().await?;
    if let Some(tier) = &args.tier {
        listing.backups.retain(|backup| backup.manifest.tier == *tier);
    }
    context.ui.json(&Listed {
        database: catalog.database(),
        store: catalog.store().url(),
        backups: &listing.backups,
        damaged: &listing.damaged,
    })?;
    if listing.backups.is_empty() && listing.damaged.is_empty() {
        context.ui.say(format!(
            "no backup of '{}' in {} yet; take one with `backstop backup`",
            catalog.database(),
            catalog.store().url()
        ));
    } else {
        context.ui.say(report::table(&listing, Timestamp::now()).trim_end());
    }
    if listing.damaged.iter().any(|record| record.unread) {
        context.ui.note(
            "hint: a record that cannot be read may be whole: see who may read that object, then run again",
        );
    }
    if listing.damaged.iter().any(|record| record.schema.is_none() && !record.unread) {
        context.ui.note(
            "hint: the other backups are not affected; bring a damaged record back from the bucket's versions or \
             from another store",
        );
    }
    if listing.damaged.iter().any(|record| record.schema.is_some()) {
        context.ui.note("hint: read a record of a newer schema with the version of backstop that wrote it");
    }
    // A manifest that cannot be believed is a finding.
    Ok(if listing.damaged.is_empty() { ExitStatus::Clean } else { ExitStatus::Bad })
}
