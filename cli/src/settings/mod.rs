//! What a command works with: flags, environment and `backstop.yml`, put
//! together once.
//!
//! Loading reads and judges the whole file. A variable is resolved when the
//! database, store or key that it belongs to is asked for, so a job needs only
//! the secrets of what it touches.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backstop_policy::config::{self, Config, Database, Method, Recipient, RecipientKind, Template, Tier};
use backstop_policy::manifest::Filters;
use backstop_policy::secrets;
use secrecy::{ExposeSecret, SecretString};

mod error;
mod file;
mod source;

pub use error::Error;
pub use file::{Document, find};
pub use source::ConnectionSource;

/// The tier of a backup that names none.
pub const MANUAL: &str = "manual";

/// The environment, or what stands for it in a test.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The environment of this process; a value that is no Unicode counts as unset.
pub fn process_environment() -> Environment {
    Arc::new(|name| std::env::var(name).ok())
}

/// What flags say in place of the file and the environment.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--database`
    pub database: Option<String>,
    /// `--url`; a password in it is refused.
    pub url: Option<String>,
    /// `--store`: URLs, or names of stores in the file.
    pub stores: Vec<String>,
    /// `--recipient`
    pub recipients: Vec<String>,
}

pub struct Settings {
    /// The file, where there is one.
    pub path: Option<PathBuf>,
    /// What it says: tiers, verify, hooks, objectives and alerts are used as
    /// they are; databases, stores and encryption through the methods here.
    pub config: Config,
    document: Option<Document>,
    /// What relative paths count from: the file's folder.
    root: PathBuf,
    /// What relative paths in flags count from.
    directory: PathBuf,
    overrides: Overrides,
    env: Environment,
}

/// One database, ready to connect to.
#[derive(Debug)]
pub struct DatabaseSettings {
    /// Its first folder in a store.
    pub name: String,
    pub source: ConnectionSource,
    pub critical_tables: Vec<String>,
    /// SQL file with assertions for a trial restore.
    pub checks: Option<PathBuf>,
    pub filters: Filters,
}

/// What a backup of a database is held against.
#[derive(Debug, Default)]
pub struct Expectations {
    pub critical_tables: Vec<String>,
    /// SQL file with assertions for a trial restore.
    pub checks: Option<PathBuf>,
}

/// One store, ready to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Its name in the file, or its URL where it comes from a flag.
    pub name: String,
    /// `file:///…` or `s3://…`, checked, without credentials.
    pub url: String,
    pub region: Option<String>,
    pub endpoint: Option<String>,
    pub path_style: Option<bool>,
    pub sse: Option<config::Sse>,
    pub sse_kms_key_id: Option<String>,
    pub profile: Option<String>,
}

/// Who can open a backup. All of it empty: backups are not encrypted.
#[derive(Debug, Default)]
pub struct EncryptionSettings {
    /// `age1…`, armored OpenPGP text, or the absolute path of a certificate
    /// file; all of one kind.
    pub recipients: Vec<String>,
    pub passphrase: Option<SecretString>,
    /// What the file says; follows from the recipients where it says nothing.
    pub method: Option<Method>,
}

impl Settings {
    /// Read the file that the flags name or that lies here, if there is one.
    pub fn load(overrides: Overrides) -> Result<Self, Error> {
        let directory = std::env::current_dir().map_err(|source| Error::NoDirectory { source })?;
        Self::load_in(overrides, &directory, process_environment())
    }

    /// The same from a given directory and environment.
    pub fn load_in(overrides: Overrides, directory: &Path, env: Environment) -> Result<Self, Error> {
        Self::judge_flags(&overrides)?;
        let document = Document::open(overrides.config.as_deref(), directory)?;
        let (config, root, path) = match &document {
            Some(document) => (document.parse()?, document.folder(), Some(document.path.clone())),
            None => (Config::default(), directory.to_owned(), None),
        };
        Ok(Self { path, config, document, root, directory: directory.to_owned(), overrides, env })
    }

    /// What is wrong with flags whatever the file says: a secret, which others
    /// could read from the list of processes, or a name that can be no folder.
    pub fn judge_flags(overrides: &Overrides) -> Result<(), Error> {
        for (flag, values) in [
            ("--url", overrides.url.as_slice()),
            ("--store", overrides.stores.as_slice()),
            ("--recipient", overrides.recipients.as_slice()),
        ] {
            if values.iter().any(|value| holds_secret(value)) {
                return Err(Error::SecretInFlag { flag });
            }
        }
        if let Some(name) = overrides.database.as_deref().filter(|name| !config::is_name(name)) {
            return Err(Error::BadName { name: name.to_owned() });
        }
        Ok(())
    }

