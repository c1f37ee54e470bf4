//! What a rule is: an id, a group, how bad it is, its documentation, and a
//! function from documents to findings.
//!
//! A rule is one file below `rules/`; the doc comment inside [`rule!`] is what
//! `backstop explain` prints, what SARIF carries as help, and what the tests run:
//! each block under `## Bad` must fire the rule, none under `## Good` may.

use std::cell::OnceCell;
use std::fmt;

use serde::Serialize;

use crate::document::Document;
use crate::finding::{Finding, Fix, Label, Place, Severity, Span};
use crate::model::Set;
use crate::secrets::{self, Found};
use crate::suppress::Allow;

mod docs;

pub use docs::{Docs, Documentation, Example, SECTIONS};

pub struct Rule {
    /// Names the bad thing, in kebab case; reads well after "allow".
    pub id: &'static str,
    pub group: Group,
    /// What its findings are, where a finding does not say otherwise.
    pub severity: Severity,
    pub fix: Fixable,
    pub check: Check,
    /// The doc comment as it was captured; see [`Documentation`].
    #[cfg(feature = "documentation")]
    pub comment: &'static str,
}

/// How a rule looks at what it is given.
#[derive(Clone, Copy)]
pub enum Check {
    /// At everything that concerns backups, parsed and joined. Most rules.
    Set(fn(&Set<'_>, &mut Findings<'_>)),
    /// At each text document of any kind, alone. It sees whole source trees: it must be
    /// linear and pass over a document without hits at memory speed.
    Text(fn(&Alone<'_>, &mut Findings<'_>)),
    /// At the suppressions of each document, once all is known that they allow.
    Allows(fn(usize, &[Allowed<'_>], &mut Findings<'_>)),
}

/// A document by itself, and what more than one rule asks of it.
#[derive(Debug)]
pub struct Alone<'d> {
    pub document: &'d Document,
    index: usize,
    found: OnceCell<Found>,
}

impl<'d> Alone<'d> {
    pub fn new(index: usize, document: &'d Document) -> Self {
        Self { document, index, found: OnceCell::new() }
    }

    /// Its secrets, searched for once.
    pub fn secrets(&self) -> &Found {
        let search = || secrets::search(&self.document.text, secrets::Place::of_document(self.document));
        self.found.get_or_init(search)
    }

    pub fn place(&self, span: Span) -> Place {
        Place { document: self.index, span }
    }
}

/// A suppression, and what came of it.
#[derive(Debug)]
pub struct Allowed<'a> {
    pub allow: &'a Allow,
    /// For each of its rules: whether a finding was suppressed.
    pub used: Vec<bool>,
}

/// The folder a rule lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    Retention,
    Encryption,
    Secrets,
    Schedule,
    Workflow,
    Dump,
    Restore,
    Storage,
    Monitoring,
    Migration,
    Docs,
    Policy,
    Suppression,
}

impl Group {
    pub const ALL: [Self; 13] = [
        Self::Retention,
        Self::Encryption,
        Self::Secrets,
        Self::Schedule,
        Self::Workflow,
        Self::Dump,
        Self::Restore,
        Self::Storage,
        Self::Monitoring,
        Self::Migration,
        Self::Docs,
        Self::Policy,
        Self::Suppression,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Encryption => "encryption",
            Self::Secrets => "secrets",
            Self::Schedule => "schedule",
            Self::Workflow => "workflow",
            Self::Dump => "dump",
            Self::Restore => "restore",
            Self::Storage => "storage",
            Self::Monitoring => "monitoring",
            Self::Migration => "migration",
            Self::Docs => "docs",
            Self::Policy => "policy",
            Self::Suppression => "suppression",
        }
    }
}

/// Whether findings of a rule can carry a [`Fix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixable {
    No,
    /// Some findings: where the fix is plain to see.
    Sometimes,
    Always,
}

impl Rule {
    /// Where a person reads about it.
    pub fn url(&self) -> String {
        url(self.id)
    }

    #[cfg(feature = "documentation")]
    pub fn docs(&self) -> Docs {
        Docs::parse(self.comment)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

/// The page of a rule.
pub fn url(id: &str) -> String {
    format!("https://backstop-db.github.io/backstop/rules/{id}")
}

/// Declares a file's `RULE` and captures its documentation.
macro_rules! rule {
    (
        $(#[doc = $line:literal])*
        $id:literal in $group:ident,
        severity: $severity:ident,
        fix: $fix:ident,
        check: $kind:ident($check:path) $(,)?
    ) => {
        pub static RULE: crate::rule::Rule = crate::rule::Rule {
            id: $id,
            group: crate::rule::Group::$group,
            severity: crate::finding::Severity::$severity,
            fix: crate::rule::Fixable::$fix,
            check: crate::rule::Check::$kind($check),
            #[cfg(feature = "documentation")]
            comment: concat!($($line, "\n"),*),
        };
    };
}
pub(crate) use rule;

/// What a rule has found so far.
pub struct Findings<'d> {
    documents: &'d [Document],
    rule: &'static Rule,
    found: Vec<Finding>,
}

impl<'d> Findings<'d> {
    pub fn new(documents: &'d [Document], rule: &'static Rule) -> Self {
        Self { documents, rule, found: Vec::new() }
    }

    pub fn into_vec(self) -> Vec<Finding> {
        self.found
    }

    /// One more finding, of the rule's own severity: say in one line what will
    /// happen, in lower case and without a final stop.
    pub fn report(&mut self, at: Place, message: impl Into<String>) -> Reported<'_, 'd> {
        let path = self.documents.get(at.document).map_or("", |document| &document.path);
        let finding = Finding::error(self.rule.id, path, at.span, message).severity(self.rule.severity);
        let index = self.found.len();
        self.found.push(finding);
        Reported { findings: self, index }
    }
}

/// A finding that was just reported: more can be said about it.
pub struct Reported<'f, 'd> {
    findings: &'f mut Findings<'d>,
    index: usize,
}

#[expect(
    clippy::return_self_not_must_use,
    reason = "the finding has been reported: more may be said, or not"
)]
impl Reported<'_, '_> {
    fn change(self, change: impl FnOnce(&mut Finding, &[Document])) -> Self {
        if let Some(finding) = self.findings.found.get_mut(self.index) {
            change(finding, self.findings.documents);
        }
        self
    }

    /// What to do about it: an imperative, in lower case.
    pub fn help(self, help: impl Into<String>) -> Self {
        self.change(|finding, _| finding.help = Some(help.into()))
    }

    /// Not as bad, or worse, than the rule usually is.
    pub fn severity(self, severity: Severity) -> Self {
        self.change(|finding, _| finding.severity = severity)
    }

    /// Another place that makes it understood.
    pub fn related(self, at: Place, message: impl Into<String>) -> Self {
        self.change(|finding, documents| {
            let path = documents.get(at.document).map_or_else(String::new, |document| document.path.clone());
            finding.related.push(Label { path, place: at, message: message.into() });
        })
    }

    pub fn fix(self, fix: Fix) -> Self {
        self.change(|finding, _| finding.fix = Some(fix))
    }
}
