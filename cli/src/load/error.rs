//! Why an archive or a script did not get into a database. No variant holds a
//! secret.

use std::io;
use std::process::ExitStatus;

use tokio_postgres::error::DbError;

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
    #[error("{name} could not be made: {what}")]
    Build {
        /// What it is, and of which table.
        name: String,
        what: String,
        /// Rows of the dump cannot be there together.
        excluded: bool,
    },
    #[error("large objects were refused: {what}")]
    LargeObjects { what: String },
    #[error("the data of '{table}' is damaged: {what}")]
    Damaged { table: String, what: &'static str },
    #[error("cannot write the definitions for pg_restore")]
    Definitions(#[source] io::Error),
    #[error("{program} failed: {messages}")]
    Restore { program: &'static str, messages: String },
    #[error("{end}: whether it committed to database '{database}' is not known")]
    Committing { database: String, end: Box<Error> },
    #[error("{program} was ended by the system ({status})")]
    Killed { program: &'static str, status: ExitStatus },
    #[error("interrupted")]
    Interrupted,
    #[error("a thread of the restore died")]
    Panicked,
}

/// How PostgreSQL and its client say that they lack something (SQLSTATE classes 53
/// and 58), that somebody stopped them (57) or stood in their way (40), or that the
/// connection is not there (08). pg_restore and psql tell no SQLSTATE. From `errcodes.txt`, libpq and `strerror`.
const NOT_OF_THE_DUMP: [&str; 31] = [
    "No space left on device",
    "Disk quota exceeded",
    "Input/output error",
    "Read-only file system",
    "Too many open files",
    "out of memory",
    "out of shared memory",
    "Cannot allocate memory",
    "could not resize shared memory segment",
    "could not fork",
    "could not extend file",
    "could not write to file",
    "could not write block",
    "could not fsync file",
    "could not read file",
    "could not access file",
    "temporary file size exceeds temp_file_limit",
    "too many clients already",
    "too many connections for",
    "remaining connection slots are reserved",
    "terminating connection",
    "terminating parallel worker",
    "canceling statement due to",
    "deadlock detected",
    "the database system is",
    "server closed the connection unexpectedly",
    "could not connect",
    "connection to server",
    "no connection to the server",
    "SSL connection has been closed unexpectedly",
    "could not receive data from server",
];

const NOT_ALLOWED: &str = "restore as a role that may do this, or use --no-owner --no-privileges";

const EXCLUDED: &str = "the source has these rows too, behind a damaged index: mend them there, REINDEX, and take another \
    backup; or load what `backstop get --decrypt` gives by pg_restore, which goes on without that index";

/// What a server said, where that is about what was sent and not about the server.
pub(super) fn refusal(error: &tokio_postgres::Error) -> Option<&DbError> {
    const CLASSES: [&str; 6] = ["0A", "22", "23", "42", "54", "P0"];
    error.as_db_error().filter(|said| CLASSES.iter().any(|class| said.code().code().starts_with(class)))
}

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
    /// What ended a text: where pg_restore prints it, an error of this room.
    pub(super) fn of_stream(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Read)
    }

    /// The same when the database is gone: nobody need ask any more what was committed.
    #[must_use]
    pub fn undone(self) -> Self {
        match self {
            Self::Committing { end, .. } => *end,
            other => other,
        }
    }

    /// Whether the server did not take what the archive holds: another try would
    /// end in the same way.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Rows { .. } | Self::Build { .. } | Self::LargeObjects { .. } => true,
            Self::Restore { messages, .. } => is_of_the_dump(messages),
            _ => false,
        }
    }
}

