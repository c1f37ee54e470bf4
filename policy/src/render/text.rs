//! For people: each finding with its line and a caret, then one line that counts.

use std::fmt::Write as _;

use super::{Listing, Shown, count, printable};
use crate::finding::{Safety, Severity};

/// Every finding; empty where there is none.
pub fn text(listing: &Listing) -> String {
    let mut out = String::new();
    for finding in &listing.findings {
        one(finding, &mut out);
    }
    out
}

fn one(finding: &Shown, out: &mut String) {
    let Shown { start, end, severity, rule, snippet, .. } = finding;
    let _ = writeln!(
        out,
        "{}:{}:{}: {}[{rule}]: {}",
        printable(&finding.path),
        start.line,
        start.column,
        severity.as_str(),
        printable(&finding.message)
    );
    let number = start.line.to_string();
    let gutter = " ".repeat(number.len());
    let (before, marked) = (printable(&snippet.before), printable(&snippet.marked));
    let line = format!("{before}{marked}{}", printable(&snippet.behind));
    if !line.trim().is_empty() {
        let indent = line.chars().take_while(|c| *c == ' ').count().min(before.chars().count());
        let carets = "^".repeat(marked.trim_end().chars().count().max(1));
        let more = if end.line > start.line { "…" } else { "" };
        let blanks = " ".repeat(before.chars().count() - indent);
        let _ = writeln!(out, "{gutter} |");
        let _ = writeln!(out, "{number} | {}", line.get(indent..).unwrap_or_default().trim_end());
        let _ = writeln!(out, "{gutter} | {blanks}{carets}{more}");
    }
    if let Some(context) = &finding.context {
        let _ = writeln!(out, "{gutter} = in: {}", printable(context));
    }
    if let Some(commit) = &finding.commit {
        let id: String = commit.id.chars().take(12).collect();
        let _ = writeln!(
            out,
            "{gutter} = commit: {id}, {}, {}",
            printable(&commit.date),
            printable(&commit.author)
        );
    }
    for label in &finding.related {
        let _ = writeln!(
            out,
            "{gutter} = {}:{}:{}: {}",
            printable(&label.path),
            label.at.line,
            label.at.column,
            printable(&label.message)
        );
    }
    let flag = finding.fix.as_ref().map(|(title, safety)| {
        (title, if *safety == Safety::Safe { "--fix" } else { "--fix --unsafe-fixes" })
    });
    match (&finding.help, flag) {
        (Some(help), Some((title, flag))) if help == title => {
            let _ = writeln!(out, "{gutter} = help: {} (`{flag}` does it)", printable(help));
        }
        (help, flag) => {
            if let Some(help) = help {
                let _ = writeln!(out, "{gutter} = help: {}", printable(help));
            }
            if let Some((title, flag)) = flag {
                let _ = writeln!(out, "{gutter} = `{flag}`: {}", printable(title));
            }
        }
    }
    out.push('\n');
}

/// `2 errors, 1 warning in 14 documents; 1 finding suppressed`.
pub fn summary(listing: &Listing) -> String {
    let severities = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let found: Vec<String> = severities
        .into_iter()
        .filter_map(|(severity, noun)| {
            Some(listing.count(severity)).filter(|number| *number > 0).map(|number| count(number, noun))
        })
        .collect();
    let found = if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") };
    let searched = match listing.commits {
        Some(commits) => count(commits, "commit"),
        None => count(listing.documents, "document"),
    };
    let mut line = format!("{found} in {searched}");
    if listing.suppressed > 0 {
        let _ = write!(line, "; {} suppressed", count(listing.suppressed, "finding"));
    }
    line
}
