//! What several commands take alike: where the database is, where backups lie,
//! who can open them; and what each of it comes to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backstop_policy::config::{self, Method};
use backstop_policy::manifest::Filters;
use backstop_policy::secrets;
use backstop_policy::units::Period;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::archive::{self, Coding};
use crate::catalog::keys::{self, Record};
use crate::catalog::{Backup, Catalog};
use crate::github;
use crate::pipeline::{Encryption, Keys};
use crate::postgres;
use crate::postgres::target::{Parts, Target, process_environment};
use crate::settings::{ConnectionSource, Overrides, Settings, StoreSettings};
use crate::store::{self, Store};
use crate::ui::Ui;

#[derive(Debug, Default, clap::Args)]
pub struct SourceArgs {
    /// URL of the database, without its password, which PGPASSWORD or a password
    /// file holds [default: the configuration, DATABASE_URL, or the PG* variables]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

#[derive(Debug, Default, clap::Args)]
pub struct StoreArgs {
    /// Where backups lie: a store of the configuration, `file:///path` or
    /// `s3://bucket/prefix` (repeatable) [default: the configuration]
    #[arg(long = "store", value_name = "STORE")]
    pub stores: Vec<String>,
}

#[derive(Debug, Default, clap::Args)]
pub struct EncryptionArgs {
    /// Public key that opens the backup: `age1...`, or a file with an OpenPGP
    /// certificate (repeatable) [default: the configuration]
    #[arg(long = "recipient", value_name = "KEY")]
    pub recipients: Vec<String>,
}

#[derive(Debug, Default, clap::Args)]
pub struct KeyArgs {
    /// File with the private key, age or OpenPGP (repeatable); BACKSTOP_IDENTITY
    /// may hold the key itself, BACKSTOP_PASSPHRASE a passphrase
    #[arg(long = "identity", short, value_name = "FILE")]
    pub identities: Vec<PathBuf>,
}

#[derive(Debug, Default, clap::Args)]
pub struct JobsArgs {
    /// Connections to work over at a time; with fewer where the server gives no
    /// more [default: one more than cores, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
}

impl JobsArgs {
    pub fn count(&self) -> usize {
        self.jobs.map_or_else(archive::default_jobs, usize::from)
    }
}

/// A database that a command works on.
pub struct Database {
    /// Its first folder in a store.
    pub name: String,
    pub target: Target,
    pub critical_tables: Vec<String>,
    /// SQL assertions for a trial restore.
    pub checks: Option<PathBuf>,
    pub filters: Filters,
}

impl Context {
    pub fn settings(
        &self,
        source: &SourceArgs,
        store: &StoreArgs,
        encryption: &EncryptionArgs,
    ) -> anyhow::Result<Settings> {
        Ok(Settings::load(Overrides {
            config: self.shared.config.clone(),
            database: self.shared.database.clone(),
            url: source.url.clone(),
            stores: store.stores.clone(),
            recipients: encryption.recipients.clone(),
        })?)
    }

    /// For commands that only look into the store: the database need not be
    /// reachable, nor its secrets at hand.
    pub async fn catalog(&self, store: &StoreArgs) -> anyhow::Result<(Settings, Catalog)> {
        let settings = self.settings(&SourceArgs::default(), store, &EncryptionArgs::default())?;
        let name = settings.database_name()?;
        let stores = stores(&settings, &name, None, &self.stop).await?;
        Ok((settings, Catalog::new(stores[0].clone(), &name)))
    }

    /// The database, with whatever there is to warn of on the way to it.
    pub fn database(&self, settings: &Settings) -> anyhow::Result<Database> {
        let found = settings.database()?;
        let target = target(&found.source)?;
        for warning in target.warnings() {
            self.ui.warn(warning);
        }
        Ok(Database {
            name: found.name,
            target,
            critical_tables: found.critical_tables,
            checks: found.checks,
            filters: found.filters,
        })
    }

    pub fn keys(&self, args: &KeyArgs) -> anyhow::Result<Keys> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut keys = Keys::default();
        if let Some(passphrase) = set("BACKSTOP_PASSPHRASE") {
            keys.add_passphrase(SecretString::from(passphrase));
        }
        if let Some(identity) = set("BACKSTOP_IDENTITY") {
            keys.add_identity("BACKSTOP_IDENTITY", identity.as_bytes())?;
        }
        for path in &args.identities {
            keys.add_identity_file(path)?;
        }
        Ok(keys)
    }
}

/// Say that a `latest` backup is not the newest that was taken.
pub fn warn_passed_over(backup: &Backup, ui: Ui) {
    for broken in &backup.passed_over {
        let taken = &backup.manifest.id;
        let newer = match keys::record(&backup.manifest.database, &broken.key) {
            Some(Record::Manifest { id, .. }) if keys::second(id) == keys::second(taken) => "may be newer",
            _ => "is newer",
        };
        ui.warn(format!("'{}' {newer}, but cannot be read: {}; {taken} is taken", broken.key, broken.reason));
    }
}