/// Whether a program failed at what it was given, by what it said.
fn is_of_the_dump(messages: &str) -> bool {
    // Of each message the first line: the others quote the dump.
    let mut said = messages
        .lines()
        .filter(|line| line.starts_with("pg_restore: ") || line.starts_with("psql:"))
        // Said when a worker was killed, but also behind what one of them said.
        .filter(|line| !line.ends_with(": a worker process died unexpectedly"))
        .peekable();
    said.peek().is_some() && !said.any(|line| NOT_OF_THE_DUMP.iter().any(|text| line.contains(text)))
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
            Self::Rows { what, .. } | Self::Build { what, .. } | Self::LargeObjects { what }
                if what.contains("permission denied") =>
            {
                NOT_ALLOWED.to_owned()
            }
            Self::Damaged { .. } => "the bytes changed after pg_dump wrote them; take another backup".to_owned(),
            Self::Committing { database, .. } => {
                format!("look into database '{database}': all of the dump is there, or nothing of it")
            }
            Self::Restore { messages, .. } if messages.contains("out of shared memory") => {
                "raise max_locks_per_transaction on the target server".to_owned()
            }
            Self::Restore { messages, .. } if messages.contains("permission denied") => {
                NOT_ALLOWED.to_owned()
            }
            Self::Build { excluded: true, .. } => EXCLUDED.to_owned(),
            Self::Restore { messages, .. }
                if ["unique index", "exclusion constraint"]
                    .iter()
                    .any(|what| messages.contains(&format!("ERROR:  could not create {what} "))) =>
            {
                EXCLUDED.to_owned()
            }
            Self::Build { .. } => {
                "where the target lacks something, add it and run again; where the rows are to blame, take another backup"
                    .to_owned()
            }
            Self::Killed { program: "psql", .. } => {
                "the system does so when memory runs out: restore where there is more".to_owned()
            }
            Self::Killed { .. } => {
                "the system does so when memory runs out: restore with fewer --jobs, or where there is more".to_owned()
            }
            Self::Restore { .. } if !self.is_refusal() => {
                "this is not about the dump: mend it on the server, then run again".to_owned()
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dump_is_to_blame_for() {
        let is_refusal = |messages: &str| {
            Error::Restore { program: "pg_restore", messages: messages.to_owned() }.is_refusal()
        };
        let died = "pg_restore: error: a worker process died unexpectedly";
        for of_the_dump in [
            "pg_restore: error: could not execute query: ERROR:  relation \"t\" already exists\nCommand was: CREATE TABLE t ();",
            "pg_restore: error: could not execute query: ERROR:  could not create unique index \"i\"\n\
             DETAIL:  Key (note)=(out of memory) is duplicated.\nCommand was: CREATE UNIQUE INDEX i ON t (note);",
            "pg_restore: error: could not execute query: ERROR:  type \"m\" does not exist\n\
             Command was: -- No space left on device\nSELECT 1",
            &format!(
                "pg_restore: error: could not execute query: ERROR:  division by zero\nCommand was: X\n{died}"
            ),
            "psql:<stdin>:12: ERROR:  relation \"t\" already exists",
            "psql:<stdin>:12: FEHLER:  Relation \"t\" existiert bereits",
        ] {
            assert!(is_refusal(of_the_dump), "{of_the_dump}");
        }
        for of_the_server in [
            "",
            died,
            "pg_restore: error: could not execute query: ERROR:  could not extend file \"base/5/16390\": No space left on \
             device\nHINT:  Check free disk space.\nCommand was: CREATE INDEX i ON t (id);",
            "pg_restore: error: could not execute query: ERROR:  out of shared memory\nHINT:  You might need to increase \
             \"max_locks_per_transaction\".\nCommand was: CREATE TABLE t ();",
            "pg_restore: error: could not execute query: FATAL:  terminating connection due to administrator command\n\
             server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally",
            "pg_restore: error: could not execute query: server closed the connection unexpectedly\n\tThis probably means",
            "pg_restore: error: connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  sorry, too many clients already",
            "pg_restore: error: could not execute query: ERROR:  canceling statement due to user request",
            "psql:<stdin>:12: FATAL:  the database system is shutting down",
            "psql: error: connection to server on socket \"/tmp/.s.PGSQL.5432\" failed: No such file or directory",
        ] {
            assert!(!is_refusal(of_the_server), "{of_the_server}");
        }
    }
}