    /// The name of the chosen database: the flag's, the file's only one, or
    /// what the connection calls it.
    pub fn database_name(&self) -> Result<String, Error> {
        let names: Vec<&String> = self.config.databases.keys().collect();
        match (&self.overrides.database, names.as_slice()) {
            (Some(name), []) => Ok(name.clone()),
            (Some(name), _) if self.overrides.url.is_some() || names.contains(&name) => Ok(name.clone()),
            (Some(name), _) => Err(Error::UnknownDatabase {
                name: name.clone(),
                known: names.into_iter().cloned().collect(),
            }),
            // A URL may name any database: never file it under another's name.
            (None, _) if self.overrides.url.is_some() => {
                Ok(source::name_of(&source::environment(&self.overrides, &self.env)?, &self.env))
            }
            (None, [name]) => Ok((*name).clone()),
            (None, []) => Ok(source::name_of(&source::environment(&self.overrides, &self.env)?, &self.env)),
            (None, _) => Err(Error::SeveralDatabases { known: names.into_iter().cloned().collect() }),
        }
    }

    /// The chosen database, with its secrets resolved.
    pub fn database(&self) -> Result<DatabaseSettings, Error> {
        let name = self.database_name()?;
        let entry = self.config.databases.get(&name).map(|entry| &entry.value);
        let source = match entry {
            Some(entry) if self.overrides.url.is_none() && !entry.is_from_environment() => {
                self.source_of(entry)?
            }
            _ => source::environment(&self.overrides, &self.env)?,
        };
        let Expectations { critical_tables, checks } = self.expectations(&name)?;
        let filters = entry.map(|entry| Filters {
            schemas: texts(&entry.schemas),
            tables: texts(&entry.tables),
            exclude_tables: texts(&entry.exclude_tables),
            exclude_table_data: texts(&entry.exclude_table_data),
        });
        Ok(DatabaseSettings { name, source, critical_tables, checks, filters: filters.unwrap_or_default() })
    }

    /// What a backup of a database is held against; needs none of its secrets.
    pub fn expectations(&self, database: &str) -> Result<Expectations, Error> {
        let entry = self.config.databases.get(database).map(|entry| &entry.value);
        let checks = entry.and_then(|entry| entry.checks.as_ref());
        Ok(Expectations {
            critical_tables: entry.map(|entry| texts(&entry.critical_tables)).unwrap_or_default(),
            checks: checks.map(|checks| self.path_of(checks)).transpose()?,
        })
    }

    /// A tier as it holds for a database. Without a file any name is a tier of
    /// which nothing is said.
    pub fn tier(&self, database: &str, tier: &str) -> Result<Option<Tier>, Error> {
        match self.config.tier(database, tier) {
            // A backup by hand needs no line in the file.
            None if !self.config.tiers.is_empty() && tier != MANUAL => Err(Error::UnknownTier {
                name: tier.to_owned(),
                known: self.config.tiers.keys().cloned().collect(),
            }),
            found => Ok(found),
        }
    }

    /// The stores that a tier of a database writes to; those of the flags in
    /// place of them; all of the file's where neither names any.
    pub fn stores(&self, database: &str, tier: Option<&str>) -> Result<Vec<StoreSettings>, Error> {
        let tier = tier.map(|tier| self.tier(database, tier)).transpose()?.flatten();
        let of_tier = tier.map(|tier| tier.stores).unwrap_or_default();
        let stores: Vec<StoreSettings> = if !self.overrides.stores.is_empty() {
            self.overrides.stores.iter().map(|store| self.store_of_flag(store)).collect::<Result<_, _>>()?
        } else if of_tier.is_empty() {
            self.config.stores.keys().map(|name| self.store(name)).collect::<Result<_, _>>()?
        } else {
            of_tier.iter().map(|name| self.store(&name.0)).collect::<Result<_, _>>()?
        };
        if stores.is_empty() { Err(Error::NoStore) } else { Ok(stores) }
    }

    /// One store of the file.
    pub fn store(&self, name: &str) -> Result<StoreSettings, Error> {
        let Some(entry) = self.config.stores.get(name) else {
            return Err(Error::UnknownStore {
                name: name.to_owned(),
                known: self.config.stores.keys().cloned().collect(),
            });
        };
        let url = self.text(&entry.url.0)?;
        check_store(name, &url)?;
        Ok(StoreSettings {
            name: name.to_owned(),
            url,
            region: self.optional(entry.region.as_ref())?,
            endpoint: self.optional(entry.endpoint.as_ref())?,
            path_style: entry.path_style,
            sse: entry.sse,
            sse_kms_key_id: self.optional(entry.sse_kms_key_id.as_ref())?,
            profile: self.optional(entry.profile.as_ref())?,
        })
    }

    fn store_of_flag(&self, store: &str) -> Result<StoreSettings, Error> {
        if !store.contains("://") {
            return self.store(store);
        }
        check_store("--store", store)?;
        Ok(StoreSettings {
            name: store.to_owned(),
            url: store.to_owned(),
            region: None,
            endpoint: None,
            path_style: None,
            sse: None,
            sse_kms_key_id: None,
            profile: None,
        })
    }

