//! What every room says of a failure beside its own error: what the user can do
//! about it; and how a command ends. A leaf: rooms use it, it uses none.

use std::error::Error as StdError;

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

/// An error and its causes in one line.
pub fn in_one_line(error: &(dyn StdError + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // A cause that its effect already quotes is wanted once.
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        next = cause.source();
    }
    line
}

/// `tempfile` adds the path to its errors, whose random name tells nobody anything.
pub fn without_path(cause: std::io::Error) -> std::io::Error {
    match cause.to_string().split_once(" at path ") {
        Some((why, _)) => std::io::Error::new(cause.kind(), why.to_owned()),
        None => cause,
    }
}
