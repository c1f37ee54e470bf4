//! Workflow commands of GitHub Actions: an annotation beside the line. A step shows
//! ten of a kind, so what is more is counted in a last notice, which is one of ten.

use std::fmt::Write as _;

use super::{Listing, Shown, count};
use crate::finding::Severity;

/// Annotations of one kind that the runner keeps of a step.
const LIMIT: usize = 10;

/// One line each, the worst first.
pub fn annotations(listing: &Listing) -> String {
    let mut out = String::new();
    let mut left = 0;
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        let found = listing.findings.iter().filter(|finding| finding.severity == severity);
        let total = listing.count(severity);
        // Room for the notice that says what is not shown.
        let room = if severity == Severity::Note && (left > 0 || total > LIMIT) { LIMIT - 1 } else { LIMIT };
        found.take(room).for_each(|finding| one(finding, &mut out));
        left += total.saturating_sub(room);
    }
    if left > 0 {
        let _ = writeln!(
            out,
            "::notice title=backstop::{} more, which GitHub would not show here: see the log or the SARIF file",
            count(left, "finding")
        );
    }
    out
}

fn one(finding: &Shown, out: &mut String) {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut message = finding.message.clone();
    if let Some(help) = &finding.help {
        message = format!("{message}\nhelp: {help}");
    }
    let _ = write!(out, "::{level} file={},line={}", property(&finding.path), finding.start.line);
    // The runner refuses columns of a range over several lines.
    let _ = if finding.end.line > finding.start.line {
        write!(out, ",endLine={}", finding.end.line)
    } else {
        write!(out, ",col={},endColumn={}", finding.start.column, finding.end.column)
    };
    let _ = writeln!(out, ",title={}::{}", property(&format!("backstop: {}", finding.rule)), data(&message));
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
