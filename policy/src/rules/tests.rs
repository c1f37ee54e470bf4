//! What holds for every rule.

use std::collections::HashSet;

use crate::document::Document;
use crate::rule::{Example, Fixable, Group, Rule, SECTIONS};
use crate::rules::testing::{findings, fix};
use crate::rules::{RULES, all};

fn documents(group: &[Example]) -> Vec<Document> {
    group.iter().map(|example| Document::new(example.path.as_str(), example.text.as_str())).collect()
}

#[test]
fn ids_are_unique_and_in_kebab_case_and_lie_in_their_group() {
    let mut seen = HashSet::new();
    for rule in all() {
        assert!(seen.insert(rule.id), "{} is there twice", rule.id);
        let kebab =
            rule.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        assert!(
            kebab && rule.id.contains('-') && !rule.id.starts_with('-') && !rule.id.ends_with('-'),
            "{}",
            rule.id
        );
    }
    for (rules, group) in RULES.iter().zip(Group::ALL) {
        assert!(
            rules.iter().all(|rule| rule.group == group),
            "a folder is one group, in the order of `Group`: {rules:?}"
        );
        assert!(rules.is_sorted_by_key(|rule| rule.id), "by id: {rules:?}");
    }
    assert_eq!(RULES.len(), Group::ALL.len());
}

/// What was promised to be looked for, by group.
const PROMISED: &[(Group, &[&str])] = &[
    (
        Group::Retention,
        &[
            "blind-age-delete",
            "delete-scope-too-wide",
            "retention-contradiction",
            "retention-missing",
            "retention-never-matches",
            "tier-not-produced",
        ],
    ),
    (
        Group::Encryption,
        &[
            "decrypt-path-missing",
            "dump-unencrypted",
            "encryption-not-wired",
            "key-on-command-line",
            "kms-direct-encrypt",
            "openssl-weak-kdf",
        ],
    ),
    (
        Group::Secrets,
        &[
            "credential-in-argv",
            "credential-in-file",
            "input-in-run",
            "secret-in-run",
            "secrets-in-backup",
            "url-password-unencoded",
        ],
    ),
    (
        Group::Schedule,
        &[
            "cron-env-missing",
            "cron-local-time",
            "multi-cron-one-job",
            "rpo-schedule-mismatch",
            "schedule-missing",
            "schedule-race",
            "unreachable-schedule-branch",
        ],
    ),
    (
        Group::Workflow,
        &[
            "action-unpinned",
            "backup-as-artifact",
            "backup-in-git",
            "concurrency-missing",
            "deprecated-action",
            "green-on-failure",
            "job-timeout-missing",
            "noop-backup",
            "pull-request-trigger",
            "quoted-heredoc-vars",
            "token-permissions-missing",
            "workflow-invalid",
        ],
    ),
    (
        Group::Dump,
        &[
            "client-version-unpinned",
            "docker-exec-tty",
            "double-compression",
            "double-date-name",
            "dump-not-incremental",
            "errexit-missing",
            "format-name-mismatch",
            "partial-schema-dump",
            "pipefail-missing",
            "schema-only-dump",
            "single-key-overwrite",
            "transaction-pooler",
            "unset-variable-arg",
        ],
    ),
    (
        Group::Restore,
        &[
            "restore-connection-leak",
            "restore-ignores-errors",
            "restore-into-production",
            "verify-always-passes",
            "verify-missing",
            "verify-weak",
            "verify-wrong-format",
        ],
    ),
    (
        Group::Storage,
        &[
            "bucket-policy-aes256-only",
            "checksum-missing",
            "lifecycle-malformed",
            "lifecycle-prefix-uncovered",
            "lifecycle-shorter-than-promise",
            "offsite-copy-missing",
            "same-failure-domain",
            "upload-unchecked",
        ],
    ),
    (
        Group::Monitoring,
        &[
            "cron-output-swallowed",
            "dead-man-switch-missing",
            "failure-notification-missing",
            "monitor-broken-test",
            "notify-echo-only",
            "required-arg-missing",
        ],
    ),
    (Group::Docs, &["platform-claim-wrong", "rto-rpo-conflict"]),
    (
        Group::Policy,
        &[
            "alert-without-receiver",
            "archive-misses-rto",
            "config-invalid",
            "credential-in-config",
            "encryption-missing",
            "keep-shorter-than-schedule",
            "offsite-store-missing",
            "private-key-in-config",
            "rpo-unreachable",
            "single-recipient",
            "tier-adds-nothing",
            "tier-without-schedule",
            "trial-restore-missing",
            "verification-too-old",
        ],
    ),
    (Group::Suppression, &["invalid-allow", "stale-allow"]),
];

