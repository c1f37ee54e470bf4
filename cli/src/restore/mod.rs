//! Restore: from a backup or a foreign file into a database.

pub mod facts;
pub mod load;

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
    Archive(#[from] archive::Error),
    #[error("cannot write the list for pg_restore")]
    ListFile(#[source] io::Error),
    #[error("cannot run {program}")]
    Start {
        program: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
    #[error("pg_restore failed: {messages}")]
    Restore { messages: String },
    #[error("interrupted")]
    Interrupted,
    #[error("a thread of the restore died")]
    Panicked,
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        None
    }
}
