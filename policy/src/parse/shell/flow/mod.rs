//! Which commands run, in which context, and what their failure leads to.
//!
//! [`Script::commands`] follows `set -e` and `set -o pipefail` through the script
//! and answers for every simple command whether its failure stops the script,
//! is its result, or gets lost, and how. Functions are read in the state in which
//! they are first called. What runs may depend on conditions that nobody can
//! know: then both sides are taken to run, in order.

mod flags;
mod status;
mod trace;

use super::{Command, InlineKind, Pipeline, Script, Simple, Statement};

pub use flags::Flags;

/// What happens when a command fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Failure<'s> {
    /// The script ends there and fails.
    Stops,
    /// Its status is that of the script: it comes last.
    Returned,
    /// What follows `||` runs instead.
    Handled(&'s Pipeline),
    /// A condition (`if`, `while`, `!`) asks for it.
    Tested,
    /// The next statement reads `$?` or `PIPESTATUS`.
    Checked,
    /// `&&` leaves out what follows, and the script goes on and forgets it.
    Skipped,
    /// A pipe without `pipefail` takes the status of its last command.
    LostInPipe,
    /// `$(..)` in an argument, or in `local x=`, leaves no status.
    LostInWord,
    /// Nobody waits for it.
    Background,
    /// Nothing stops the script: the next statement runs.
    Ignored,
}

impl Failure<'_> {
    /// Whether the script goes on as if nothing had happened.
    pub fn is_lost(self) -> bool {
        matches!(self, Self::LostInPipe | Self::LostInWord | Self::Background | Self::Ignored | Self::Skipped)
    }
}

/// What a command lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Nesting {
    /// Parentheses, a substitution, or one side of a pipe.
    pub subshell: bool,
    /// `$(..)`: its output is used as text.
    pub substitution: bool,
    pub in_loop: bool,
    /// A branch of an `if` or `case`: it may run or not.
    pub branch: bool,
    /// What an `if` or `while` asks.
    pub condition: bool,
    /// The script of another command: `bash -c`, `ssh`, `trap`.
    pub inline: Option<InlineKind>,
}

/// One simple command where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Run<'s> {
    /// The script that its here-documents belong to.
    pub script: &'s Script,
    pub statement: &'s Statement,
    pub pipeline: &'s Pipeline,
    /// Its place in the pipeline.
    pub index: usize,
    pub command: &'s Command,
    pub simple: &'s Simple,
    pub function: Option<&'s str>,
    pub nesting: Nesting,
    pub flags: Flags,
    pub failure: Failure<'s>,
}
