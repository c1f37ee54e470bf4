//! Why a restore did not happen. Until a swap or a commit nothing that was there
//! before has changed, and no variant holds a secret.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use crate::error::Advise;
use crate::postgres::{cluster, tools};
use crate::{archive, backup, catalog, load, pipeline, postgres, store};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    #[error(transparent)]
    Tools(#[from] tools::Error),
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    #[error(transparent)]
    Archive(#[from] archive::Error),
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    #[error(transparent)]
    Load(load::Error),

    // What is restored.
    #[error("cannot open '{}'", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "what to restore is named with a password, which every user of this machine could read from the list \
             of processes"
    )]
    SecretInArgument,
    #[error("what to restore is no URL that can be fetched")]
    BadUrl(#[source] url::ParseError),
    #[error("cannot fetch '{url}': {reason}")]
    Fetch { url: String, reason: String },
    #[error("'{what}' is {format}, which is not read")]
    Format { what: String, format: &'static str, way_out: &'static str },
    #[error("'{what}' is no dump of PostgreSQL")]
    NoDump { what: String },
    #[error("cannot read the dump")]
    Read(#[source] io::Error),
    #[error(
        "{what} is not what was committed: {found_bytes} bytes with SHA-256 {found_sha256}, but \
             {expected_bytes} bytes with {expected_sha256} are in the manifest"
    )]
    Changed {
        what: String,
        expected_bytes: u64,
        expected_sha256: String,
        found_bytes: u64,
        found_sha256: String,
    },
    #[error(
        "--table, --schema, --schema-only, --data-only, --no-owner and --no-privileges need an archive, but this is plain SQL"
    )]
    NoChoiceInSql,

    // Where it goes.
    #[error("there is a database '{database}' already")]
    Exists { database: String },
    #[error("database '{database}' is not empty: it holds {}", objects.join(", "))]
    NotEmpty { database: String, objects: Vec<String> },
    #[error("'{database}' is the very database that is restored from")]
    SameDatabase { database: String },
    #[error("--data-only needs a database that has the tables")]
    DataOnlyIntoNew,
    #[error("{} cannot take the rows of the archive: {why}", tables.join(", "))]
    CannotFill { tables: Vec<String>, why: &'static str },
    #[error("the server has no role {}", list(roles))]
    MissingRoles { roles: BTreeSet<String>, globals: bool },
    #[error("this backup has no roles and tablespaces with it")]
    NoGlobals,

    // While it is restored.
    #[error("hook {hook} ended with {status}")]
    Hook { hook: &'static str, status: std::process::ExitStatus },
    #[error("cannot run hook {hook}")]
    HookStart {
        hook: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("interrupted")]
    Interrupted,
    #[error("a thread of the restore died")]
    Panicked,

    // In place.
    #[error("'{database}' would be overwritten, and nobody is there to confirm it")]
    NoTerminal { database: String },
    #[error("not confirmed: nothing was changed")]
    NotConfirmed,
    #[error("{what} of database '{database}' would be lost: {}", names.join(", "))]
    Attached { what: &'static str, database: String, names: Vec<String> },
    #[error("what is not in the dump would be dropped, since it depends on what is replaced: {}", objects.join(", "))]
    Dependents { objects: Vec<String> },
    #[error("the disk of the server has {free} bytes free, and the restored database needs about {needed}")]
    DiskFull { free: u64, needed: u64 },
    #[error("no safety backup could be taken")]
    SafetyBackup(#[source] Box<backup::Error>),
    #[error("no store for the safety backup")]
    NoSafetyStore,
    #[error("the restored database is not as it was in the backup: {}", failures.join("; "))]
    Differs { failures: Vec<String> },
    #[error("the databases could not be exchanged; '{live}' is as it was")]
    Swap {
        live: String,
        /// The restored database, which stays.
        restored: String,
        #[source]
        source: Box<Error>,
    },
    #[error("{count} sessions in database '{database}' do not end")]
    StillConnected { database: String, count: i64 },
    #[error("'{name}' is not a database that a restore of '{live}' set aside")]
    NotSetAside { name: String, live: String },
}

impl Error {
    /// What a stream's error stands for: rooms send their own through it.
    pub fn from_stream(error: io::Error) -> Self {
        error
            .downcast::<Self>()
            .or_else(|error| error.downcast::<pipeline::Error>().map(Self::Pipeline))
            .or_else(|error| error.downcast::<archive::Error>().map(Self::Archive))
            .unwrap_or_else(Self::Read)
    }
}

/// What stopped the stream is told as what it is, and not as the stream's.
impl From<load::Error> for Error {
    fn from(error: load::Error) -> Self {
        match error {
            load::Error::Read(source) => Self::from_stream(source),
            load::Error::Postgres(error) => Self::Postgres(error),
            load::Error::Tools(error) => Self::Tools(error),
            load::Error::Archive(error) => Self::Archive(error),
            load::Error::Interrupted => Self::Interrupted,
            other => Self::Load(other),
        }
    }
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Postgres(error) => return error.hint(),
            Self::Tools(error) => return error.hint(),
            Self::Cluster(error) => return error.hint(),
            Self::Archive(error) => return error.hint(),
            Self::Pipeline(pipeline::Error::NoMatchingKey { .. }) => {
                "give the identity with --identity FILE or in BACKSTOP_IDENTITY".to_owned()
            }
            Self::Pipeline(pipeline::Error::NeedsPassphrase { .. }) => {
                "set BACKSTOP_PASSPHRASE, or run it on a terminal to be asked".to_owned()
            }
            Self::Pipeline(error) => return error.hint(),
            Self::Store(error) => return error.hint(),
            Self::Catalog(error) => return error.hint(),
            Self::Load(error) => return error.hint(),
            Self::SecretInArgument => {
                "download the dump first, or take a presigned URL; a database is named with --url or --to, and \
                 its password with PGPASSWORD"
                    .to_owned()
            }
            Self::BadUrl(_) => "write it like https://host/path/to/shop.dump".to_owned(),
            Self::Fetch { .. } => "a presigned URL is valid for a short time only: make a new one".to_owned(),
            Self::Format { way_out, .. } => (*way_out).to_owned(),
            Self::NoDump { .. } => {
                "give a file that pg_dump made, plain or custom format, compressed or not".to_owned()
            }
            Self::Changed { .. } => {
                "nothing of it was kept; take another backup, or the copy in another store".to_owned()
            }
            Self::NoChoiceInSql => {
                "restore all of it into a new database, and copy from there what you need".to_owned()
            }
            Self::Exists { .. } => "choose another name with --new-db".to_owned(),
            Self::NotEmpty { .. } => {
                "restore into a new database (--new-db NAME), or write over this one with --in-place"
                    .to_owned()
            }
            Self::SameDatabase { .. } => {
                "restore beside it with --new-db NAME, or write over it with --in-place".to_owned()
            }
            Self::DataOnlyIntoNew => "name a database that has them with --to URL".to_owned(),
            Self::CannotFill { .. } => {
                "restore into a new database (--new-db NAME), and copy from there what you need".to_owned()
            }
            Self::MissingRoles { globals: true, .. } => {
                "make them from the backup with --globals, or leave owners and grants out with \
                 --no-owner --no-privileges"
                    .to_owned()
            }
            Self::MissingRoles { .. } => {
                "create them first, or leave owners and grants out with --no-owner --no-privileges".to_owned()
            }
            Self::NoGlobals => "create the roles by hand, or use --no-owner --no-privileges".to_owned(),
            Self::Hook { .. } | Self::HookStart { .. } => {
                "hooks are under `hooks:` in backstop.yml and run in that file's folder".to_owned()
            }
            Self::NoTerminal { .. } => "look at the plan with --dry-run, then give --yes".to_owned(),
            Self::Attached { what, .. } => match *what {
                "replication slots" => "drop them with pg_drop_replication_slot() first".to_owned(),
                "subscriptions" => "drop them with DROP SUBSCRIPTION first".to_owned(),
                _ => "end them with COMMIT PREPARED or ROLLBACK PREPARED first".to_owned(),
            },
            Self::Dependents { .. } => {
                "drop it and make it again afterwards, or restore as a role that may rename the database".to_owned()
            }
            Self::DiskFull { .. } => "free some space, or restore to another server with --to URL".to_owned(),
            Self::SafetyBackup(error) => {
                return error.hint().or_else(|| Some("nothing was changed".to_owned()));
            }
            Self::NoSafetyStore => {
                "name one with --store URL: nothing is overwritten without a safety backup".to_owned()
            }
            Self::Differs { .. } => {
                "nothing was exchanged; look at the backup with `backstop verify`".to_owned()
            }
            Self::Swap { restored, .. } => {
                format!(
                    "the restored data is in database '{restored}'; stop what uses the old one, and try again"
                )
            }
            Self::StillConnected { .. } => {
                "stop what connects, or run this as a role that may end its sessions (pg_signal_backend)"
                    .to_owned()
            }
            Self::NotSetAside { live, .. } => {
                format!(
                    "`psql -l` shows the databases; the ones that were set aside are called {live}_before_<time>"
                )
            }
            _ => return None,
        })
    }
}
