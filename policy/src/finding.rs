//! What was found in a document: which rule, how bad, where, and what to do.
//!
//! Inside, a place is a byte [`Span`]; lines and columns exist only when a
//! finding is shown, from one [`Lines`] table per document.

use std::fmt::Write as _;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Maps one to one to the levels of SARIF and of GitHub annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
    Note,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A range of bytes in one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// A part of this span; `inner` counts from its start.
    #[must_use]
    pub fn part(self, inner: Range<usize>) -> Self {
        Self { start: self.start + inner.start, end: self.start + inner.end }
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// A span, and the document it lies in: an index into the documents of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    pub document: usize,
    pub span: Span,
}

/// One problem in one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Names the bad thing, in kebab case.
    pub rule: &'static str,
    pub severity: Severity,
    /// The document, as the user knows it.
    pub path: String,
    pub span: Span,
    /// Lower case, no final stop, never a secret.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Other places that make it understood: the dump that is uploaded, the
    /// promise that is broken.
    pub related: Vec<Label>,
    pub fix: Option<Fix>,
    /// What it is part of, for a person: a job and step, a heading.
    pub context: Option<String>,
}

/// Another place that belongs to a finding, perhaps in another document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub path: String,
    pub place: Place,
    /// Lower case, no final stop, never a secret.
    pub message: String,
}

/// How the finding's document can be changed so that the finding is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as an imperative: `put "set -o pipefail" before the pipeline`.
    pub title: String,
    pub safety: Safety,
    /// Apart from each other, in the finding's own document.
    pub edits: Vec<Edit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// Does what was meant before, minus the fault.
    Safe,
    /// May change what a working set-up does: a person should look.
    Unsafe,
}

/// `span` is replaced by `text`; an empty span inserts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    pub span: Span,
    pub text: String,
}

impl Edit {
    pub fn replace(span: Span, text: impl Into<String>) -> Self {
        Self { span, text: text.into() }
    }

    pub fn insert(at: usize, text: impl Into<String>) -> Self {
        Self { span: Span::new(at, at), text: text.into() }
    }
}

impl Fix {
    pub fn safe(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self { title: title.into(), safety: Safety::Safe, edits }
    }

    pub fn unsafe_(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self { title: title.into(), safety: Safety::Unsafe, edits }
    }
}

impl Finding {
    pub fn error(rule: &'static str, path: &str, span: Span, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: Severity::Error,
            path: path.to_owned(),
            span,
            message: message.into(),
            help: None,
            related: Vec::new(),
            fix: None,
            context: None,
        }
    }

    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// `path:line:column: severity[rule]: message`, and a `help:` line.
    pub fn render(&self, lines: &Lines<'_>) -> String {
        let at = lines.position(self.span.start);
        let severity = self.severity.as_str();
        let mut text =
            format!("{}:{}:{}: {severity}[{}]: {}\n", self.path, at.line, at.column, self.rule, self.message);
        if let Some(help) = &self.help {
            let _ = writeln!(text, "help: {help}");
        }
        text
    }

    /// The same for programs.
    pub fn located<'a>(&'a self, lines: &Lines<'_>) -> Located<'a> {
        let (start, end) = (lines.position(self.span.start), lines.position(self.span.end));
        Located {
            rule: self.rule,
            severity: self.severity,
            path: &self.path,
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            message: &self.message,
            help: self.help.as_deref(),
        }
    }
}

/// All findings of one document as text, in the order given.
pub fn render(findings: &[Finding], text: &str) -> String {
    let lines = Lines::new(text);
    findings.iter().map(|finding| finding.render(&lines)).collect()
}

/// A finding with lines and columns: what `--format json` prints.
#[derive(Debug, Serialize)]
pub struct Located<'a> {
    pub rule: &'static str,
    pub severity: Severity,
    pub path: &'a str,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    pub message: &'a str,
    pub help: Option<&'a str>,
}

