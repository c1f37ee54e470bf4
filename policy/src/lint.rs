//! Documents in, findings out: joins what belongs together, runs the rules, leaves
//! out what was allowed, sorts.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::document::Document;
use crate::finding::{Finding, Lines, Place, Severity};
use crate::glob;
use crate::model::Set;
use crate::rule::{Allowed, Alone, Check, Findings, Rule};
use crate::rules;
use crate::secrets;
use crate::suppress::Allows;

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Ids of rules or groups; none selects all.
    pub select: Vec<String>,
    /// Ids of rules or groups that are left out.
    pub ignore: Vec<String>,
    /// The same for paths that a pattern matches (see [`glob::matches`]).
    pub per_path_ignores: Vec<(String, Vec<String>)>,
    /// Where paths count from, seen from where those patterns do: a folder, or nothing.
    pub folder: String,
    /// Findings below it are left out.
    pub min_severity: Option<Severity>,
}

impl Options {
    /// Only one rule.
    pub fn only(rule: &str) -> Self {
        Self { select: vec![rule.to_owned()], ..Self::default() }
    }

    pub fn selects(&self, rule: &Rule) -> bool {
        (self.select.is_empty() || names(&self.select, rule)) && !names(&self.ignore, rule)
    }

    fn wants(&self, finding: &Finding, rule: &Rule) -> bool {
        let ignored = |(pattern, list): &(String, Vec<String>)| {
            names(list, rule) && glob::matches(pattern, &glob::join(&self.folder, &finding.path))
        };
        self.min_severity.is_none_or(|least| finding.severity <= least)
            && self.selects(rule)
            && !self.per_path_ignores.iter().any(ignored)
    }
}

fn names(list: &[String], rule: &Rule) -> bool {
    list.iter().any(|name| name == rule.id || name == rule.group.as_str())
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// By document in the order given, then by place.
    pub findings: Vec<Finding>,
    /// How many more there were that a comment allows.
    pub suppressed: usize,
}

/// A finding may quote what was written, in each of its texts: never a secret in it.
fn redact(finding: &mut Finding) {
    let mask = |text: &mut String| {
        if let Cow::Owned(masked) = secrets::redact(text) {
            *text = masked;
        }
    };
    mask(&mut finding.message);
    finding.help.iter_mut().for_each(mask);
    finding.related.iter_mut().for_each(|label| mask(&mut label.message));
    finding.fix.iter_mut().for_each(|fix| mask(&mut fix.title));
    finding.context.iter_mut().for_each(mask);
}

/// What will go wrong with the set-up that these documents describe.
pub fn lint(documents: &[Document], options: &Options) -> Report {
    Run::new(documents, options).run(Some(&Set::of(documents)))
}

/// The same for a document that has nothing to do with backups
/// (see [`crate::relevance`]): what may lie in any text.
pub fn lint_text(document: &Document, options: &Options) -> Report {
    Run::new(std::slice::from_ref(document), options).run(None)
}

struct Run<'r> {
    documents: &'r [Document],
    options: &'r Options,
    by_path: HashMap<&'r str, usize>,
    allows: Vec<Allows>,
    alone: Vec<Alone<'r>>,
}

impl<'r> Run<'r> {
    fn new(documents: &'r [Document], options: &'r Options) -> Self {
        let mut by_path = HashMap::with_capacity(documents.len());
        for (index, document) in documents.iter().enumerate() {
            by_path.entry(document.path.as_str()).or_insert(index);
        }
        let alone = documents.iter().enumerate().map(|(index, document)| Alone::new(index, document));
        Self {
            documents,
            options,
            by_path,
            allows: documents.iter().map(Allows::of).collect(),
            alone: alone.collect(),
        }
    }

