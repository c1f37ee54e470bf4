//! What the tests at the foot of a rule call: documents in, the rule's findings as
//! text out.

use std::collections::HashMap;

use crate::document::Document;
use crate::finding::{Finding, Lines};
use crate::fix::apply;
use crate::lint::{Options, lint};
use crate::rule::Rule;

/// Rounds until a fix has to settle.
const ROUNDS: usize = 5;

pub fn documents(files: &[(&str, &str)]) -> Vec<Document> {
    files.iter().map(|(path, text)| Document::new(*path, *text)).collect()
}

/// The findings of one rule.
pub fn findings(rule: &Rule, documents: &[Document]) -> Vec<Finding> {
    lint(documents, &Options::only(rule.id)).findings
}

/// The findings of one rule on `(path, text)`, as a user sees them.
pub fn check(rule: &Rule, files: &[(&str, &str)]) -> String {
    let documents = documents(files);
    let lines: HashMap<&str, Lines<'_>> =
        documents.iter().map(|document| (document.path.as_str(), Lines::new(&document.text))).collect();
    let render = |finding: &Finding| {
        let mut text = finding.render(&lines[finding.path.as_str()]);
        for label in &finding.related {
            let at = lines[label.path.as_str()].position(label.place.span.start);
            text.push_str(&format!("  {}:{}:{}: {}\n", label.path, at.line, at.column, label.message));
        }
        text
    };
    findings(rule, &documents).iter().map(render).collect()
}

/// The text when every fix was applied, safe or not, until none is left.
pub fn fix(rule: &Rule, path: &str, text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..ROUNDS {
        let found = findings(rule, &[Document::new(path, text.as_str())]);
        let (next, applied) = apply(&text, found.iter().filter_map(|finding| finding.fix.as_ref()));
        if applied == 0 {
            return text;
        }
        assert_ne!(next, text, "a fix changes something");
        text = next;
    }
    panic!("the fix of {} does not settle:\n{text}", rule.id);
}
