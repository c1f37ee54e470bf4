//! The pg_dump custom-format archive: bytes of any origin flow in; its table of
//! contents, what its data blocks hold, and what a restore takes of it flow out.
//!
//! Everything here is plain `Read` and `Write` for a blocking thread and takes
//! its input for hostile: nothing panics, a length is never believed before its
//! bytes were read, and every loop consumes input.
//!
//! Source of the format: `src/bin/pg_dump/pg_backup_archiver.c`,
//! `pg_backup_custom.c` and `compress_*.c` of PostgreSQL 12 to 18.

use std::io;

use crate::error::Advise;
use crate::postgres;

mod blocks;
mod copy;
mod decode;
mod digest;
mod dump;
mod encoding;
mod frame;
mod head;
mod header;
mod input;
mod inspect;
pub mod load;
mod recode;
mod relation;
mod select;
mod sums;
mod toc;
mod write;

#[doc(hidden)]
pub use copy::Rows as CopyText;
pub use digest::{RowKey, RowSum};
pub use dump::{Dump, Dumped, Request, Started, Way, default_jobs, dump};
pub use frame::Coding;
pub use header::{Compression, Header};
pub use inspect::{Contents, TableRows, inspect};
pub use recode::{Recoding, recode};
pub use select::{
    Choice, ForeignKey, Halves, LeftOut, Managed, Needed, Plan, Selection, TargetFacts, human_list,
    list_file, plan, roles,
};
pub use sums::{Sum, add_part, sums};
pub use toc::{DataState, Entry, Section, Toc, read_toc};

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `pg_dump -Fc` (or the `toc.dat` of a directory, which only the header tells apart).
    CustomArchive,
    /// `pg_dump -Fp` or `pg_dumpall`.
    PlainSql,
    /// `pg_dump -Ft`.
    Tar,
    Unknown,
}

/// How many first bytes [`sniff`] can make use of.
pub const SNIFF: usize = 512;

