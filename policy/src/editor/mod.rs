//! A lint run for an editor: a [`Request`] in, a [`View`] out, both JSON.
//!
//! What is found is what `backstop lint` finds in the same files. Beside the keys
//! that every program gets there are places in UTF-16, as editors count, fixes as
//! edits, and the comment that allows a finding.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::config::lint_options;
use crate::document::{Document, Kind};
use crate::finding::{Edit, Finding, Safety, Severity};
use crate::lint::{self, Options};
use crate::relevance::concerns_backups;
use crate::render::{self, Entry, Listing, Shown, shown};
use crate::rule::Documentation;
use crate::secrets;

mod allow;
mod reference;
#[cfg(test)]
mod tests;
mod utf16;

pub use reference::{Explained, Listed, explain, rules};
pub use utf16::Utf16;

/// Files as they are open in an editor, and what is looked for in them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    pub files: Vec<File>,
    #[serde(default)]
    pub select: Vec<String>,
    #[serde(default)]
    pub ignore: Vec<String>,
    #[serde(default)]
    pub min_severity: Option<Severity>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub path: String,
    pub text: String,
    /// Where path and text do not say what it is.
    #[serde(default)]
    pub kind: Option<String>,
}

/// What to show.
#[derive(Debug, Serialize)]
pub struct View<'v> {
    pub documents: Vec<About<'v>>,
    /// By path, then by place.
    pub findings: Vec<Item<'v>>,
    /// How many more there were that a comment allows.
    pub suppressed: usize,
}

#[derive(Debug, Serialize)]
pub struct About<'v> {
    pub path: &'v str,
    pub kind: &'static str,
    /// Whether it was read as part of a set-up, or searched for secrets alone.
    pub concerns_backups: bool,
}

#[derive(Debug, Serialize)]
pub struct Item<'v> {
    #[serde(flatten)]
    pub entry: Entry<'v>,
    /// Index of the document.
    pub document: usize,
    pub from: usize,
    pub to: usize,
    pub related: Vec<Related<'v>>,
    pub quick_fix: Option<QuickFix<'v>>,
}

#[derive(Debug, Serialize)]
pub struct Related<'v> {
    pub document: usize,
    pub path: &'v str,
    pub line: usize,
    pub from: usize,
    pub to: usize,
    pub message: &'v str,
}

#[derive(Debug, Serialize)]
pub struct QuickFix<'v> {
    pub title: &'v str,
    /// Does what was meant before, minus the fault.
    pub safe: bool,
    pub edits: Vec<Change<'v>>,
}

/// The text from `from` to `to`, in UTF-16, is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change<'v> {
    pub from: usize,
    pub to: usize,
    pub insert: &'v str,
}

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the request cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Kind(String),
    #[error("no rule and no group is called '{0}'")]
    Rule(String),
    #[error("two files are called '{0}'")]
    Twice(String),
    #[error("no format is called '{0}'")]
    Format(String),
    #[error("no finding of this rule begins there")]
    Finding,
}

/// All that is known of the files of a request.
#[derive(Debug)]
pub struct Review {
    documents: Vec<Document>,
    options: Options,
    /// Each with what is shown of it.
    found: Vec<(Finding, Shown)>,
    suppressed: usize,
}

impl Review {
    pub fn of_json(request: &str) -> Result<Self, Error> {
        Self::of(serde_json::from_str(request)?)
    }

    pub fn of(request: Request) -> Result<Self, Error> {
        let options = options(&request)?;
        let mut documents: Vec<Document> = Vec::with_capacity(request.files.len());
        for file in request.files {
            if documents.iter().any(|document| document.path == file.path) {
                return Err(Error::Twice(file.path));
            }
            documents.push(document(file)?);
        }
        Ok(Self::with(documents, options))
    }

    fn with(documents: Vec<Document>, options: Options) -> Self {
        let (joined, others): (Vec<Document>, Vec<Document>) =
            documents.iter().cloned().partition(concerns_backups);
        let mut report = lint::lint(&joined, &options);
        for document in &others {
            let alone = lint::lint_text(document, &options);
            report.findings.extend(alone.findings);
            report.suppressed += alone.suppressed;
        }
        let lines = shown(&report.findings, &documents);
        let mut found: Vec<(Finding, Shown)> = report.findings.into_iter().zip(lines).collect();
        found.sort_by(|(_, a), (_, b)| a.order(b));
        Self { documents, options, found, suppressed: report.suppressed }
    }

