//! For a job summary or a comment: one table, and what to do below it.

use std::fmt::Write as _;

use super::{Listing, printable, summary};

/// Rows of a table that somebody reads.
const ROWS: usize = 200;

pub fn markdown(listing: &Listing) -> String {
    let mut out = format!("### backstop lint: {}\n", escape(&summary(listing)));
    if listing.findings.is_empty() {
        return out;
    }
    out.push_str("\n| severity | rule | where | what will happen |\n|---|---|---|---|\n");
    for finding in listing.findings.iter().take(ROWS) {
        let commit = finding.commit.as_ref().map(|commit| {
            let id: String = commit.id.chars().take(12).collect();
            format!(" in {} of {}", escape(&id), escape(&commit.date))
        });
        let help = finding.help.as_ref().map(|help| format!("<br>{}", escape(help)));
        let _ = writeln!(
            out,
            "| {} | [{}]({}) | <code>{}:{}</code>{} | {}{} |",
            finding.severity.as_str(),
            finding.rule,
            finding.url(),
            escape(&finding.path),
            finding.start.line,
            commit.unwrap_or_default(),
            escape(&finding.message),
            help.unwrap_or_default(),
        );
    }
    if let Some(more) = listing.findings.len().checked_sub(ROWS).filter(|more| *more > 0) {
        let _ = writeln!(out, "\n{more} more are in the log.");
    }
    out
}

/// Any text as it is, in a cell of a table.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' | '#' | '@' => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe
}
