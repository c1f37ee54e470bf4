use crate::finding::{Place, Severity};
use crate::model::{Amount, Promise, Role, Set, Subject, Tier};
use crate::parse::lifecycle::Rule as BucketRule;
use crate::rule::{Findings, rule};
use crate::units::Days;

/// 365 days are a year and 360 are twelve months to whoever writes them.
const SLACK: f64 = 0.03;

rule! {
    /// The bucket deletes what the policy promises to keep.
    ///
    /// ## What
    /// A lifecycle rule expires objects earlier than a promise of the same set-up says:
    /// a table, a list or a sentence ("monthly: 5 years"), or a tier of backstop.yml.
    /// The two are joined by the rule's prefix; a rule without one is for every object.
    ///
    /// ## Why
    /// The lifecycle is what happens; the document is what is believed. Nobody gets an
    /// error: the store deletes by the day, and it is noticed when an old backup is
    /// needed.
    ///
    /// ## Bad
    /// ````markdown backups.md
    /// | Type | Retention |
    /// |---|---|
    /// | Daily | 30 days |
    /// | Monthly | 5 years |
    ///
    /// ```json
    /// {"Rules": [{"ID": "old", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 365}}]}
    /// ```
    /// ````
    ///
    /// ## Good
    /// ````markdown backups.md
    /// | Type | Retention |
    /// |---|---|
    /// | Daily | 30 days |
    /// | Monthly | 5 years |
    ///
    /// ```json
    /// {"Rules": [
    ///   {"ID": "daily", "Status": "Enabled", "Filter": {"Prefix": "daily/"}, "Expiration": {"Days": 35}},
    ///   {"ID": "monthly", "Status": "Enabled", "Filter": {"Prefix": "monthly/"}, "Expiration": {"Days": 1830}}
    /// ]}
    /// ```
    /// ````
    ///
    /// ## Sources
    /// - <https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html>
    /// - <https://cloud.google.com/storage/docs/lifecycle>
    "lifecycle-shorter-than-promise" in Storage,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (unit, bucket, lifecycle) in set.lifecycles() {
        for rule in lifecycle.rules.iter().filter(|rule| rule.is_enabled() && !rule.narrowed) {
            let Some((expires, days)) = rule.expiration.and_then(|age| Some((age, age.days?))) else {
                continue;
            };
            let promises = set.promises.iter().filter(|promise| {
                promise.at.document == unit.document && concerns(set, bucket, rule, promise)
            });
            let kept = promises.filter_map(|promise| Some((promise, promise.amount.days()?)));
            let Some((promise, length)) = kept.max_by(|(_, a), (_, b)| a.0.total_cmp(&b.0)) else { continue };
            report(findings, unit.place(expires.node.span), days, promise, length);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "days of a lifecycle rule")]
fn report(findings: &mut Findings<'_>, at: Place, days: u64, promise: &Promise, Days(promised): Days) {
    let what = promise.tier.map_or("backups".to_owned(), |tier| format!("{} backups", tier.as_str()));
    let related = format!("{what} are promised for {} here", promise.amount);
    let count = days as f64;
    if count < promised * (1.0 - SLACK) {
        let kept = match promise.amount {
            Amount::Forever => "which are to stay for ever".to_owned(),
            length => format!("which are to stay {length}"),
        };
        findings
            .report(at, format!("the bucket deletes {what} after {days} days, {kept}"))
            .help(format!("give {what} a prefix and a rule of their own that lasts as long as the promise"))
            .related(promise.at, related);
    } else if (count - promised).abs() < 0.5 && promise.tier == Some(Tier::Daily) {
        // The newest copy is as old as the promise on the day it is deleted.
        let message = format!(
            "the bucket deletes {what} on the last day of the promise: a job that runs late leaves one less"
        );
        findings
            .report(at, message)
            .severity(Severity::Note)
            .help("keep them a day or two longer than is promised")
            .related(promise.at, related);
    }
}

/// Whether a promise is about objects that the rule matches.
fn concerns(set: &Set<'_>, bucket: Option<&str>, rule: &BucketRule<'_>, promise: &Promise) -> bool {
    if promise.subject != Subject::Retention || promise.managed {
        return false;
    }
    // "S3 + Local" is here, "Local" is not.
    let elsewhere = promise.storage.as_deref().is_some_and(|storage| {
        let lower = storage.to_ascii_lowercase();
        lower.contains("local")
            && !["s3", "bucket", "cloud", "gcs", "glacier"].iter().any(|place| lower.contains(place))
    });
    if elsewhere {
        return false;
    }
    if rule.prefixes.is_empty() {
        return promise.tier.is_none_or(|tier| tier_lies_in(set, bucket, tier));
    }
    let mut prefixes = rule.prefixes.iter().filter_map(|prefix| prefix.text());
    prefixes.any(|prefix| Tier::only_in(prefix).is_some_and(|tier| promise.tier == Some(tier)))
}

/// Whether backups of a tier can be in the bucket: nothing uploads them to another one.
fn tier_lies_in(set: &Set<'_>, bucket: Option<&str>, tier: Tier) -> bool {
    let Some(name) = bucket else { return true };
    let uploads = set.commands.iter().filter_map(|command| match &command.role {
        Role::Upload(transfer) => transfer.destination.as_ref(),
        _ => None,
    });
    let mut of_tier = uploads.filter(|to| Tier::only_in(&to.key) == Some(tier)).peekable();
    of_tier.peek().is_none() || of_tier.any(|to| to.bucket == name)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(prose: &str, rules: &str) -> String {
        check(&RULE, &[("b.md", &format!("{prose}\n\n```json\n{{\"Rules\": [{rules}]}}\n```\n"))])
    }

    const ALL: &str = r#"{"ID": "a", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 365}}"#;

    #[test]
    fn the_longest_promise_that_is_broken_is_named() {
        insta::assert_snapshot!(found("| Type | Retention |\n|---|---|\n| Daily | 30 days |\n| Weekly | 1 year |\n| Monthly | 5 years |", ALL), @r"
        b.md:8:82: error[lifecycle-shorter-than-promise]: the bucket deletes monthly backups after 365 days, which are to stay 5 years
        help: give monthly backups a prefix and a rule of their own that lasts as long as the promise
          b.md:5:13: monthly backups are promised for 5 years here
        ");
    }

    #[test]
    fn a_prefix_is_for_its_own_tier() {
        let rule = |days: u32| {
            format!(
                r#"{{"ID": "a", "Status": "Enabled", "Filter": {{"Prefix": "weekly/"}}, "Expiration": {{"Days": {days}}}}}"#
            )
        };
        let prose = "## Retention\n- Daily: 7 days\n- Weekly: 90 days\n- Monthly: 12 months";
        assert_eq!(found(prose, &rule(90)), "");
        assert_eq!(found(prose, &rule(120)), "");
        assert!(found(prose, &rule(60)).contains("deletes weekly backups after 60 days"));
    }

    #[test]
    fn it_stays_quiet_where_nothing_is_broken() {
        for (prose, rules) in [
            ("- Monthly: keep 12 months", ALL),
            ("- Weekly: keep for 1 year", ALL),
            (
                "- Monthly: keep 5 years",
                r#"{"ID": "a", "Status": "Disabled", "Filter": {}, "Expiration": {"Days": 1}}"#,
            ),
            (
                "- Monthly: keep 5 years",
                r#"{"ID": "a", "Status": "Enabled", "Filter": {"Tag": {"Key": "tmp", "Value": "1"}}, "Expiration": {"Days": 1}}"#,
            ),
            (
                "- Monthly: keep 5 years",
                r#"{"ID": "a", "Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}"#,
            ),
            ("## Supabase\n- Retention: 7 years", ALL),
            ("| Type | Retention | Storage |\n|---|---|---|\n| Monthly | 5 years | Local disk |", ALL),
            ("Our company is 30 years old.", ALL),
        ] {
            assert_eq!(found(prose, rules), "", "{prose}");
        }
    }

    #[test]
    fn for_ever_is_longer_than_any_rule() {
        assert!(found("- Yearly backups: keep indefinitely", ALL).contains("which are to stay for ever"));
    }

    #[test]
    fn the_last_day_is_a_note() {
        let rule =
            r#"{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "daily/"}, "Expiration": {"Days": 7}}"#;
        assert!(found("- Daily: keep 7 days", rule).contains("note[lifecycle-shorter-than-promise]"));
    }
}