    pub fn view(&self) -> View<'_> {
        let tables: Vec<Utf16> = self.documents.iter().map(|document| Utf16::new(&document.text)).collect();
        let index: HashMap<&str, usize> = self
            .documents
            .iter()
            .enumerate()
            .map(|(index, document)| (document.path.as_str(), index))
            .collect();
        View {
            documents: self.documents.iter().map(about).collect(),
            findings: self
                .found
                .iter()
                .filter_map(|(finding, shown)| item(finding, shown, &index, &tables))
                .collect(),
            suppressed: self.suppressed,
        }
    }

    /// The same as a program or a person gets it from the command; see [`Self::sarif`].
    pub fn render(&self, format: &str) -> Result<String, Error> {
        let listing = self.listing();
        Ok(match format {
            "json" => render::json(&listing),
            "markdown" => render::markdown(&listing),
            "github" => render::annotations(&listing),
            "text" => render::text(&listing),
            other => return Err(Error::Format(other.to_owned())),
        })
    }

    /// As code scanning takes it.
    pub fn sarif(&self, version: &str, documentation: &Documentation) -> String {
        render::sarif(&self.listing(), version, documentation)
    }

    /// The text of a document, by its place in the request.
    pub fn text(&self, document: usize) -> &str {
        self.documents.get(document).map_or("", |document| &document.text)
    }

    fn listing(&self) -> Listing {
        Listing {
            documents: self.documents.len(),
            findings: self.found.iter().map(|(_, shown)| shown.clone()).collect(),
            suppressed: self.suppressed,
            commits: None,
        }
    }
}

/// The text of a file without its secrets, and how many lines held some.
pub fn mask(file: File) -> Result<(String, usize), Error> {
    let document = document(file)?;
    let found = secrets::find(&document.text, secrets::Place::of_document(&document));
    let whole = (0..document.text.len()).into();
    Ok((secrets::redact_found(&document.text, whole, &found).into_owned(), found.len()))
}

fn document(file: File) -> Result<Document, Error> {
    let mut document = Document::new(file.path, file.text);
    if let Some(kind) = file.kind {
        document.kind = kind.parse::<Kind>().map_err(Error::Kind)?;
    }
    Ok(document)
}

/// What the configuration among the files says, and then the request.
fn options(request: &Request) -> Result<Options, Error> {
    let name = request.select.iter().chain(&request.ignore).find(|name| !crate::rules::is_name(name));
    if let Some(name) = name {
        return Err(Error::Rule(name.clone()));
    }
    let configuration = ["backstop.yml", "backstop.yaml"]
        .into_iter()
        .find_map(|path| request.files.iter().find(|file| file.path == path));
    // Where it is wrong, a rule says so.
    let mut options =
        configuration.and_then(|file| lint_options(&file.path, &file.text).ok()).unwrap_or_default();
    if !request.select.is_empty() {
        options.select.clone_from(&request.select);
    }
    options.ignore.extend(request.ignore.iter().cloned());
    options.min_severity = request.min_severity.or(options.min_severity);
    Ok(options)
}

fn about(document: &Document) -> About<'_> {
    About { path: &document.path, kind: document.kind.as_str(), concerns_backups: concerns_backups(document) }
}

fn item<'v>(
    finding: &'v Finding,
    shown: &'v Shown,
    index: &HashMap<&str, usize>,
    tables: &[Utf16],
) -> Option<Item<'v>> {
    let document = *index.get(finding.path.as_str())?;
    let table = tables.get(document)?;
    let related = finding.related.iter().zip(&shown.related).filter_map(|(label, shown)| {
        let document = *index.get(label.path.as_str())?;
        let table = tables.get(document)?;
        Some(Related {
            document,
            path: &label.path,
            line: shown.at.line,
            from: table.units(label.place.span.start),
            to: table.units(label.place.span.end),
            message: &label.message,
        })
    });
    Some(Item {
        entry: render::entry(shown),
        document,
        from: table.units(finding.span.start),
        to: table.units(finding.span.end),
        related: related.collect(),
        quick_fix: finding.fix.as_ref().map(|fix| QuickFix {
            title: &fix.title,
            safe: fix.safety == Safety::Safe,
            edits: fix.edits.iter().map(|edit| change(edit, table)).collect(),
        }),
    })
}

/// An edit of the document that the table was made of.
pub fn change<'v>(edit: &'v Edit, table: &Utf16) -> Change<'v> {
    Change { from: table.units(edit.span.start), to: table.units(edit.span.end), insert: &edit.text }
}
