//! A finding with all that any format shows of it: made while its document is at
//! hand, and the only place where a line of a document is taken over, masked.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde::Serialize;

use crate::document::Document;
use crate::finding::{Finding, Lines, Position, Safety, Severity, Span};
use crate::rule::{Group, Rule};
use crate::rules;
use crate::secrets::{self, Secret};

/// Characters of a line that are shown before, at and behind a finding.
const BEFORE: usize = 60;
const MARKED: usize = 100;
const BEHIND: usize = 80;
/// Bytes of a line that are looked at for each of them: a line may be megabytes, with
/// a finding every few bytes.
const LOOK: usize = 4 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub rule: &'static str,
    pub group: Option<Group>,
    pub severity: Severity,
    pub path: String,
    pub start: Position,
    pub end: Position,
    pub message: String,
    pub help: Option<String>,
    pub related: Vec<Label>,
    /// What `--fix` would do, and whether only `--unsafe-fixes` would.
    pub fix: Option<(String, Safety)>,
    pub context: Option<String>,
    pub snippet: Snippet,
    /// The same for the same line under the same rule, wherever it moves in its file.
    pub fingerprint: String,
    /// Where a history was searched.
    pub commit: Option<Commit>,
}

/// Another place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub path: String,
    pub at: Position,
    pub message: String,
}

/// The line of a finding, with masks for secrets; long ones are cut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snippet {
    pub before: String,
    pub marked: String,
    pub behind: String,
}

/// The commit that brought a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commit {
    pub id: String,
    pub author: String,
    /// When it was written: RFC 3339, with the author's time zone.
    pub date: String,
}

impl Shown {
    pub fn url(&self) -> String {
        crate::rule::url(self.rule)
    }

    /// By path, then by place.
    pub fn order(&self, other: &Self) -> Ordering {
        let key = |shown: &Self| (shown.start.line, shown.start.column, shown.rule);
        self.path
            .cmp(&other.path)
            .then_with(|| key(self).cmp(&key(other)))
            .then_with(|| self.message.cmp(&other.message))
    }

    pub fn rule(&self) -> Option<&'static Rule> {
        rules::find(self.rule)
    }
}

/// Findings as they are shown; each lies in one of `documents`.
pub fn shown(findings: &[Finding], documents: &[Document]) -> Vec<Shown> {
    let mut texts: HashMap<&str, Text<'_>> = HashMap::new();
    let by_path: HashMap<&str, &Document> =
        documents.iter().map(|document| (document.path.as_str(), document)).collect();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut all = Vec::with_capacity(findings.len());
    for finding in findings {
        let labels = finding.related.iter().map(|label| label.path.as_str());
        for path in labels.chain([finding.path.as_str()]) {
            if let Some(document) = by_path.get(path) {
                texts.entry(document.path.as_str()).or_insert_with(|| Text::of(document));
            }
        }
        let Some(line) = texts.get_mut(finding.path.as_str()).map(|text| text.fingerprint(finding)) else {
            continue;
        };
        let Some(text) = texts.get(finding.path.as_str()) else { continue };
        let related = finding.related.iter().filter_map(|label| {
            let text = texts.get(label.path.as_str())?;
            let at = text.lines.position(label.place.span.start);
            Some(Label { path: label.path.clone(), at, message: label.message.clone() })
        });
        let times = seen.entry(line.clone()).or_insert(0);
        *times += 1;
        all.push(Shown {
            rule: finding.rule,
            group: rules::find(finding.rule).map(|rule| rule.group),
            severity: finding.severity,
            path: finding.path.clone(),
            start: text.lines.position(finding.span.start),
            end: text.lines.position(finding.span.end),
            message: finding.message.clone(),
            help: finding.help.clone(),
            related: related.collect(),
            fix: finding.fix.as_ref().map(|fix| (fix.title.clone(), fix.safety)),
            context: finding.context.clone(),
            snippet: text.snippet(finding.span),
            fingerprint: format!("{line}-{times}"),
            commit: None,
        });
    }
    all
}

/// A document, and what is asked of it for each of its findings.
struct Text<'d> {
    whole: &'d str,
    lines: Lines<'d>,
    secrets: Vec<Secret>,
    /// By rule and line.
    fingerprints: HashMap<(&'static str, usize), String>,
}

impl<'d> Text<'d> {
    fn of(document: &'d Document) -> Self {
        Self {
            whole: &document.text,
            lines: Lines::new(&document.text),
            secrets: secrets::find(&document.text, secrets::Place::of(&document.path)),
            fingerprints: HashMap::new(),
        }
    }

    fn masked(&self, start: usize, end: usize) -> String {
        secrets::redact_found(self.whole, Span::new(start, end.max(start)), &self.secrets)
            .replace('\t', "    ")
    }

    fn snippet(&self, span: Span) -> Snippet {
        let line = self.lines.line(self.lines.number(span.start));
        let start = span.start.clamp(line.start, line.end);
        let end = span.end.clamp(start, line.end);
        let from = line.start.max(self.whole.floor_char_boundary(start.saturating_sub(LOOK)));
        // A byte-order mark would move the caret.
        let before = self.masked(from, start);
        let before = before.trim_start_matches('\u{feff}');
        let cut = before.chars().count().saturating_sub(BEFORE);
        let before: String = before.chars().skip(cut).collect();
        Snippet {
            before: if cut > 0 || from > line.start { format!("…{before}") } else { before },
            marked: self.beginning(start, end, MARKED),
            behind: self.beginning(end, line.end, BEHIND),
        }
    }

    /// The first characters of a part.
    fn beginning(&self, start: usize, end: usize, limit: usize) -> String {
        let to = end.min(self.whole.floor_char_boundary(start.saturating_add(LOOK)));
        let masked = self.masked(start, to);
        match masked.char_indices().nth(limit) {
            Some((end, _)) => format!("{}…", masked.get(..end).unwrap_or_default()),
            None if to < end => format!("{masked}…"),
            None => masked,
        }
    }

    /// Of the rule, the path and the masked line: to know a value's hash would let
    /// anybody try passwords.
    fn fingerprint(&mut self, finding: &Finding) -> String {
        let number = self.lines.number(finding.span.start);
        if let Some(known) = self.fingerprints.get(&(finding.rule, number)) {
            return known.clone();
        }
        let line = self.lines.line(number);
        let masked = self.masked(line.start, line.end);
        let words: Vec<&str> = masked.split_whitespace().collect();
        let text = [finding.rule, &finding.path, &words.join(" ")].join("\0");
        let fingerprint = format!("{:016x}", fnv1a(text.as_bytes()));
        self.fingerprints.insert((finding.rule, number), fingerprint.clone());
        fingerprint
    }
}

/// FNV-1a with 64 bits: stable for ever, and nobody gains from a collision.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