#[test]
fn no_rule_gets_lost() {
    for (group, ids) in PROMISED {
        for id in *ids {
            assert!(
                all().any(|rule| rule.id == *id && rule.group == *group),
                "{} lacks {id}",
                group.as_str()
            );
        }
    }
}

#[test]
fn documentation_is_complete() {
    for rule in all() {
        let docs = rule.docs();
        assert!(docs.summary.len() > 20 && docs.summary.ends_with('.'), "{}: a sentence first", rule.id);
        let headings: Vec<&str> = docs.sections.iter().map(|(heading, _)| heading.as_str()).collect();
        let known: Vec<&str> =
            headings.iter().copied().filter(|heading| SECTIONS.contains(heading)).collect();
        assert_eq!(known, SECTIONS, "{}", rule.id);
        for (heading, body) in &docs.sections {
            assert!(!body.is_empty(), "{}: {heading} is empty", rule.id);
        }
        assert!(
            docs.section("Sources").is_some_and(|body| body.contains("https://")),
            "{}: a source",
            rule.id
        );
        assert!(
            !docs.examples("Bad").is_empty() && !docs.examples("Good").is_empty(),
            "{}: examples",
            rule.id
        );
    }
}

#[test]
fn bad_examples_fire_and_good_ones_do_not() {
    for rule in all() {
        let docs = rule.docs();
        for group in docs.examples("Bad") {
            assert!(!findings(rule, &documents(&group)).is_empty(), "{} is silent on {group:#?}", rule.id);
        }
        for group in docs.examples("Good") {
            let found = findings(rule, &documents(&group));
            assert!(found.is_empty(), "{} fires on its good example: {found:#?}", rule.id);
        }
    }
}

#[test]
fn messages_are_one_line_in_lower_case_and_say_what_to_do() {
    for rule in all() {
        for finding in rule.docs().examples("Bad").iter().flat_map(|group| findings(rule, &documents(group)))
        {
            assert!(finding.help.is_some(), "{}: what to do about it: {}", rule.id, finding.message);
            let texts = std::iter::once(&finding.message)
                .chain(&finding.help)
                .chain(finding.related.iter().map(|label| &label.message));
            for text in texts {
                assert!(starts_small(text), "{}: lower case: {text}", rule.id);
                assert!(
                    !text.ends_with('.') && !text.contains('\n'),
                    "{}: one line, no stop: {text}",
                    rule.id
                );
            }
        }
    }
}

/// Names keep their capitals: `RPO`, `GitHub`.
fn starts_small(text: &str) -> bool {
    const NAMES: [&str; 8] =
        ["GitHub", "PostgreSQL", "Supabase", "Neon", "Google", "Amazon", "Azure", "Vercel"];
    let word = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let acronym =
        word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    !word.starts_with(char::is_uppercase) || acronym || NAMES.contains(&word)
}

#[test]
fn fixes_silence_their_rule_and_settle() {
    for rule in all() {
        let mut fixed = 0;
        for group in rule.docs().examples("Bad") {
            let found = findings(rule, &documents(&group));
            fixed += found.iter().filter(|finding| finding.fix.is_some()).count();
            match rule.fix {
                Fixable::No => {
                    assert!(found.iter().all(|finding| finding.fix.is_none()), "{} has a fix", rule.id);
                }
                Fixable::Always => {
                    assert!(found.iter().all(|finding| finding.fix.is_some()), "{} lacks a fix", rule.id);
                }
                Fixable::Sometimes => {}
            }
            let [Example { path, text }] = group.as_slice() else { continue };
            let all_fixed = !found.is_empty() && found.iter().all(|finding| finding.fix.is_some());
            let after = fix(rule, path, text);
            let left = findings(rule, &[Document::new(path.as_str(), after.as_str())]);
            assert!(!all_fixed || left.is_empty(), "{} is not silenced by its fix:\n{after}", rule.id);
        }
        assert_eq!(fixed > 0, rule.fix != Fixable::No, "{}: a bad example shows the fix", rule.id);
    }
}

#[test]
fn every_rule_reads_any_text() {
    let texts = [
        "",
        "\u{0}\n",
        "```\n",
        "a: [",
        "{\"Rules\": 1}",
        "pg_dump |",
        "${{",
        "| |\n|-|\n",
        "0 0 * * *",
        "[Service]\nExecStart=",
    ];
    for (kind, name) in crate::document::KINDS {
        for text in texts {
            let document = Document { path: format!("any/{name}"), kind, text: text.to_owned() };
            all().for_each(|rule| drop::<Vec<_>>(findings_of(rule, &document)));
        }
    }
}

fn findings_of(rule: &Rule, document: &Document) -> Vec<crate::finding::Finding> {
    findings(rule, std::slice::from_ref(document))
}
