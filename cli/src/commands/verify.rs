//! `backstop verify`: check a stored backup, and record how far it held.

use std::path::PathBuf;

use backstop_policy::manifest;

use super::Context;
use super::options::{self, JobsArgs, KeyArgs, StoreArgs};
use crate::error::ExitStatus;
use crate::verify::{Request, verify};
use crate::{github, report};

/// Check a stored backup, up to restoring it into a throwaway cluster
///
/// Each level includes those before it. Everything above `stored` needs the
/// identity where the backup is encrypted. The result is recorded in the store
/// beside the manifest. Exits with 1 when the level is not reached.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id, a unique beginning of one, `latest`, or `latest/TIER`
    #[arg(default_value = "latest")]
    backup: String,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// How far to go
    #[arg(long, value_enum, default_value_t = Level::Restored)]
    level: Level,
    /// Restore into a new database on this server instead of a throwaway one
    #[arg(long, value_name = "URL")]
    on: Option<String>,
    #[command(flatten)]
    jobs: JobsArgs,
    /// File of SQL assertions to run after the trial restore, of which every
    /// value must be true [default: the database's `checks`]
    #[arg(long, value_name = "FILE")]
    checks: Option<PathBuf>,
    /// Shell command to run after the trial restore, with its DATABASE_URL
    #[arg(long, value_name = "COMMAND")]
    run: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Level {
    /// The object reads back with the digest of the manifest
    Stored,
    /// It decrypts, and every data block reads to its end
    Readable,
    /// Tables, rows, policies, indexes, constraints and functions are inside
    Contents,
    /// It restores, and the result equals the dump's snapshot
    Restored,
}

pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitStatus> {
    let (settings, catalog) = context.catalog(&args.store).await?;
    let backup = catalog.find(&args.backup).await?;
    options::warn_passed_over(&backup, context.ui);
    let known = settings.expectations(catalog.database())?;
    let on = args.on.as_deref().map(|url| options::target_of_flag("--on", url)).transpose()?;
    let request = Request {
        catalog: &catalog,
        backup: &backup,
        level: match args.level {
            Level::Stored => manifest::Level::Stored,
            Level::Readable => manifest::Level::Readable,
            Level::Contents => manifest::Level::Contents,
            Level::Restored => manifest::Level::Restored,
        },
        keys: &context.keys(&args.keys)?,
        critical_tables: &known.critical_tables,
        on: on.as_ref(),
        jobs: args.jobs.count(),
        checks: args.checks.or(known.checks),
        run: args.run,
    };
    let check = verify(&request, context.ui, &context.stop).await?;
    context.ui.json(&check)?;
    context.ui.say(report::verdict(&backup.manifest, &check).trim_end());
    if !check.passed {
        let part = !backup.manifest.filters.is_empty() && check.reached == Some(manifest::Level::Contents);
        context.ui.note(if part {
            "hint: choose what that part needs too, and take another backup"
        } else {
            "hint: do not rely on it: take another backup, and look for this one in another store"
        });
    }
    let outputs = [
        ("backup-id", backup.manifest.id.clone()),
        ("backup-sha256", backup.manifest.artifact.stored.sha256.clone()),
        ("backup-bytes", backup.manifest.artifact.stored.bytes.to_string()),
        ("level", check.reached.map_or("none", manifest::Level::as_str).to_owned()),
    ];
    github::publish(&outputs, &check, &report::summary_of_check(&backup.manifest, &check))?;
    if !check.passed {
        github::annotate("error", &report::failure_of_check(&backup.manifest, &check));
    }
    Ok(if check.passed { ExitStatus::Clean } else { ExitStatus::Bad })
}
