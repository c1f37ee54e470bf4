//! The rules for a reader: every rule in, its documentation out, taken apart.

use serde::Serialize;

use crate::finding::Severity;
use crate::rule::{Documentation, Example, Fixable, Group, Rule};
use crate::rules::{all, find};

/// A rule in a list.
#[derive(Debug, Serialize)]
pub struct Listed {
    pub id: &'static str,
    pub group: Group,
    pub severity: Severity,
    /// Whether its findings can carry a fix: `no`, `sometimes` or `always`.
    pub fix: &'static str,
    pub summary: String,
}

/// A rule with all its documentation, in Markdown.
#[derive(Debug, Serialize)]
pub struct Explained {
    #[serde(flatten)]
    pub rule: Listed,
    pub url: String,
    pub sections: Vec<Section>,
    /// Set-ups that fire it, each as files.
    pub bad: Vec<Vec<Example>>,
    pub good: Vec<Vec<Example>>,
}

#[derive(Debug, Serialize)]
pub struct Section {
    pub heading: String,
    pub body: String,
}

/// Every rule, group by group.
pub fn rules(documentation: &Documentation) -> Vec<Listed> {
    all().map(|rule| listed(rule, documentation.of(rule).summary)).collect()
}

pub fn explain(id: &str, documentation: &Documentation) -> Option<Explained> {
    let rule = find(id)?;
    let docs = documentation.of(rule);
    let (bad, good) = (docs.examples("Bad"), docs.examples("Good"));
    let section = |(heading, body)| Section { heading, body };
    Some(Explained {
        rule: listed(rule, docs.summary),
        url: rule.url(),
        sections: docs.sections.into_iter().map(section).collect(),
        bad,
        good,
    })
}

fn listed(rule: &Rule, summary: String) -> Listed {
    let fix = match rule.fix {
        Fixable::No => "no",
        Fixable::Sometimes => "sometimes",
        Fixable::Always => "always",
    };
    Listed { id: rule.id, group: rule.group, severity: rule.severity, fix, summary }
}
