//! `backstop config check|schema`: what is wrong with the configuration, and
//! what may be in one.

use anyhow::bail;
use backstop_policy::config;
use backstop_policy::finding::{Lines, Severity, render};
use serde_json::json;

use super::Context;
use crate::error::ExitStatus;
use crate::settings::{Document, process_environment};

/// Check the configuration, or print its JSON Schema
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print every problem of the configuration; exit status 1 if one is an error
    Check,
    /// Print the JSON Schema (draft 2020-12) of backstop.yml
    Schema,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitStatus> {
    match args.action {
        Action::Check => check(context),
        Action::Schema => {
            let schema = serde_json::to_string_pretty(&config::schema())? + "\n";
            std::io::Write::write_all(&mut std::io::stdout(), schema.as_bytes())?;
            Ok(ExitStatus::Clean)
        }
    }
}

fn check(context: &Context) -> anyhow::Result<ExitStatus> {
    let directory = std::env::current_dir()?;
    let Some(document) = Document::open(context.shared.config.as_deref(), &directory)? else {
        bail!("no {} here; write one with `backstop init`", config::FILE_NAMES[0]);
    };
    let parsed = document.judge();
    let notes = config::unset_variables(&document.shown, &parsed, &*process_environment());
    let mut findings = parsed.findings;
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    findings.extend(notes);
    findings.sort_by_key(|finding| finding.span.start);

    let lines = Lines::new(&document.text);
    let located: Vec<_> = findings.iter().map(|finding| finding.located(&lines)).collect();
    context.ui.json(&json!({ "path": document.shown, "errors": errors, "findings": located }))?;
    if !findings.is_empty() {
        context.ui.say(render(&findings, &document.text).trim_end());
    }
    match errors {
        0 => context.ui.note(format!("{}: no errors", document.shown)),
        1 => context.ui.note(format!("{}: 1 error", document.shown)),
        _ => context.ui.note(format!("{}: {errors} errors", document.shown)),
    }
    Ok(if errors == 0 { ExitStatus::Clean } else { ExitStatus::Bad })
}
