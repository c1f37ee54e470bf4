//! `backstop demo`: the whole of it in a few seconds, on a throwaway server.

use std::path::PathBuf;

use super::Context;
use crate::demo::{self, Request};
use crate::error::ExitStatus;

/// Lose data and get it back, on a throwaway server with a made-up shop
///
/// Starts a PostgreSQL of its own, loads 130,000 rows, and runs the commands
/// that it prints: key, configuration, encrypted backup, trial restore. Then it
/// damages the database, restores it, and shows by SQL that everything is back.
/// Nothing of yours is touched, and nothing is left behind. Exits with 0 only
/// when all data came back.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Keep the folder with the key, the configuration and the backups
    #[arg(long)]
    keep: bool,
    /// Make this folder and work in it [default: a temporary one]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitStatus> {
    let request = Request { folder: args.folder, keep: args.keep };
    let report = demo::run(&request, context.ui, &context.stop).await?;
    context.ui.json(&report)?;
    Ok(if report.proven { ExitStatus::Clean } else { ExitStatus::Bad })
}
