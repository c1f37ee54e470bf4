//! Why settings cannot be had. No message holds a value that may be secret.

use std::path::PathBuf;

use crate::error::Advise;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot tell the working directory")]
    NoDirectory {
        #[source]
        source: std::io::Error,
    },
    #[error("cannot read configuration '{}'", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("both '{first}' and '{second}' are in '{}'", folder.display())]
    TwoFiles { folder: PathBuf, first: &'static str, second: &'static str },
    /// The findings are rendered; the last line has no line break.
    #[error("configuration '{path}' has {}\n{findings}", errors(*count))]
    Invalid { path: String, count: usize, findings: String },
    /// `at` is the rendered finding, without its help.
    #[error("{at}")]
    Unset { at: String, hint: String },
    #[error("{flag} holds a secret, which every user of this machine could read from the list of processes")]
    SecretInFlag { flag: &'static str },
    #[error("'{name}' cannot be the name of a database: it becomes a folder in the store")]
    BadName { name: String },
    #[error("no database to work on")]
    NoDatabase,
    #[error("SUPABASE_PROJECT_REF is set, but SUPABASE_DB_PASSWORD is not")]
    NoSupabasePassword,
    #[error("the configuration has several databases: {}", known.join(", "))]
    SeveralDatabases { known: Vec<String> },
    #[error("no database '{name}' in the configuration")]
    UnknownDatabase { name: String, known: Vec<String> },
    #[error("no tier '{name}' in the configuration")]
    UnknownTier { name: String, known: Vec<String> },
    #[error("no store '{name}' in the configuration")]
    UnknownStore { name: String, known: Vec<String> },
    #[error("no store to work with")]
    NoStore,
    #[error("store '{name}' cannot be used: {why}")]
    BadStore { name: String, why: String },
    #[error("a recipient cannot be used: {why}")]
    BadRecipient { why: String },
    #[error("the variable of a port holds no number from 1 to 65535")]
    BadPort,
}

fn errors(count: usize) -> String {
    if count == 1 { "an error".to_owned() } else { format!("{count} errors") }
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoDirectory { .. } => "change into a directory that exists".to_owned(),
            Self::Read { .. } => {
                "name another file with --config, or write one with `backstop init`".to_owned()
            }
            Self::TwoFiles { second, .. } => format!("remove '{second}', or name one with --config"),
            Self::Invalid { .. } => return None,
            Self::Unset { hint, .. } => hint.clone(),
            Self::SecretInFlag { flag: "--url" } => {
                "set DATABASE_URL in the environment and leave --url away".to_owned()
            }
            Self::SecretInFlag { flag: "--recipient" } => "give the public key, `age1…`".to_owned(),
            Self::SecretInFlag { .. } => {
                "leave it out of the URL: credentials come from the environment".to_owned()
            }
            Self::BadName { name } => format!("use --database {}", backstop_policy::config::clean_name(name)),
            Self::NoDatabase => "set DATABASE_URL, or write a configuration with `backstop init`".to_owned(),
            Self::NoSupabasePassword => {
                "set SUPABASE_DB_PASSWORD to the database's password (Supabase: Project Settings, Database)"
                    .to_owned()
            }
            Self::SeveralDatabases { .. } => "choose one with --database NAME".to_owned(),
            Self::UnknownDatabase { known, .. } | Self::UnknownTier { known, .. } => {
                format!("the configuration has: {}", known.join(", "))
            }
            Self::UnknownStore { known, .. } if known.is_empty() => {
                "give a store by its URL, `s3://bucket/prefix` or `file:///path`".to_owned()
            }
            Self::UnknownStore { known, .. } => format!("the configuration has: {}", known.join(", ")),
            Self::NoStore => "give --store URL, or name one under `stores:` in backstop.yml".to_owned(),
            Self::BadStore { .. } => "write `s3://bucket/prefix` or `file:///path`".to_owned(),
            Self::BadRecipient { .. } => "make a pair of keys with `backstop key generate`".to_owned(),
            Self::BadPort => "the standard port is 5432".to_owned(),
        })
    }
}
