//! `backstop restore`: bring a backup or a foreign dump into a database.

use std::io::IsTerminal;

use secrecy::SecretString;
use serde_json::json;

use super::Context;
use super::options::{self, EncryptionArgs, JobsArgs, KeyArgs, SourceArgs, StoreArgs};
use crate::error::ExitStatus;
use crate::pipeline::{self, Keys};
use crate::postgres::target::Target;
use crate::restore::{self, Error, Origin, Request};

mod request;

/// Restore a backup or a dump: beside the source, elsewhere, or in place
///
/// Without a destination it goes into a new database beside the source, named
/// <database>_restored_<time>. The first error stops it, and a new database that
/// is not whole is dropped again. Afterwards the result is compared with the
/// snapshot that was dumped; exits with 1 when it differs.
///
/// With --in-place, a safety backup comes first, into --store and for
/// --recipient; the old database is set aside, and --undo brings it back.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
pub struct Args {
    /// Id of a backup, a unique beginning of one, `latest`, `latest/TIER`, or
    /// the path or http(s) URL of a dump: custom format or SQL, compressed or
    /// encrypted in any common way
    #[arg(default_value = "latest", value_name = "BACKUP|FILE|URL")]
    what: String,
    /// Restore into a new database of this name on the source's server
    #[arg(long, value_name = "NAME", conflicts_with_all = ["to", "in_place"])]
    new_db: Option<String>,
    /// Restore into this database, which must be empty; `${NAME}` takes the URL
    /// from a variable, where it may hold a password
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Write over the database: after a safety backup, and with a way back
    #[arg(long)]
    in_place: bool,
    /// Put the database that an earlier --in-place set aside back in its place
    #[arg(long, value_name = "DATABASE", conflicts_with_all = ["new_db", "in_place", "list", "dry_run", "table", "schema"])]
    undo: Option<String>,
    /// Only this table, with its indexes, constraints, sequences, policies and
    /// triggers (repeatable)
    #[arg(long, value_name = "PATTERN")]
    table: Vec<String>,
    /// Only this schema (repeatable)
    #[arg(long, value_name = "PATTERN")]
    schema: Vec<String>,
    /// Definitions without rows
    #[arg(long, conflicts_with_all = ["data_only", "in_place"])]
    schema_only: bool,
    /// Rows without definitions, into tables that are there
    #[arg(long)]
    data_only: bool,
    /// Let everything belong to the role that restores
    #[arg(long)]
    no_owner: bool,
    /// Leave grants out
    #[arg(long)]
    no_privileges: bool,
    /// First make the roles of the backup that the server does not have,
    /// without passwords
    #[arg(long)]
    globals: bool,
    /// Print what the backup or dump holds, and restore nothing
    #[arg(long)]
    list: bool,
    /// Print what would be restored and left out, and restore nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for the database's name before it is overwritten
    #[arg(long)]
    yes: bool,
    /// Iterations, where the file was made with `openssl enc -iter N`
    #[arg(long, value_name = "N")]
    openssl_iterations: Option<u32>,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    encryption: EncryptionArgs,
}

pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitStatus> {
    let settings = context.settings(&args.source, &args.store, &args.encryption)?;
    let to = args.to.as_deref().map(request::target_of).transpose()?;
    if let Some(set_aside) = &args.undo {
        let target = to.map_or_else(|| context.database(&settings).map(|found| found.target), Ok)?;
        return undo(&target, set_aside, args.yes, context).await;
    }
    let mut keys = context.keys(&args.keys)?;
    if let Some(iterations) = args.openssl_iterations {
        keys.set_openssl_iterations(iterations);
    }
    let origin = request::origin(&args.what, &settings, context).await?;
    if let Origin::Backup { backup, .. } = &origin {
        options::warn_passed_over(backup, context.ui);
    }
    if args.list {
        return list(&origin, keys, context).await;
    }
    let dry_run = args.dry_run;
    let request = &mut request::request(args, to, origin, keys, &settings, context).await?;
    if dry_run {
        return plan(request, context).await;
    }
    let report = loop {
        match restore::run(request, context.ui, &context.stop).await {
            Err(error) => ask_passphrase(error, &mut request.keys)?,
            Ok(report) => break report,
        }
    };
    context.ui.json(&report)?;
    context.ui.say(report.text().trim_end());
    Ok(if report.is_good() { ExitStatus::Clean } else { ExitStatus::Bad })
}

async fn undo(target: &Target, set_aside: &str, yes: bool, context: &Context) -> anyhow::Result<ExitStatus> {
    let undone = restore::undo(target, set_aside, yes, context.ui).await?;
    let database = target.database();
    context.ui.json(&json!({ "database": database, "from": set_aside, "set_aside": undone }))?;
    context
        .ui
        .say(format!("database '{database}' is what '{set_aside}' was; what it was until now is '{undone}'"));
    Ok(ExitStatus::Clean)
}

async fn list(origin: &Origin, mut keys: Keys, context: &Context) -> anyhow::Result<ExitStatus> {
    let listing = loop {
        match restore::list(origin, &keys, context.ui, &context.stop).await {
            Err(error) => ask_passphrase(error, &mut keys)?,
            Ok(listing) => break listing,
        }
    };
    context.ui.json(&listing)?;
    context.ui.say(listing.text.trim_end());
    Ok(ExitStatus::Clean)
}

async fn plan(request: &mut Request, context: &Context) -> anyhow::Result<ExitStatus> {
    let plan = loop {
        match restore::plan(request, context.ui, &context.stop).await {
            Err(error) => ask_passphrase(error, &mut request.keys)?,
            Ok(plan) => break plan,
        }
    };
    context.ui.json(&plan)?;
    context.ui.say(plan.text().trim_end());
    Ok(ExitStatus::Clean)
}

/// Where only a passphrase is missing, and somebody is there, ask and go on.
fn ask_passphrase(error: Error, keys: &mut Keys) -> anyhow::Result<()> {
    let missing = matches!(error, Error::Pipeline(pipeline::Error::NeedsPassphrase { .. }));
    if !missing || !std::io::stdin().is_terminal() {
        return Err(error.into());
    }
    let passphrase = rpassword::prompt_password("passphrase of the dump: ")?;
    keys.add_passphrase(SecretString::from(passphrase));
    Ok(())
}
