//! `backstop show`: one backup with all that is known of it.

use jiff::Timestamp;

use super::Context;
use super::options::{self, StoreArgs};
use crate::error::ExitStatus;
use crate::report;

/// Show one backup: what it holds, how it is stored, what was checked
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id, a unique beginning of one, `latest`, or `latest/TIER`
    #[arg(default_value = "latest")]
    backup: String,
    #[command(flatten)]
    store: StoreArgs,
}

pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitStatus> {
    let (_, catalog) = context.catalog(&args.store).await?;
    let backup = catalog.find(&args.backup).await?;
    options::warn_passed_over(&backup, context.ui);
    context.ui.json(&backup)?;
    context.ui.say(report::whole(&backup, catalog.store().url(), Timestamp::now()).trim_end());
    Ok(ExitStatus::Clean)
}
