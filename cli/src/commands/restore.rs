//! `backstop restore`: bring a backup or a foreign dump into a database.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use backstop_policy::manifest::{self, Filters};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::json;

use super::Context;
use super::options::{self, EncryptionArgs, KeyArgs, SourceArgs, StoreArgs};
use crate::archive::{Choice, Halves, Selection};
use crate::backup::Job;
use crate::catalog::Catalog;
use crate::error::ExitStatus;
use crate::pipeline::{self, Keys};
use crate::postgres::target::Target;
use crate::restore::{self, Destination, Error, Hooks, Origin, Request};
use crate::settings::Settings;

/// Restore a backup or a dump: beside the source, elsewhere, or in place
///
/// Without a destination it goes into a new database beside the source, named
/// <database>_restored_<time>. The first error stops it, and a new database that
/// is not whole is dropped again. Afterwards the result is compared with the
/// snapshot that was dumped; exits with 1 when it differs.
#[derive(Debug, clap::Args)]
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
    /// Everything belongs to the role that restores
    #[arg(long)]
    no_owner: bool,
    /// Leave grants out
    #[arg(long)]
    no_privileges: bool,
    /// First make the roles of the backup that the server does not have,
    /// without passwords
    #[arg(long)]
    globals: bool,
    /// Print what is in it, and restore nothing
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
    let to = args.to.as_deref().map(target_of).transpose()?;
    if let Some(set_aside) = &args.undo {
        let target = to.map_or_else(|| context.database(&settings).map(|found| found.target), Ok)?;
        return undo(&target, set_aside, args.yes, context).await;
    }
    let mut keys = context.keys(&args.keys)?;
    if let Some(iterations) = args.openssl_iterations {
        keys.set_openssl_iterations(iterations);
    }
    let origin = origin(&args.what, &settings).await?;
    if let Origin::Backup { backup, .. } = &origin {
        options::warn_passed_over(backup, context.ui);
    }
    if args.list {
        return list(&origin, keys, context).await;
    }
    let mut request = request(args, to, origin, keys, &settings, context).await?;
    if request.1 {
        return plan(&mut request.0, context).await;
    }
    let request = &mut request.0;
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

/// The request, and whether it is only to be planned.
async fn request(
    args: Args,
    to: Option<Target>,
    origin: Origin,
    keys: Keys,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<(Request, bool)> {
    let source = match context.database(settings) {
        Ok(database) => Some(database.target),
        // With a destination of its own a restore needs no source.
        Err(_) if to.is_some() => None,
        Err(error) => return Err(error),
    };
    let name = settings.database_name().unwrap_or_else(|_| "unnamed".to_owned());
    let flags = flags(&args, context);
    let target = to.clone().or_else(|| source.clone()).ok_or(crate::settings::Error::NoDatabase)?;
    let safety =
        if args.in_place && !args.dry_run { Some(safety_job(settings, &name, &target).await?) } else { None };
    let destination = match (args.new_db, to) {
        _ if args.in_place => Destination::InPlace(target),
        (_, Some(to)) => Destination::Into(to),
        (new_db, None) => {
            let name = new_db
                .unwrap_or_else(|| restore::name_with(target.database(), "_restored_", Timestamp::now()));
            Destination::New { server: target, name }
        }
    };
    let choice = if args.table.is_empty() && args.schema.is_empty() {
        Choice::Everything
    } else {
        Choice::Some { schemas: args.schema, tables: args.table }
    };
    let halves = match (args.schema_only, args.data_only) {
        (true, _) => Halves::SchemaOnly,
        (_, true) => Halves::DataOnly,
        _ => Halves::Both,
    };
    let hooks = settings.config.hooks.as_ref();
    let request = Request {
        origin,
        keys,
        destination,
        source,
        database: name,
        selection: Selection { choice, halves, no_owner: args.no_owner, no_privileges: args.no_privileges },
        globals: args.globals,
        hooks: Hooks {
            before: hooks.and_then(|hooks| hooks.before_restore.as_ref()).map(|hook| hook.value.clone()),
            after: hooks.and_then(|hooks| hooks.after_restore.as_ref()).map(|hook| hook.value.clone()),
            directory: settings.path.as_deref().and_then(Path::parent).map(Path::to_owned),
        },
        safety,
        yes: args.yes,
        flags,
    };
    Ok((request, args.dry_run))
}

/// Everything that is there, into all configured stores.
async fn safety_job(settings: &Settings, name: &str, target: &Target) -> anyhow::Result<Job> {
    let stores = options::stores(settings, name, None).await.map_err(|error| match error
        .downcast::<crate::settings::Error>(
    ) {
        Ok(crate::settings::Error::NoStore) => Error::NoSafetyStore.into(),
        Ok(other) => other.into(),
        Err(other) => other,
    })?;
    Ok(Job {
        database: name.to_owned(),
        target: target.clone(),
        tier: "safety".to_owned(),
        content: manifest::Content::Full,
        filters: Filters::default(),
        globals: true,
        stores,
        encryption: options::encryption(settings)?,
        critical_tables: Vec::new(),
    })
}

/// What lies at a path is a file, what has a scheme is a URL; everything else is
/// looked for in the catalogue.
async fn origin(what: &str, settings: &Settings) -> anyhow::Result<Origin> {
    if what.starts_with("http://") || what.starts_with("https://") {
        let url = what.parse().map_err(|_| Error::Fetch {
            url: what.split('?').next().unwrap_or_default().to_owned(),
            reason: "it is no URL".to_owned(),
        })?;
        return Ok(Origin::Url(url));
    }
    let path = PathBuf::from(what);
    let looks_like_path = what.starts_with(['/', '.', '~']) || what.contains('.');
    if looks_like_path || path.exists() {
        return Ok(Origin::File(path));
    }
    let name = settings.database_name()?;
    let mut last = None;
    // The first store that has it; the others are there for when one is lost.
    for store in options::stores(settings, &name, None).await? {
        let catalog = Catalog::new(store, &name);
        match catalog.find(what).await {
            Ok(backup) => return Ok(Origin::Backup { catalog, backup: Box::new(backup) }),
            Err(error) => last = last.or(Some(error)),
        }
    }
    Err(last.map_or_else(|| crate::settings::Error::NoStore.into(), Into::into))
}

/// A URL of a flag, or the one in a variable that the flag names.
fn target_of(text: &str) -> anyhow::Result<Target> {
    let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
        return options::target_of_flag("--to", text);
    };
    let environment = crate::postgres::target::process_environment;
    let url = environment(name).filter(|value| !value.is_empty());
    let url = url.ok_or_else(|| anyhow::anyhow!("variable '{name}' of --to is not set"))?;
    Ok(Target::parse(&url, &environment)?)
}

/// Flags that the commands of a report need to reach the same database.
fn flags(args: &Args, context: &Context) -> String {
    let config = context.shared.config.as_ref().map(|path| path.display().to_string());
    let all = [("--config", config.as_ref()), ("--database", context.shared.database.as_ref())]
        .into_iter()
        .chain([("--url", args.source.url.as_ref()), ("--to", args.to.as_ref())])
        .chain(args.store.stores.iter().map(|store| ("--store", Some(store))));
    all.filter_map(|(flag, value)| Some(format!(" {flag} {}", restore::shell(value?)))).collect()
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
