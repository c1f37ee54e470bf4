//! `backstop init`: a commented backstop.yml that fits the project it is in.

use std::io::Write;

use anyhow::{Context as _, bail};
use backstop_policy::config::{self, FILE_NAMES, RecipientKind};
use serde_json::json;

use super::Context;
use crate::error::ExitStatus;
use crate::settings::{Overrides, Settings, process_environment};
use crate::{detect, scaffold};

/// Write a commented backstop.yml for the project in this directory
///
/// Looks for the database's URL in the environment and in .env files (only its
/// provider is used, the URL is never copied), and for Drizzle, Prisma and
/// Supabase folders.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write over a configuration that is there
    #[arg(long)]
    force: bool,
    /// Print the configuration and write nothing
    #[arg(long, conflicts_with = "force")]
    stdout: bool,
    /// Public key that opens the backups: `age1...`, or a file with an OpenPGP
    /// certificate (repeatable)
    #[arg(long, value_name = "KEY")]
    recipient: Vec<String>,
    /// Where backups are kept, `s3://bucket/prefix` or `file:///path`
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitStatus> {
    let ui = context.ui;
    let directory = std::env::current_dir().context("cannot tell the working directory")?;
    // Judges the flags as every other command does: no secret, no broken name.
    let flags = Overrides {
        database: context.shared.database.clone(),
        stores: args.store.iter().cloned().collect(),
        recipients: args.recipient.clone(),
        ..Overrides::default()
    };
    Settings::judge_flags(&flags)?;
    for recipient in &args.recipient {
        if let Err(why) = RecipientKind::of(recipient) {
            bail!("--recipient '{recipient}' cannot be used: {why}");
        }
    }

    let given = context.shared.config.as_ref().map(|path| directory.join(path));
    let path = given.clone().unwrap_or_else(|| directory.join(FILE_NAMES[0]));
    let present = FILE_NAMES.into_iter().map(|name| directory.join(name));
    let present =
        std::iter::once(path.clone()).chain(present.filter(|_| given.is_none())).find(|at| at.exists());
    if let Some(present) = present.filter(|_| !args.stdout && !args.force) {
        bail!("'{}' is there already; --force writes over it, --stdout only prints", present.display());
    }

    let project = detect::detect(&directory, &*process_environment());
    let text = scaffold::scaffold(&scaffold::Request {
        project: &project,
        database: flags.database.unwrap_or_else(|| {
            config::clean_name(&directory.file_name().unwrap_or_default().to_string_lossy())
        }),
        recipients: &args.recipient,
        store: args.store.as_deref(),
    });
    let parsed = config::parse(FILE_NAMES[0], &text);
    if parsed.config.is_none() {
        bail!(
            "what was given makes no configuration:\n{}",
            backstop_policy::finding::render(&parsed.findings, &text)
        );
    }

    if args.stdout {
        std::io::stdout().write_all(text.as_bytes())?;
        return Ok(ExitStatus::Clean);
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    // Without --force, a file that appeared meanwhile is not written over either.
    options.create_new(!args.force);
    let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write '{}'", path.display()))?;

    let found = project.describe();
    for line in &found {
        ui.say(format!("found    {line}"));
    }
    ui.say(format!("wrote    {}", path.display()));
    let next = scaffold::next_steps(&project, !args.recipient.is_empty());
    for (number, step) in next.iter().enumerate() {
        ui.say(format!("{} {step}", if number == 0 { "next    " } else { "        " }));
    }
    ui.json(&json!({ "path": path, "found": found, "next": next }))?;
    Ok(ExitStatus::Clean)
}
