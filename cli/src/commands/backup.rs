//! `backstop backup`: take one backup and say what came of it.

use backstop_policy::manifest::{self, Filters};

use super::Context;
use super::options::{self, EncryptionArgs, SourceArgs, StoreArgs};
use crate::archive::{self, Coding};
use crate::backup::{self, Job};
use crate::error::ExitStatus;
use crate::settings::MANUAL;
use crate::{github, report};

/// Take a backup: dump, encrypt, store, read back, commit
///
/// The dump, the row counts and the catalogue fingerprint come from one
/// snapshot. Nothing is written to a temporary file, and nothing counts as a
/// backup before the stored bytes were read again and compared.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    encryption: EncryptionArgs,
    /// Tier that the backup belongs to; a folder in the store
    #[arg(long, default_value = MANUAL, value_parser = options::tier)]
    tier: String,
    /// What to dump
    #[arg(long, value_enum, default_value_t)]
    content: Content,
    /// Only schemas that match, as in pg_dump (repeatable)
    #[arg(long, value_name = "PATTERN")]
    schema: Vec<String>,
    /// Only tables that match, as in pg_dump (repeatable)
    #[arg(long, value_name = "PATTERN")]
    table: Vec<String>,
    /// Leave out tables that match (repeatable)
    #[arg(long, value_name = "PATTERN")]
    exclude_table: Vec<String>,
    /// Leave out the rows of tables that match (repeatable)
    #[arg(long, value_name = "PATTERN")]
    exclude_table_data: Vec<String>,
    /// Leave roles and tablespaces out
    #[arg(long)]
    no_globals: bool,
    /// How to compress: zstd, gzip (both with a level, as zstd:3), or none; zstd:1
    /// from PostgreSQL 16 on, else gzip:6
    #[arg(long, value_name = "METHOD[:LEVEL]", value_parser = options::coding)]
    compress: Option<Coding>,
    /// Connections that copy rows; 1 leaves them to pg_dump [default: one more than
    /// there are processors, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Count rows and do not add them up: shows what the digests cost
    #[arg(long, hide = true)]
    no_digests: bool,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Content {
    /// Definitions and rows
    #[default]
    Full,
    /// Definitions without rows
    Schema,
    /// Rows without definitions
    Data,
}

pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitStatus> {
    let settings = context.settings(&args.source, &args.store, &args.encryption)?;
    let database = context.database(&settings)?;
    let given = |flags: Vec<String>, configured| if flags.is_empty() { configured } else { flags };
    let job = Job {
        stores: options::stores(&settings, &database.name, Some(&args.tier), &context.stop).await?,
        encryption: options::encryption(&settings)?,
        critical_tables: database.critical_tables,
        database: database.name,
        target: database.target,
        tier: args.tier,
        content: match args.content {
            Content::Full => manifest::Content::Full,
            Content::Schema => manifest::Content::Schema,
            Content::Data => manifest::Content::Data,
        },
        filters: Filters {
            schemas: given(args.schema, database.filters.schemas),
            tables: given(args.table, database.filters.tables),
            exclude_tables: given(args.exclude_table, database.filters.exclude_tables),
            exclude_table_data: given(args.exclude_table_data, database.filters.exclude_table_data),
        },
        globals: !args.no_globals,
        coding: args.compress,
        jobs: args.jobs.map_or_else(archive::default_jobs, usize::from),
        digests: !args.no_digests,
    };
    if job.encryption.record() == manifest::Encryption::None {
        let warning = "the backup is not encrypted: whoever reads the store reads the data";
        context.ui.warn(warning);
        github::annotate("warning", warning);
    }
    let manifest = backup::take(&job, context.ui, &context.stop).await?;
    let store = job.stores[0].url();
    context.ui.json(&manifest)?;
    context.ui.say(report::taken(&manifest, store).trim_end());
    let outputs = [
        ("backup-id", manifest.id.clone()),
        ("backup-sha256", manifest.artifact.stored.sha256.clone()),
        ("backup-bytes", manifest.artifact.stored.bytes.to_string()),
        ("level", manifest.checked.in_flight.to_string()),
    ];
    github::publish(&outputs, &manifest, &report::summary_of_backup(&manifest, store))?;
    Ok(ExitStatus::Clean)
}
