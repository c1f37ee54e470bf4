//! What was found, as people and programs want to see it: a [`Listing`] in; text,
//! JSON, SARIF, annotations or Markdown out.
//!
//! A listing holds no document: lines, columns and one masked line of text were
//! taken when it was made. Nothing in it, so nothing in any format, shows a secret.

mod github;
mod json;
mod markdown;
mod sarif;
mod shown;
mod text;

pub use github::annotations;
pub use json::{Entry, entry, json};
pub use markdown::markdown;
pub use sarif::sarif;
pub use shown::{Commit, Label, Shown, Snippet, shown};
pub use text::{summary, text};

use crate::finding::Severity;

/// All that one run found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// How many documents were read.
    pub documents: usize,
    /// By path, then by place.
    pub findings: Vec<Shown>,
    /// How many more there were that a comment allows.
    pub suppressed: usize,
    /// How many commits were searched, of a history.
    pub commits: Option<usize>,
}

impl Listing {
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// By path, then by place; of a history, in the order it has.
    pub fn sort(&mut self) {
        self.findings.sort_by(Shown::order);
    }
}

/// `1 error`, `3 errors`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Text that a terminal or a log shows as it is: no control characters.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c }).collect()
}

/// Characters that turn the order of a line round, or hide in it.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