/// A place that a person can find: both count from one, columns in Unicode
/// scalar values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Bytes between two counts of characters: what one column costs on the longest line.
const BLOCK: usize = 1024;

/// Where each line of a document starts.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// How many characters begin before each block.
    characters: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(after_breaks).collect();
        let mut counted = 0;
        let mut characters = vec![0];
        for block in text.as_bytes().chunks(BLOCK) {
            counted += beginning(block);
            characters.push(counted);
        }
        Self { text, starts, characters }
    }

    /// Where a line begins, counted from one.
    pub fn start(&self, line: usize) -> usize {
        self.starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len())
    }

    /// A line without its break.
    pub fn line(&self, line: usize) -> Span {
        let (start, end) = (self.start(line), self.start(line + 1));
        let text = self.text.get(start..end).unwrap_or_default();
        Span::new(start, start + text.trim_end_matches(['\n', '\r']).len())
    }

    /// The line that a byte lies on; one past the end is on the last.
    pub fn number(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// The position of a byte; one past the end is the end.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.number(offset);
        let start = self.start(line);
        // A byte-order mark is no column of its own in any editor.
        let mark = self.text.get(start..offset).is_some_and(|before| before.starts_with('\u{feff}'));
        let column = self.between(start, offset) - usize::from(mark);
        Position { line, column: column + 1 }
    }

    /// Characters from one byte to another: counted, where that is no more than a block.
    fn between(&self, start: usize, end: usize) -> usize {
        match self.text.as_bytes().get(start..end) {
            Some(bytes) if bytes.len() <= BLOCK => beginning(bytes),
            _ => self.before(end) - self.before(start),
        }
    }

    /// Characters before a byte.
    fn before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        let rest = self.text.as_bytes().get(block * BLOCK..offset).unwrap_or_default();
        self.characters.get(block).copied().unwrap_or_default() + beginning(rest)
    }
}

/// How many characters begin in some bytes of a text.
fn beginning(bytes: &[u8]) -> usize {
    // 10xxxxxx goes on with one.
    bytes.iter().filter(|byte| (**byte & 0xc0) != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let text = "a: 1\nnäme: größe\n";
        let offset = text.find("größe").unwrap();
        assert_eq!(Lines::new(text).position(offset), Position { line: 2, column: 7 });
    }

    #[test]
    fn the_end_of_a_document_has_a_position() {
        assert_eq!(Lines::new("").position(0), Position { line: 1, column: 1 });
        assert_eq!(Lines::new("ab\n").position(3), Position { line: 2, column: 1 });
        assert_eq!(Lines::new("ab").position(99), Position { line: 1, column: 3 });
    }

    #[test]
    fn a_finding_reads_like_a_compiler_error() {
        let text = "x: 1\ny: 2\n";
        let finding = Finding::error("bad-y", "f.yml", Span::new(8, 9), "'y' is bad").help("use 3");
        insta::assert_snapshot!(render(&[finding], text), @r"
        f.yml:2:4: error[bad-y]: 'y' is bad
        help: use 3
        ");
    }

    #[test]
    fn a_column_of_a_long_line_is_counted_from_the_nearest_block() {
        let text = format!("\u{feff}{}\n", "a\u{e4}\u{20ac}\u{1f512}".repeat(BLOCK));
        let lines = Lines::new(&text);
        for (index, (at, _)) in text.char_indices().enumerate().skip(1).step_by(7) {
            assert_eq!(lines.position(at), Position { line: 1, column: index });
        }
        assert_eq!(lines.position(text.len()), Position { line: 2, column: 1 });
    }

    proptest! {
        #[test]
        fn positions_agree_with_counting_from_the_start(text in "[a\u{e4}\n\r ]{0,60}", offset in 0usize..70) {
            let at = text.floor_char_boundary(offset.min(text.len()));
            let before = &text[..at];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
            prop_assert_eq!(Lines::new(&text).position(offset), Position { line, column });
        }
    }
}