    fn run(&self, set: Option<&Set<'_>>) -> Report {
        let mut used: Vec<Vec<Vec<bool>>> = self.allows.iter().map(unused).collect();
        let mut kept: Vec<(usize, Finding)> = Vec::new();
        let mut suppressed = 0;
        let mut tables: HashMap<usize, Lines<'_>> = HashMap::new();
        for rule in rules::all().filter(|rule| self.options.selects(rule) || self.is_allowed(rule)) {
            // Where a directive names the rule: the lines of what it found.
            let mut named: HashMap<usize, Vec<usize>> = HashMap::new();
            for (document, finding) in self.found(rule, set) {
                let wanted = self.options.wants(&finding, rule);
                let allows = self.allows.get(document).filter(|allows| allows.name(rule.id));
                let allowed = allows.zip(self.documents.get(document)).is_some_and(|(allows, text)| {
                    let table = tables.entry(document).or_insert_with(|| Lines::new(&text.text));
                    let line = table.number(finding.span.start);
                    named.entry(document).or_default().push(line);
                    allows.cover(rule.id, line)
                });
                match (allowed, wanted) {
                    (true, true) => suppressed += 1,
                    (false, true) => kept.push((document, finding)),
                    (_, false) => {}
                }
            }
            for (document, mut lines) in named {
                lines.sort_unstable();
                let (Some(allows), Some(used)) = (self.allows.get(document), used.get_mut(document)) else {
                    continue;
                };
                for (allow, id) in allows.needed(rule.id, &lines) {
                    if let Some(used) = used.get_mut(allow).and_then(|used| used.get_mut(id)) {
                        *used = true;
                    }
                }
            }
        }
        kept.extend(self.judge_allows(&used));
        Report { findings: finish(kept, set), suppressed }
    }

    /// Rules that a comment names run even where they are not selected, to know
    /// whether the comment is needed.
    fn is_allowed(&self, rule: &Rule) -> bool {
        self.allows.iter().any(|allows| allows.name(rule.id))
    }

    /// What a rule finds, each text once, with the index of its document.
    fn found(&self, rule: &'static Rule, set: Option<&Set<'_>>) -> Vec<(usize, Finding)> {
        let mut found = Findings::new(self.documents, rule);
        match (rule.check, set) {
            (Check::Set(check), Some(set)) => check(set, &mut found),
            (Check::Text(check), _) => {
                for document in &self.alone {
                    check(document, &mut found);
                }
            }
            (Check::Set(_), None) | (Check::Allows(_), _) => {}
        }
        // A text that two readers pass over is reported once.
        let mut seen = HashSet::new();
        let once = |finding: Finding| {
            let document = self.document_of(&finding);
            seen.insert((document, finding.span)).then_some((document, finding))
        };
        found.into_vec().into_iter().filter_map(once).collect()
    }

    fn document_of(&self, finding: &Finding) -> usize {
        self.by_path.get(finding.path.as_str()).copied().unwrap_or_default()
    }

    fn judge_allows(&self, used: &[Vec<Vec<bool>>]) -> Vec<(usize, Finding)> {
        let mut found = Vec::new();
        for rule in rules::all().filter(|rule| self.options.selects(rule)) {
            let Check::Allows(check) = rule.check else { continue };
            let mut findings = Findings::new(self.documents, rule);
            for (index, (allows, used)) in self.allows.iter().zip(used).enumerate() {
                let allowed: Vec<Allowed<'_>> = allows
                    .all
                    .iter()
                    .zip(used)
                    .map(|(allow, used)| Allowed { allow, used: used.clone() })
                    .collect();
                if !allowed.is_empty() {
                    check(index, &allowed, &mut findings);
                }
            }
            let wanted = findings.into_vec().into_iter().filter(|finding| self.options.wants(finding, rule));
            found.extend(wanted.map(|finding| (self.document_of(&finding), finding)));
        }
        found
    }
}

