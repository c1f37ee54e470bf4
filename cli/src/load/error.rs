//! Why an archive or a script did not get into a database. No variant holds a
//! secret.

use std::io;

use crate::error::Advise;
use crate::postgres::tools;
use crate::{archive, postgres};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    #[error(transparent)]
    Tools(#[from] tools::Error),
    #[error(transparent)]
    Archive(archive::Error),
    /// What is wrong with the stream that the dump comes in: it may carry the error
    /// of another room.
    #[error("cannot read the dump")]
    Read(#[source] io::Error),

    #[error("the dump ends in line {line}, before its end")]
    Truncated { line: u64 },
    #[error("line {line} of the dump holds '{command}', a command of psql itself")]
    MetaCommand { command: String, line: u64 },
    #[error(
        "line {line} of the dump holds {what}, which psql may take for the end or the beginning of something"
    )]
    Unclear { what: &'static str, line: u64 },
    #[error("line {line} of the dump sets an encoding in which a quote may be a part of a character")]
    Encoding { line: u64 },
    #[error("line {line} of the dump holds a COPY that is not of rows right behind it")]
    OtherCopy { line: u64 },
    #[error("line {line} of the dump ends the transaction that it is restored in")]
    EndsTransaction { line: u64 },
    #[error("line {line} of the dump makes or drops a database of its own")]
    NamesDatabase { line: u64 },
    #[error("this is a dump of a whole cluster, made by pg_dumpall")]
    ClusterDump,

    #[error("cannot write the list for pg_restore")]
    ListFile(#[source] io::Error),
    #[error("cannot run {program}")]
    Start {
        program: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("the rows of '{table}' were refused: {what}")]
    Rows { table: String, what: String },
    #[error("large objects were refused: {what}")]
    LargeObjects { what: String },
    #[error("the data of '{table}' is damaged: {what}")]
    Damaged { table: String, what: &'static str },
    #[error("cannot write the definitions for pg_restore")]
    Definitions(#[source] io::Error),
    #[error("{program} failed: {messages}")]
    Restore { program: &'static str, messages: String },
    #[error("interrupted while psql finished: whether it committed to database '{database}' is not known")]
    Committing { database: String },
    #[error("interrupted")]
    Interrupted,
    #[error("a thread of the restore died")]
    Panicked,
}

const NOT_ALLOWED: &str = "restore as a role that may do this, or use --no-owner --no-privileges";

/// Rooms send their own errors through a stream.
impl From<archive::Error> for Error {
    fn from(error: archive::Error) -> Self {
        match error {
            archive::Error::Read(source) => Self::Read(source),
            other => Self::Archive(other),
        }
    }
}

impl Error {
    /// Whether the server did not take what the archive holds: another try would
    /// end in the same way.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Restore { .. } | Self::Rows { .. } | Self::LargeObjects { .. })
    }
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Postgres(error) => return error.hint(),
            Self::Tools(error) => return error.hint(),
            Self::Archive(error) => return error.hint(),
            Self::Truncated { .. } => "everything was rolled back; take another copy of this dump, or an older one".to_owned(),
            Self::MetaCommand { command, .. } if matches!(command.as_str(), "\\connect" | "\\c") => {
                "it was made with `pg_dump --create`: make it again without, or take that line and CREATE DATABASE out"
                    .to_owned()
            }
            Self::MetaCommand { .. } | Self::Unclear { .. } => {
                "pg_dump writes nothing like it: look at who made this file before you run it with psql".to_owned()
            }
            Self::Encoding { .. } => {
                "make the dump again with `pg_dump --encoding=UTF8`, or change it to UTF-8 with iconv, and that line too"
                    .to_owned()
            }
            Self::EndsTransaction { .. } | Self::NamesDatabase { .. } | Self::OtherCopy { .. } => {
                "everything was rolled back; take that statement out of the dump".to_owned()
            }
            Self::ClusterDump => {
                "restore it with `psql -d postgres -f FILE` into an empty cluster, or dump each database by pg_dump"
                    .to_owned()
            }
            Self::Rows { what, .. } | Self::LargeObjects { what } if what.contains("permission denied") => {
                NOT_ALLOWED.to_owned()
            }
            Self::Damaged { .. } => "the bytes changed after pg_dump wrote them; take another backup".to_owned(),
            Self::Committing { database } => {
                format!("look into database '{database}': all of the dump is there, or nothing of it")
            }
            Self::Restore { messages, .. } if messages.contains("out of shared memory") => {
                "raise max_locks_per_transaction on the target server".to_owned()
            }
            Self::Restore { messages, .. } if messages.contains("permission denied") => {
                NOT_ALLOWED.to_owned()
            }
            _ => return None,
        })
    }
}
