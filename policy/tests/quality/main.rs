//! Every rule against its own cases: what it has to find is found, and nothing else.

#![expect(clippy::disallowed_methods, reason = "tests read files, and fail when they cannot")]

mod fixes;
mod set;

use backstop_policy::rule::{Group, Rule};
use backstop_policy::rules;
use set::{Case, cases};

/// What most set-ups get wrong: five cases of each kind; two for any other rule.
const CORE: [&str; 25] = [
    "backup-as-artifact",
    "blind-age-delete",
    "client-version-unpinned",
    "credential-in-file",
    "delete-scope-too-wide",
    "dump-unencrypted",
    "errexit-missing",
    "failure-notification-missing",
    "green-on-failure",
    "lifecycle-prefix-uncovered",
    "lifecycle-shorter-than-promise",
    "multi-cron-one-job",
    "notify-echo-only",
    "openssl-weak-kdf",
    "pipefail-missing",
    "restore-into-production",
    "retention-contradiction",
    "rpo-schedule-mismatch",
    "schema-only-dump",
    "secret-in-run",
    "tier-not-produced",
    "transaction-pooler",
    "verify-missing",
    "verify-wrong-format",
    "workflow-invalid",
];

#[test]
fn each_rule_has_its_cases() {
    let all = cases().unwrap();
    for rule in rules::all().filter(|rule| has_cases(rule)) {
        let least = if CORE.contains(&rule.id) { 5 } else { 2 };
        let of_rule: Vec<&Case> = all.iter().filter(|case| case.rule == rule.id).collect();
        let bad = of_rule.iter().filter(|case| case.is_bad).count();
        assert!(bad >= least, "{}: {bad} bad cases", rule.id);
        assert!(of_rule.len() - bad >= least, "{}: {} good cases", rule.id, of_rule.len() - bad);
    }
    for case in &all {
        let rule = rules::find(&case.rule).unwrap_or_else(|| panic!("no rule '{}'", case.rule));
        assert_eq!(rule.group.as_str(), case.group, "{}", case.rule);
        assert_eq!(case.is_bad, !case.labels.is_empty(), "{}, {}: its label", case.rule, case.title);
    }
    assert!(CORE.iter().all(|id| rules::find(id).is_some()));
}

/// Those of `backstop.yml` and of comments have theirs at the foot of the rule.
fn has_cases(rule: &Rule) -> bool {
    !matches!(rule.group, Group::Policy | Group::Suppression)
}

#[test]
fn each_rule_speaks_where_it_has_to() {
    let mut wrong = String::new();
    for case in cases().unwrap() {
        let found = case.found();
        if found != case.labels {
            let (id, title) = (&case.rule, &case.title);
            wrong.push_str(&format!("{id}, {title}: wanted {:?}, found {found:?}\n", case.labels));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
