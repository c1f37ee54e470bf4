//! The commands: one file each, with its arguments and its `run`. Only here are
//! rooms put together.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

use crate::error::ExitStatus;
use crate::ui::{Format, Ui};

mod backup;
mod completions;
mod config;
mod demo;
mod doctor;
mod explain;
pub mod failure;
mod get;
mod init;
mod key;
mod lint;
mod list;
mod options;
mod restore;
mod show;
mod verify;

/// Every migration has a way back: PostgreSQL backups that have proved that
/// they restore.
#[derive(Debug, Parser)]
#[command(name = "backstop", version, disable_help_subcommand = true, max_term_width = 100, after_help = START)]
pub struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// Whether a server sends it rows.
    #[must_use]
    pub const fn takes_rows(&self) -> bool {
        matches!(self.command, Command::Backup(_))
    }
}

const SHARED: &str = "Options of every command";

const START: &str = "\
Start with `backstop demo`, which needs nothing of yours. For your own database:
`backstop init`, `backstop doctor`, `backstop backup`, `backstop verify`.

Exit status: 0 all is well, 1 what was checked is bad, 2 it could not be done.";

/// Flags that every command takes.
#[derive(Debug, clap::Args)]
pub struct Shared {
    /// Configuration file [default: backstop.yml, where there is one]
    #[arg(long, global = true, help_heading = SHARED, value_name = "FILE", env = "BACKSTOP_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Database, by its name in the configuration [default: the only one]
    #[arg(long, global = true, help_heading = SHARED, value_name = "NAME")]
    pub database: Option<String>,
    /// How the result is printed
    #[arg(long, id = "format", value_name = "FORMAT", global = true, help_heading = SHARED, default_value = "text", value_parser = PossibleValuesParser::new(["text", "json"]).try_map(|name| name.parse::<Format>()))]
    pub format: Format,
    /// Print only results, warnings and errors
    #[arg(long, short, global = true, help_heading = SHARED)]
    pub quiet: bool,
    /// Print no progress
    #[arg(long, global = true, help_heading = SHARED)]
    pub no_progress: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Init(init::Args),
    Doctor(doctor::Args),
    Backup(backup::Args),
    List(list::Args),
    Show(show::Args),
    Get(get::Args),
    Verify(verify::Args),
    Restore(restore::Args),
    Lint(lint::Args),
    Explain(explain::Args),
    Key(key::Args),
    Config(config::Args),
    Completions(completions::Args),
}

/// What every command is given.
pub struct Context {
    pub shared: Shared,
    pub ui: Ui,
    /// Cancelled by SIGINT and SIGTERM; streams end in an error then, and
    /// everything is cleaned up on the ordinary failure path.
    pub stop: CancellationToken,
}

pub async fn run(cli: Cli, stop: CancellationToken) -> anyhow::Result<ExitStatus> {
    let shared = cli.shared;
    let ui = Ui { format: shared.format, quiet: shared.quiet, no_progress: shared.no_progress };
    let context = Context { shared, ui, stop };
    match cli.command {
        Command::Demo(args) => demo::run(args, &context).await,
        Command::Init(args) => init::run(&args, &context),
        Command::Doctor(args) => doctor::run(args, &context).await,
        Command::Backup(args) => backup::run(args, &context).await,
        Command::List(args) => list::run(args, &context).await,
        Command::Show(args) => show::run(args, &context).await,
        Command::Get(args) => get::run(args, &context).await,
        Command::Verify(args) => verify::run(args, &context).await,
        Command::Restore(args) => restore::run(args, &context).await,
        Command::Lint(args) => lint::run(&args, &context),
        Command::Explain(args) => explain::run(&args, &context),
        Command::Key(args) => key::run(&args, &context),
        Command::Config(args) => config::run(&args, &context),
        Command::Completions(args) => completions::run(&args),
    }
}
