//! Documents in, findings out: joins what belongs together, runs the rules, sorts.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::document::Document;
use crate::finding::{Finding, Place, Severity};
use crate::model::Set;
use crate::rule::{Check, Findings, Rule};
use crate::rules;
use crate::secrets;

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Ids of rules or groups; none selects all.
    pub select: Vec<String>,
    /// Ids of rules or groups that are left out.
    pub ignore: Vec<String>,
    /// Findings below it are left out.
    pub min_severity: Option<Severity>,
}

impl Options {
    /// Only one rule.
    pub fn only(rule: &str) -> Self {
        Self { select: vec![rule.to_owned()], ..Self::default() }
    }

    pub fn selects(&self, rule: &Rule) -> bool {
        let names = |list: &[String]| list.iter().any(|name| name == rule.id || name == rule.group.as_str());
        (self.select.is_empty() || names(&self.select)) && !names(&self.ignore)
    }

    fn wants(&self, finding: &Finding) -> bool {
        self.min_severity.is_none_or(|least| finding.severity <= least)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// By document in the order given, then by place.
    pub findings: Vec<Finding>,
}

/// A message may quote what was written: never a secret in it.
fn redact(finding: &mut Finding) {
    let mask = |text: &mut String| {
        if let Cow::Owned(masked) = secrets::redact(text) {
            *text = masked;
        }
    };
    mask(&mut finding.message);
    finding.help.iter_mut().for_each(mask);
    finding.related.iter_mut().for_each(|label| mask(&mut label.message));
}

/// What will go wrong with the set-up that these documents describe.
pub fn lint(documents: &[Document], options: &Options) -> Report {
    let set = Set::of(documents);
    let mut findings = Vec::new();
    for rule in rules::all().filter(|rule| options.selects(rule)) {
        let mut found = Findings::new(documents, rule);
        match rule.check {
            Check::Set(check) => check(&set, &mut found),
            Check::Text(check) => {
                documents.iter().enumerate().for_each(|(index, document)| check(index, document, &mut found));
            }
        }
        findings.extend(found.into_vec());
    }
    findings.retain(|finding| options.wants(finding));
    for finding in &mut findings {
        let document =
            documents.iter().position(|document| document.path == finding.path).unwrap_or_default();
        finding.context = set.context(Place { document, span: finding.span });
        redact(finding);
    }
    let order = |finding: &Finding| documents.iter().position(|document| document.path == finding.path);
    findings
        .sort_by_cached_key(|finding| (order(finding), finding.span, finding.rule, finding.message.clone()));
    // A text that two readers pass over is reported once.
    let mut seen = HashSet::new();
    findings.retain(|finding| seen.insert((finding.rule, finding.path.clone(), finding.span)));
    Report { findings }
}