fn finish(mut kept: Vec<(usize, Finding)>, set: Option<&Set<'_>>) -> Vec<Finding> {
    for (document, finding) in &mut kept {
        finding.context = set.and_then(|set| set.context(Place { document: *document, span: finding.span }));
        redact(finding);
    }
    kept.sort_by(|(a_document, a), (b_document, b)| {
        (a_document, a.span, a.rule, &a.message).cmp(&(b_document, b.span, b.rule, &b.message))
    });
    kept.into_iter().map(|(_, finding)| finding).collect()
}

fn unused(allows: &Allows) -> Vec<Vec<bool>> {
    allows.all.iter().map(|allow| vec![false; allow.rules.len()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Fix, Label};

    const DUMP: &str = "pg_dump a | gzip > b\n";

    fn rules_of(report: &Report) -> Vec<&str> {
        report.findings.iter().map(|finding| finding.rule).collect()
    }

    fn of(text: &str, options: &Options) -> Report {
        lint(&[Document::new("scripts/backup.sh", text)], options)
    }

    #[test]
    fn no_text_of_a_finding_keeps_a_secret() {
        let secret = "postgres://shop:W4jx9ncQb6@db.shop-internal.net/shop";
        let place = Place::default();
        let related = vec![Label { path: "a.sh".to_owned(), place, message: secret.to_owned() }];
        let mut finding = Finding {
            related,
            fix: Some(Fix::safe(secret, Vec::new())),
            context: Some(secret.to_owned()),
            ..Finding::error("a", "a.sh", place.span, secret).help(secret)
        };
        redact(&mut finding);
        let told = format!("{finding:?}");
        assert!(!told.contains("W4jx9ncQb6") && told.matches("shop:***@").count() == 5, "{told}");
    }

    #[test]
    fn what_is_allowed_is_counted_and_not_shown() {
        let options =
            Options { select: vec!["dump".to_owned(), "suppression".to_owned()], ..Options::default() };
        assert!(rules_of(&of(DUMP, &options)).contains(&"pipefail-missing"));
        let allowed = of(&format!("# backstop: allow pipefail-missing -- why\n{DUMP}"), &options);
        assert!(!rules_of(&allowed).contains(&"pipefail-missing"));
        assert_eq!(allowed.suppressed, 1);
        let other = of(&format!("# backstop: allow pipefail-missing -- why\nls\n{DUMP}"), &options);
        assert!(rules_of(&other).contains(&"pipefail-missing") && rules_of(&other).contains(&"stale-allow"));
        assert_eq!(other.suppressed, 0);
    }

    #[test]
    fn a_comment_for_a_rule_that_is_not_selected_is_not_stale() {
        let text = format!("# backstop: allow pipefail-missing -- why\n{DUMP}");
        assert_eq!(rules_of(&of(&text, &Options::only("suppression"))), [""; 0]);
        let ignoring = Options { ignore: vec!["dump".to_owned()], ..Options::only("suppression") };
        assert_eq!(of(&text, &ignoring), Report::default());
    }

    #[test]
    fn paths_can_be_left_out() {
        let ignore = |pattern: &str| Options {
            per_path_ignores: vec![(pattern.to_owned(), vec!["dump".to_owned()])],
            ..Options::only("pipefail-missing")
        };
        assert_eq!(rules_of(&of(DUMP, &ignore("docs/**"))), ["pipefail-missing"]);
        assert_eq!(of(DUMP, &ignore("scripts/")), Report::default());
    }

    #[test]
    fn severities_below_are_left_out() {
        let options = |least| Options { min_severity: Some(least), ..Options::only("credential-in-file") };
        let local = "psql postgres://postgres:postgres@localhost/db\n";
        assert_eq!(of(local, &options(Severity::Warning)), Report::default());
        assert_eq!(of(local, &options(Severity::Note)).findings.len(), 1);
    }

    #[test]
    fn a_text_without_backups_is_searched_for_secrets_alone() {
        let document =
            Document::new("a.sh", format!("{DUMP}U=postgres://shop:V7kq2mzRt9@db.shop-internal.net/s\n"));
        assert_eq!(rules_of(&lint_text(&document, &Options::default())), ["credential-in-file"]);
    }
}
