//! What the flags of `backstop restore` ask for: a request with its origin, its
//! destination and the safety backup.

use std::path::{Path, PathBuf};

use backstop_policy::manifest::{self, Filters};
use jiff::Timestamp;

use super::Args;
use crate::archive::{self, Choice, Halves, Selection};
use crate::backup::Job;
use crate::catalog::{Catalog, keys};
use crate::commands::{Context, options};
use crate::pipeline::Keys;
use crate::postgres::target::Target;
use crate::restore::{self, Destination, Error, Hooks, Origin, Request};
use crate::settings::{ConnectionSource, Settings};

/// What to restore, where to, and how.
pub async fn request(
    args: Args,
    to: Option<Target>,
    origin: Origin,
    keys: Keys,
    settings: &Settings,
    context: &Context,
) -> anyhow::Result<Request> {
    let source = match context.database(settings) {
        Ok(database) => Some(database.target),
        // With a destination of its own a restore needs no source.
        Err(_) if to.is_some() => None,
        Err(error) => return Err(error),
    };
    let name = settings.database_name().unwrap_or_else(|_| "unnamed".to_owned());
    let flags = flags(&args, context);
    let target = to.clone().or_else(|| source.clone()).ok_or(crate::settings::Error::NoDatabase)?;
    let safety = if args.in_place && !args.dry_run {
        Some(safety_job(settings, &name, &target, context).await?)
    } else {
        None
    };
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
    Ok(Request {
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
        jobs: args.jobs.count(),
        yes: args.yes,
        flags,
    })
}

/// Everything that is there, into all configured stores.
async fn safety_job(
    settings: &Settings,
    name: &str,
    target: &Target,
    context: &Context,
) -> anyhow::Result<Job> {
    let stores = options::stores(settings, name, None, &context.stop).await.map_err(|error| {
        match error.downcast::<crate::settings::Error>() {
            Ok(crate::settings::Error::NoStore) => Error::NoSafetyStore.into(),
            Ok(other) => other.into(),
            Err(other) => other,
        }
    })?;
    Ok(Job {
        database: name.to_owned(),
        target: target.clone(),
        tier: keys::SAFETY.to_owned(),
        content: manifest::Content::Full,
        filters: Filters::default(),
        globals: true,
        stores,
        encryption: options::encryption(settings)?,
        critical_tables: Vec::new(),
        coding: None,
        jobs: archive::default_jobs(),
        digests: true,
    })
}

/// What lies at a path is a file, what has a scheme is a URL; everything else is
/// looked for in the catalogue.
pub async fn origin(what: &str, settings: &Settings, context: &Context) -> anyhow::Result<Origin> {
    if options::holds_password(what) {
        return Err(Error::SecretInArgument.into());
    }
    if what.starts_with("http://") || what.starts_with("https://") {
        // Nothing of it is quoted: what cannot be read may hold a secret anywhere.
        return Ok(Origin::Url(what.parse().map_err(Error::BadUrl)?));
    }
    let path = PathBuf::from(what);
    let looks_like_path = what.starts_with(['/', '.', '~']) || what.contains('.');
    if looks_like_path || path.exists() {
        return Ok(Origin::File(path));
    }
    let name = settings.database_name()?;
    let mut last = None;
    // The first store that has it; the others are there for when one is lost.
    for store in options::stores(settings, &name, None, &context.stop).await? {
        let catalog = Catalog::new(store, &name);
        match catalog.find(what).await {
            Ok(backup) => return Ok(Origin::Backup { catalog, backup: Box::new(backup) }),
            Err(error) => last = last.or(Some(error)),
        }
    }
    Err(last.map_or_else(|| crate::settings::Error::NoStore.into(), Into::into))
}

/// A URL of a flag, or the one in a variable that the flag names.
pub fn target_of(text: &str) -> anyhow::Result<Target> {
    let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
        return options::target_of_flag("--to", text);
    };
    let environment = crate::postgres::target::process_environment;
    let url = environment(name).filter(|value| !value.is_empty());
    let url = url.ok_or_else(|| anyhow::anyhow!("variable '{name}' of --to is not set"))?;
    Ok(options::target(&ConnectionSource::Url(url.into()))?)
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