/// A URL or connection string that a flag gives. A password in it is refused,
/// since every user of the machine sees it in the list of processes.
pub fn target_of_flag(flag: &'static str, text: &str) -> anyhow::Result<Target> {
    if holds_password(text) {
        return Err(crate::settings::Error::SecretInFlag { flag }.into());
    }
    Ok(Target::parse(text, &process_environment)?)
}

/// Whether an argument is a URL or a connection string with a password in it.
pub fn holds_password(argument: &str) -> bool {
    secrets::password_in_url(argument).is_some() || secrets::password_in_conninfo(argument).is_some()
}

/// Secrets that the job's runner may know only as a part of something longer.
fn mask(source: &ConnectionSource) {
    use secrecy::ExposeSecret;
    match source {
        ConnectionSource::Url(url) => github::mask_url(url.expose_secret()),
        ConnectionSource::Parts { password: Some(password), .. }
        | ConnectionSource::Supabase { password, .. } => github::mask(password.expose_secret()),
        ConnectionSource::Parts { .. } | ConnectionSource::LibpqEnvironment => {}
    }
}

/// The connection parameters of a source.
pub fn target(source: &ConnectionSource) -> Result<Target, postgres::Error> {
    use secrecy::ExposeSecret;
    mask(source);
    Ok(match source {
        ConnectionSource::Url(url) => Target::parse(url.expose_secret(), &process_environment)?,
        ConnectionSource::Parts { host, port, user, password, dbname, sslmode, sslrootcert } => {
            let parts = Parts {
                host: host.clone(),
                port: *port,
                user: user.clone(),
                password: password.clone(),
                database: dbname.clone(),
                sslmode: sslmode.clone(),
                sslrootcert: sslrootcert.clone(),
            };
            Target::from_parts(&parts, &process_environment)?
        }
        ConnectionSource::Supabase { project_ref, password, pooler } => {
            Target::supabase(project_ref, password.clone(), pooler.as_deref())
        }
        ConnectionSource::LibpqEnvironment => Target::from_environment(&process_environment)?,
    })
}

/// The stores that a tier writes to; without one, all that are configured.
pub async fn stores(
    settings: &Settings,
    database: &str,
    tier: Option<&str>,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<Arc<dyn Store>>> {
    let mut stores = Vec::new();
    for found in settings.stores(database, tier)? {
        stores.push(store::connect_until(&location(found), stop).await?);
    }
    Ok(stores)
}

fn location(found: StoreSettings) -> store::Location {
    store::Location {
        url: found.url,
        region: found.region,
        endpoint: found.endpoint,
        path_style: found.path_style,
        sse: found.sse.map(|sse| sse.as_str().to_owned()),
        sse_kms_key_id: found.sse_kms_key_id,
        profile: found.profile,
    }
}

/// Who can open a new backup. `Encryption::None` only where nothing is configured.
pub fn encryption(settings: &Settings) -> anyhow::Result<Encryption> {
    let found = settings.encryption()?;
    Ok(match (found.method, found.passphrase) {
        (Some(Method::None), _) => Encryption::None,
        (Some(Method::Openpgp), Some(passphrase)) => Encryption::OpenpgpPassphrase(passphrase),
        (_, Some(passphrase)) => Encryption::AgePassphrase(passphrase),
        (_, None) => Encryption::from_recipients(&found.recipients)?,
    })
}

/// A name that is a folder in the store.
pub fn tier(text: &str) -> Result<String, String> {
    if config::is_name(text) && !matches!(text, "catalog" | "audit") {
        Ok(text.to_owned())
    } else {
        Err("use lower-case letters, digits, '-' and '_'".to_owned())
    }
}

/// `zstd`, `zstd:3`, `gzip:9`, `none`.
pub fn coding(text: &str) -> Result<Coding, String> {
    let (method, level) = match text.split_once(':') {
        None => (text, None),
        Some((method, level)) => {
            let level: i32 = level.parse().map_err(|_| format!("'{level}' is no level"))?;
            (method, Some(level))
        }
    };
    match (method, level) {
        ("none", None) => Ok(Coding::None),
        ("gzip", None) => Ok(Coding::Gzip(6)),
        ("gzip", Some(level @ 1..=9)) => Ok(Coding::Gzip(level.unsigned_abs())),
        ("gzip", _) => Err("gzip has levels 1 to 9".to_owned()),
        ("zstd", None) => Ok(Coding::Zstd(1)),
        ("zstd", Some(level @ 1..=22)) => Ok(Coding::Zstd(level)),
        ("zstd", _) => Err("zstd has levels 1 to 22".to_owned()),
        _ => Err("write zstd, gzip or none, the first two perhaps with a level, as zstd:3".to_owned()),
    }
}

/// `15m`, `2 hours`, `7 days`.
pub fn period(text: &str) -> Result<Duration, String> {
    // A day has 24 hours here, which jiff leaves open.
    if let Ok(period) = Period::parse(text) {
        return Ok(Duration::from_secs(period.nominal_seconds()));
    }
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| "write it like `15m`, `2h` or `7d`".to_owned())?;
    Duration::try_from(span).map_err(|_| "must not be negative".to_owned())
}
