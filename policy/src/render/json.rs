//! For programs. The keys are stable: new ones may come, none goes or changes its
//! meaning while `schema` is 1.

use serde::Serialize;

use super::{Commit, Listing, Shown};
use crate::finding::Severity;
use crate::rule::Group;

#[derive(Serialize)]
struct Document<'l> {
    schema: u8,
    documents: usize,
    findings: Vec<Entry<'l>>,
    suppressed: usize,
    summary: Summary,
}

/// One finding. Lines and columns count from one, columns in Unicode scalar values.
#[derive(Debug, Serialize)]
pub struct Entry<'l> {
    pub rule: &'static str,
    group: Option<Group>,
    severity: Severity,
    path: &'l str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    message: &'l str,
    help: Option<&'l str>,
    url: String,
    /// Whether `--fix` can mend it, with `--unsafe-fixes` at the latest.
    fix: bool,
    context: Option<&'l str>,
    /// What a baseline knows it by.
    fingerprint: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'l Commit>,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    notes: usize,
}

/// Indented, in the order of the documentation.
pub fn json(listing: &Listing) -> String {
    let document = Document {
        schema: 1,
        documents: listing.documents,
        findings: listing.findings.iter().map(entry).collect(),
        suppressed: listing.suppressed,
        summary: Summary {
            errors: listing.count(Severity::Error),
            warnings: listing.count(Severity::Warning),
            notes: listing.count(Severity::Note),
        },
    };
    // Numbers and texts under fixed keys: there is nothing in it that JSON has not.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

pub fn entry(finding: &Shown) -> Entry<'_> {
    Entry {
        rule: finding.rule,
        group: finding.group,
        severity: finding.severity,
        path: &finding.path,
        line: finding.start.line,
        column: finding.start.column,
        end_line: finding.end.line,
        end_column: finding.end.column,
        message: &finding.message,
        help: finding.help.as_deref(),
        url: finding.url(),
        fix: finding.fix.is_some(),
        context: finding.context.as_deref(),
        fingerprint: &finding.fingerprint,
        commit: finding.commit.as_ref(),
    }
}