/// Tell the formats of pg_dump apart. A shorter start than [`SNIFF`] bytes is
/// judged by what is there.
pub fn sniff(first_bytes: &[u8]) -> Kind {
    if first_bytes.starts_with(header::MAGIC) {
        return Kind::CustomArchive;
    }
    // POSIX ustar: the magic stands at 257 in the first member's header.
    if first_bytes.get(257..262) == Some(b"ustar") {
        return Kind::Tar;
    }
    let text = first_bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first_bytes);
    let lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    for line in lines.take(4) {
        if line.starts_with(b"-- PostgreSQL database dump")
            || line.starts_with(b"-- PostgreSQL database cluster dump")
        {
            return Kind::PlainSql;
        }
    }
    Kind::Unknown
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes could not be had; says nothing about the archive.
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
    #[error("this is {found}, not a custom-format archive of pg_dump")]
    NotCustom { found: &'static str },
    #[error("archive format {version} is not known")]
    UnknownVersion { version: String },
    #[error("the archive ends at byte {at}, inside {reading}")]
    CutShort { at: u64, reading: String },
    #[error(
        "the archive ends at byte {at}, but {missing} of its {expected} data blocks are missing, first that of '{first}'"
    )]
    MissingData { at: u64, missing: usize, expected: usize, first: String },
    #[error("the archive is damaged at byte {at}: {what}")]
    Damaged { at: u64, what: String },
    #[error("the data of '{object}' is damaged before byte {at} of the archive: {what}")]
    DamagedData { object: String, at: u64, what: String },
    #[error("the archive is complete at byte {at}, but more bytes follow")]
    Trailing { at: u64 },
    #[error("the archive names {listed} large objects, but holds {found}")]
    LargeObjects { listed: u64, found: u64 },
    #[error("the archive cannot be written as format {version}: {why}")]
    CannotLower { version: String, why: &'static str },
    #[error("no {what} '{name}' in this archive")]
    NotInArchive { what: &'static str, name: String, near: Vec<String> },
    #[error("'{pattern}' is not a table or schema name: {why}")]
    BadPattern { pattern: String, why: &'static str },
    #[error("nothing is left to restore")]
    NothingLeft,
    #[error("cannot run {program}")]
    Start {
        program: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("pg_dump failed ({status}): {}", said(messages))]
    Dump { status: std::process::ExitStatus, messages: String },
    #[error("what '{program}' wrote is not a whole archive")]
    NotWhole {
        program: String,
        #[source]
        source: Box<Error>,
    },
    #[error("the thread that passes the dump on died")]
    ThreadDied,
    #[error("cannot copy the rows of '{table}'")]
    Rows {
        table: String,
        #[source]
        source: postgres::Error,
    },
    #[error("cannot add up the rows of '{table}'")]
    Adding {
        table: String,
        #[source]
        source: postgres::Error,
    },
    #[error("the connection that kept the tables locked was lost")]
    Unlocked(#[source] postgres::Error),
    #[error(transparent)]
    Asking(#[from] postgres::Error),
    #[error("cannot read the large objects")]
    Objects(#[source] postgres::Error),
    #[error("an archive of pg_dump {client} cannot be compressed with zstd")]
    NoZstd { client: String },
    #[error("the bytes of large object {oid} did not come as they were asked for")]
    DamagedObject { oid: u32 },
    #[error("the server copied {server} rows of '{table}', but {received} came")]
    Miscounted { table: String, server: u64, received: u64 },
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        Some(match self {
            // Where there is something to say, the cause says it, which is a link of the chain.
            Self::Read(_) | Self::Write(_) | Self::Start { .. } | Self::ThreadDied | Self::Adding { .. } => {
                return None;
            }
            Self::Rows { source, .. } | Self::Objects(source) | Self::Unlocked(source) => copy_hint(source),
            Self::Asking(error) => return error.hint(),
            Self::NoZstd { .. } => {
                "leave --compress out, or use gzip; zstd came with PostgreSQL 16".to_owned()
            }
            Self::Miscounted { .. } | Self::DamagedObject { .. } => {
                "nothing was committed; run the backup again, and report this if it comes back".to_owned()
            }
            Self::NotCustom { .. } => {
                "give a dump made with `pg_dump --format=custom`, or a plain SQL file".to_owned()
            }
            Self::UnknownVersion { .. } => {
                "this archive was made by a newer pg_dump; use a newer version of backstop".to_owned()
            }
            Self::CutShort { .. } | Self::MissingData { .. } => {
                "the dump was cut short while it was made or copied; take another backup".to_owned()
            }
            Self::Damaged { .. } | Self::DamagedData { .. } | Self::LargeObjects { .. } => {
                "the bytes changed after pg_dump wrote them; take another backup".to_owned()
            }
            Self::Trailing { .. } => {
                "another file may have been appended to this one; fetch the original again".to_owned()
            }
            Self::CannotLower { version, .. } => {
                let major = if version == "1.14" { 16 } else { 17 };
                format!("use pg_restore {major} or newer")
            }
            Self::NotInArchive { near, .. } if !near.is_empty() => {
                format!(
                    "did you mean {}",
                    near.iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ")
                )
            }
            Self::NotInArchive { .. } => "`--list` shows what the archive holds".to_owned(),
            Self::BadPattern { .. } => {
                "write `table`, `schema.table`, or quote each name as in SQL; `*` and `?` are wildcards"
                    .to_owned()
            }
            Self::Dump { status, messages } => dump_hint(*status, messages).to_owned(),
            Self::NotWhole { program, .. } => {
                format!("nothing was committed; check '{program}', and run the backup again")
            }
            Self::NothingLeft => "choose more with --table or --schema, or leave both out".to_owned(),
        })
    }
}

/// What to do about rows that could not be copied.
fn copy_hint(source: &postgres::Error) -> String {
    match source {
        postgres::Error::Denied { .. } if let Some(hint) = source.hint() => hint,
        postgres::Error::Query { message, .. } if message.contains("conflict with recovery") => {
            "nothing was committed; raise max_standby_streaming_delay on the standby, or back the primary up"
                .to_owned()
        }
        // A column or the like that the table of contents names is gone (class 42), or
        // somebody wants what we have and has what we want.
        postgres::Error::Query { sqlstate, .. } if sqlstate.starts_with("42") || sqlstate == "40P01" => {
            "nothing was committed; run it again when no migration is under way".to_owned()
        }
        _ => "nothing was committed; look into the server's log, and run the backup again".to_owned(),
    }
}

/// What to do about a failure that pg_dump words itself.
fn dump_hint(status: std::process::ExitStatus, messages: &str) -> &'static str {
    use std::os::unix::process::ExitStatusExt;
    if messages.contains("row-level security") {
        "give the role BYPASSRLS, or back up as the owner of the tables: with the policies on, rows would be missing"
    } else if messages.contains("permission denied") {
        "run `backstop doctor`: it lists what the role may not read, with the GRANTs"
    } else if messages.contains("out of shared memory") {
        "raise max_locks_per_transaction on the server; a dump locks every table"
    } else if messages.contains("server closed the connection") || messages.contains("terminating connection")
    {
        "nothing was committed; look into the server's log, and run the backup again"
    } else if messages.contains("too many connections") || messages.contains("too many clients") {
        "nothing was committed; a backup needs two connections at least: raise the role's CONNECTION LIMIT, or the server's max_connections"
    } else if messages.contains("no matching") {
        "check the patterns of --schema and --table; names are matched as in psql's \\d"
    } else if status.signal().is_some() {
        "nothing was committed; the system's log says who killed it: the kernel does when memory runs out"
    } else {
        "nothing was committed; run the backup again"
    }
}

/// What a program said last, in one line, without its own name.
fn said(messages: &str) -> String {
    let lines: Vec<&str> = messages
        .lines()
        .filter(|line| line.contains("error:") || line.contains("detail:") || line.contains("ERROR"))
        .map(|line| {
            ["pg_dump: ", "error: ", "query failed: ", "ERROR:  "]
                .iter()
                .fold(line, |line, before| line.strip_prefix(before).unwrap_or(line))
        })
        .collect();
    if lines.is_empty() {
        let last = messages.lines().last().unwrap_or("it said nothing");
        last.strip_prefix("pg_dump: ").unwrap_or(last).to_owned()
    } else {
        lines.join("; ")
    }
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_apart_by_their_first_bytes() {
        assert_eq!(sniff(b"PGDMP\x01\x0e"), Kind::CustomArchive);
        assert_eq!(sniff(b"--\n-- PostgreSQL database dump\n--\n"), Kind::PlainSql);
        assert_eq!(sniff(b"\xef\xbb\xbf--\r\n-- PostgreSQL database dump\r\n--\r\n"), Kind::PlainSql);
        assert_eq!(sniff(b"--\n-- PostgreSQL database cluster dump\n--\n"), Kind::PlainSql);
        let mut tar = vec![0; SNIFF];
        tar[..7].copy_from_slice(b"toc.dat");
        tar[257..263].copy_from_slice(b"ustar\0");
        assert_eq!(sniff(&tar), Kind::Tar);
        assert_eq!(sniff(b"SELECT 1"), Kind::Unknown);
        assert_eq!(sniff(b""), Kind::Unknown);
    }
}
