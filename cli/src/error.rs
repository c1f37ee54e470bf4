//! How a failure reaches the user: one line that names the object, the causes
//! below it, at most one hint that says what to do next, and an exit status.
//!
//! Each room has its own error enum and says by [`Advise`] what the user can do
//! about each variant; `commands` add context with anyhow. Nothing printed here
//! can hold a secret, because no room puts one into an error.

use std::error::Error as StdError;
use std::fmt::Write as _;

use crate::{archive, backup, catalog, github, pipeline, postgres, restore, settings, store, verify};

/// 0 clean, 1 judged bad, 2 could not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    Clean,
    /// Findings, a failed verification, an objective missed.
    Bad,
    /// The command could not do its work.
    Failed,
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Clean => 0,
            ExitStatus::Bad => 1,
            ExitStatus::Failed => 2,
        })
    }
}

/// An error that may know what the user should do next.
pub trait Advise: StdError {
    /// One imperative sentence, lower case, no final stop.
    fn hint(&self) -> Option<String>;
}

/// The whole message: `error:`, `caused by:` lines, at most one `hint:`.
pub fn render(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let mut said = Vec::new();
    for cause in error.chain() {
        let line = cause.to_string();
        // A transparent wrapper repeats its source; a reader wants it once.
        if said.last() == Some(&line) {
            continue;
        }
        let label = if said.is_empty() { "error" } else { "caused by" };
        let _ = writeln!(text, "{label}: {line}");
        said.push(line);
    }
    if let Some(hint) = error.chain().find_map(hint) {
        let _ = writeln!(text, "hint: {hint}");
    }
    text
}

/// Find the hint of one link of the chain, looking into I/O errors that carry
/// another room's error through a stream.
fn hint(link: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(io) = link.downcast_ref::<std::io::Error>() {
        let inner: &(dyn StdError + 'static) = io.get_ref()?;
        return hint(inner).or_else(|| inner.source().and_then(hint));
    }
    None.or_else(|| link.downcast_ref::<settings::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<store::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<pipeline::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<postgres::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<postgres::tools::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<postgres::wheel::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<postgres::cluster::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<archive::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<catalog::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<backup::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<verify::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<restore::Error>().and_then(Advise::hint))
        .or_else(|| link.downcast_ref::<github::Error>().and_then(Advise::hint))
}
