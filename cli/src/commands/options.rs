//! What several commands take alike: where the database is, where backups lie,
//! who can open them; and what each of it comes to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use secrecy::SecretString;

use super::Context;
use crate::catalog::Catalog;
use crate::pipeline::{Encryption, Keys};
use crate::postgres::target::{Target, process_environment};
use crate::store::{self, Store};

#[derive(Debug, clap::Args)]
pub struct SourceArgs {
    /// URL of the database, without a password [default: the configuration,
    /// DATABASE_URL, or PGHOST and its like]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct StoreArgs {
    /// Where backups lie: `file:///path` or `s3://bucket/prefix` (repeatable)
    /// [default: the configuration]
    #[arg(long = "store", value_name = "URL")]
    pub stores: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct EncryptionArgs {
    /// Public key that opens the backup: `age1...`, or a file with age
    /// recipients or an OpenPGP certificate (repeatable) [default: the configuration]
    #[arg(long = "recipient", value_name = "KEY")]
    pub recipients: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct KeyArgs {
    /// File with the private key, age or OpenPGP (repeatable); BACKSTOP_IDENTITY
    /// may hold the key itself, BACKSTOP_PASSPHRASE a passphrase
    #[arg(long = "identity", short, value_name = "FILE")]
    pub identities: Vec<PathBuf>,
}

/// A database that a command works on.
pub struct Database {
    pub name: String,
    pub target: Target,
    pub critical_tables: Vec<String>,
}

/// What the configuration says of a database that need not be reachable.
#[derive(Default)]
pub struct Known {
    pub critical_tables: Vec<String>,
    pub checks: Option<PathBuf>,
}

impl Context {
    pub fn database(&self, args: &SourceArgs) -> anyhow::Result<Database> {
        let conninfo = args.url.clone().or_else(|| std::env::var("DATABASE_URL").ok());
        let target = match conninfo {
            Some(url) => Target::parse(&url, &process_environment)?,
            None => Target::from_environment(&process_environment)?,
        };
        let name = self.shared.database.clone().unwrap_or_else(|| target.database().to_owned());
        Ok(Database { name: name_of(&name), target, critical_tables: Vec::new() })
    }

    pub async fn stores(&self, args: &StoreArgs, _tier: Option<&str>) -> anyhow::Result<Vec<Arc<dyn Store>>> {
        let mut stores = Vec::new();
        for url in &args.stores {
            stores.push(store::connect(&store::Location { url: url.clone(), ..Default::default() }).await?);
        }
        if stores.is_empty() {
            bail!("no store is named");
        }
        Ok(stores)
    }

    pub async fn catalog(&self, args: &StoreArgs) -> anyhow::Result<Catalog> {
        let stores = self.stores(args, None).await?;
        let name = self.database(&SourceArgs { url: None })?.name;
        Ok(Catalog::new(stores[0].clone(), &name))
    }

    pub fn known_database(&self, _name: &str) -> Known {
        Known::default()
    }

    pub fn target_of_url(&self) -> impl Fn(&str) -> anyhow::Result<Target> {
        |url| Ok(Target::parse(url, &process_environment)?)
    }

    pub fn encryption(&self, args: &EncryptionArgs) -> anyhow::Result<Encryption> {
        if args.recipients.is_empty() {
            return Ok(Encryption::None);
        }
        Ok(Encryption::from_recipients(&args.recipients)?)
    }

    pub fn keys(&self, args: &KeyArgs) -> anyhow::Result<Keys> {
        let mut keys = Keys::default();
        if let Ok(passphrase) = std::env::var("BACKSTOP_PASSPHRASE") {
            keys.add_passphrase(SecretString::from(passphrase));
        }
        if let Ok(identity) = std::env::var("BACKSTOP_IDENTITY") {
            keys.add_identity("BACKSTOP_IDENTITY", identity.as_bytes())?;
        }
        for path in &args.identities {
            keys.add_identity_file(path)?;
        }
        Ok(keys)
    }
}

fn name_of(name: &str) -> String {
    name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// A name that is a folder in the store.
pub fn name(what: &str, text: String) -> anyhow::Result<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if text.is_empty() || text == "catalog" || text == "audit" || !text.chars().all(fits) {
        bail!("'{text}' is no name for a {what}: use lower-case letters, digits, '-' and '_'");
    }
    Ok(text)
}

/// `15m`, `2 hours`, `7 days`.
pub fn period(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|_| "write it like `15m` or `2h`".to_owned())?;
    Duration::try_from(span).map_err(|_| "must not be negative".to_owned())
}