    /// Who can open a backup: the flags' recipients in place of what the file
    /// says; without either, the passphrase in `BACKSTOP_PASSPHRASE`.
    pub fn encryption(&self) -> Result<EncryptionSettings, Error> {
        if !self.overrides.recipients.is_empty() {
            let recipients = self.overrides.recipients.iter();
            let recipients =
                recipients.map(|text| recipient(text, &self.directory)).collect::<Result<_, _>>()?;
            return Ok(EncryptionSettings { recipients, ..EncryptionSettings::default() });
        }
        let Some(entry) = &self.config.encryption else {
            let passphrase = (self.env)("BACKSTOP_PASSPHRASE").filter(|text| !text.is_empty());
            let passphrase = passphrase.map(SecretString::from);
            return Ok(EncryptionSettings { passphrase, ..EncryptionSettings::default() });
        };
        let recipients = entry.recipients.iter().map(|Recipient { template, .. }| {
            let text = SecretString::from(self.text(template)?);
            // A variable can hold what the file may not.
            if holds_secret(text.expose_secret()) {
                return Err(Error::BadRecipient { why: "it is a private key".to_owned() });
            }
            recipient(text.expose_secret(), &self.root)
        });
        Ok(EncryptionSettings {
            recipients: recipients.collect::<Result<_, _>>()?,
            passphrase: entry.passphrase.as_ref().map(|secret| self.secret(&secret.0)).transpose()?,
            method: entry.method,
        })
    }

    fn source_of(&self, entry: &Database) -> Result<ConnectionSource, Error> {
        if let Some(url) = &entry.url {
            return Ok(ConnectionSource::Url(self.secret(&url.0)?));
        }
        if let Some(supabase) = &entry.supabase {
            return Ok(ConnectionSource::Supabase {
                project_ref: self.text(&supabase.project_ref.0)?,
                password: self.secret(&supabase.password.0)?,
                pooler: self.optional(supabase.pooler.as_ref())?,
            });
        }
        let port = self.optional(entry.port.as_ref().map(|port| &port.0))?;
        Ok(ConnectionSource::Parts {
            host: self.optional(entry.host.as_ref())?,
            port: port.map(|port| port.parse().map_err(|_| Error::BadPort)).transpose()?,
            user: self.optional(entry.user.as_ref())?,
            password: entry.password.as_ref().map(|secret| self.secret(&secret.0)).transpose()?,
            dbname: self.optional(entry.dbname.as_ref())?,
            sslmode: entry.sslmode.map(|mode| mode.as_str().to_owned()),
            sslrootcert: entry.sslrootcert.as_ref().map(|path| self.path_of(path)).transpose()?,
        })
    }

    fn text(&self, template: &Template) -> Result<String, Error> {
        template.resolve(&*self.env).map_err(|variable| match &self.document {
            Some(document) => document.unset(&variable),
            None => Error::Unset { at: String::new(), hint: variable.name },
        })
    }

    fn optional(&self, template: Option<&Template>) -> Result<Option<String>, Error> {
        template.map(|template| self.text(template)).transpose()
    }

    fn secret(&self, template: &Template) -> Result<SecretString, Error> {
        self.text(template).map(SecretString::from)
    }

    fn path_of(&self, template: &Template) -> Result<PathBuf, Error> {
        Ok(self.root.join(self.text(template)?))
    }
}

fn texts(list: &[config::Spanned<String>]) -> Vec<String> {
    list.iter().map(|text| text.value.clone()).collect()
}

fn holds_secret(text: &str) -> bool {
    secrets::password_in_url(text).is_some()
        || secrets::password_in_conninfo(text).is_some()
        || secrets::private_key(text).is_some()
}

fn check_store(name: &str, url: &str) -> Result<(), Error> {
    if holds_secret(url) {
        return Err(Error::BadStore { name: name.to_owned(), why: "it holds a password".to_owned() });
    }
    config::check_url(url).map_err(|error| Error::BadStore {
        name: name.to_owned(),
        why: match error {
            config::UrlError::Invalid(why) => why,
            config::UrlError::Unsupported(scheme) => format!("'{scheme}' is not supported by this version"),
        },
    })
}

fn recipient(text: &str, directory: &Path) -> Result<String, Error> {
    match RecipientKind::of(text) {
        Ok(RecipientKind::OpenpgpFile) => Ok(directory.join(text.trim()).to_string_lossy().into_owned()),
        Ok(RecipientKind::Age | RecipientKind::OpenpgpArmor) => Ok(text.trim().to_owned()),
        Err(why) => Err(Error::BadRecipient { why }),
    }
}

#[cfg(test)]
mod tests;
