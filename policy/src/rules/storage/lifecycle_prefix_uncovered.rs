use crate::model::{Location, Role, Scheme, Set};
use crate::parse::lifecycle::{Lifecycle, Provider};
use crate::rule::{Findings, rule};

rule! {
    /// Backups go below a prefix for which the bucket has no lifecycle rule.
    ///
    /// ## What
    /// The lifecycle rules of a bucket name prefixes, and an upload to the same bucket
    /// goes elsewhere: to `automated/`, or to its root.
    ///
    /// ## Why
    /// What no rule matches stays for ever and is paid for, while the table says "7
    /// days". Nobody sees it before the bill or the auditor.
    ///
    /// ## Bad
    /// ````markdown backups.md
    /// ```bash
    /// aws s3 cp shop.dump s3://shop-backups/automated/shop.dump
    /// ```
    ///
    /// ```json
    /// {"Rules": [{"ID": "daily", "Status": "Enabled", "Filter": {"Prefix": "daily/"}, "Expiration": {"Days": 35}}]}
    /// ```
    /// ````
    ///
    /// ## Good
    /// ````markdown backups.md
    /// ```bash
    /// aws s3 cp shop.dump s3://shop-backups/daily/shop.dump
    /// ```
    ///
    /// ```json
    /// {"Rules": [{"ID": "daily", "Status": "Enabled", "Filter": {"Prefix": "daily/"}, "Expiration": {"Days": 35}}]}
    /// ```
    /// ````
    ///
    /// ## Sources
    /// - <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-filters.html>
    "lifecycle-prefix-uncovered" in Storage,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (unit, bucket, lifecycle) in set.lifecycles() {
        let expiring =
            || lifecycle.rules.iter().filter(|rule| rule.is_enabled() && rule.expiration.is_some());
        // A rule for all objects covers all; without any, `retention-missing` speaks.
        if expiring().any(|rule| rule.prefixes.is_empty()) || expiring().next().is_none() {
            continue;
        }
        let scheme = match lifecycle.provider {
            Provider::S3 => Scheme::S3,
            Provider::Gcs => Scheme::Gcs,
        };
        let bucket = bucket.map(str::to_owned).or_else(|| only_bucket(set, scheme));
        for command in &set.commands {
            let (Role::Upload(transfer) | Role::RemoteCopy(transfer)) = &command.role else { continue };
            let Some(to) = transfer.destination.as_ref().filter(|to| to.scheme == scheme) else { continue };
            let same =
                bucket.as_deref().map_or(command.at.document == unit.document, |name| to.bucket == name);
            let Some(key) = key(to, transfer.sources.first()).filter(|_| same) else { continue };
            if !may_be_covered(&lifecycle, &key) {
                let where_ = key
                    .rfind('/')
                    .map_or("the root of the bucket".to_owned(), |at| format!("{}/", &key[..at]));
                let prefixes: Vec<&str> =
                    expiring().flat_map(|rule| &rule.prefixes).filter_map(|node| node.text()).collect();
                let message = format!("no lifecycle rule is for {where_}: what is put here is never deleted");
                let report = findings
                    .report(to.arg.at, message)
                    .help(format!("upload below {}, or add a rule for this prefix", prefixes.join(" or ")));
                if let Some(rule) = expiring().next() {
                    report.related(
                        unit.place(rule.node.entries().first().map_or(rule.node.span, |it| it.key.span)),
                        "the rules of this bucket",
                    );
                }
            }
        }
    }
}

/// The key as far as it is known, with a file name where only a folder is given.
fn key(to: &Location, source: Option<&Location>) -> Option<String> {
    let key = if to.key.is_empty() || to.key.ends_with('/') {
        let name = source.map(|source| source.name().to_owned()).unwrap_or_default();
        format!("{}{name}", to.key)
    } else {
        to.key.clone()
    };
    // What a variable says may be any folder; a name behind a known folder is none.
    let known = key.find(['$', '*', '<', '{']).map_or(key.as_str(), |at| &key[..at]);
    let in_name = key.get(known.len()..).is_none_or(|rest| !rest.trim_end_matches('/').contains('/'));
    let decided = !known.is_empty() || !key.contains("${");
    (decided && (in_name || known.contains('/'))).then(|| known.to_owned()).filter(|known| {
        // `$PREFIX/x` and `daily-$X` may be covered.
        !known.is_empty() || key.starts_with("$(")
    })
}

/// Whether a rule's prefix matches, or could with what is not known.
fn may_be_covered(lifecycle: &Lifecycle<'_>, known: &str) -> bool {
    lifecycle.rules.iter().filter(|rule| rule.is_enabled()).any(|rule| {
        let mut prefixes = rule.prefixes.iter().filter_map(|node| node.text());
        rule.prefixes.is_empty()
            || prefixes
                .any(|prefix| known.starts_with(prefix) || (!known.is_empty() && prefix.starts_with(known)))
    })
}

/// The bucket that all uploads of a set go to.
fn only_bucket(set: &Set<'_>, scheme: Scheme) -> Option<String> {
    let mut buckets = set.commands.iter().filter_map(|command| match &command.role {
        Role::Upload(transfer) | Role::RemoteCopy(transfer) => {
            transfer.destination.as_ref().filter(|to| to.scheme == scheme).map(|to| to.bucket.as_str())
        }
        _ => None,
    });
    let first = buckets.next()?;
    buckets.all(|other| other == first).then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    const DAILY: &str =
        r#"{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "daily/"}, "Expiration": {"Days": 7}}"#;

    fn found(upload: &str, rules: &str) -> String {
        check(
            &RULE,
            &[("b.md", &format!("```bash\n{upload}\n```\n\n```json\n{{\"Rules\": [{rules}]}}\n```\n"))],
        )
    }

    #[test]
    fn the_prefix_is_named() {
        insta::assert_snapshot!(found("aws s3 cp a.gz \"s3://b/automated/$(date +%F).gz\"", DAILY), @r"
        b.md:2:16: error[lifecycle-prefix-uncovered]: no lifecycle rule is for automated/: what is put here is never deleted
        help: upload below daily/, or add a rule for this prefix
          b.md:6:13: the rules of this bucket
        ");
    }

    #[test]
    fn every_form_of_it_fires() {
        for upload in [
            "aws s3 cp a.enc s3://b/",
            "aws s3 cp a.enc s3://b/a.enc",
            "aws s3 sync ./out s3://b/weekly/",
            "aws s3api put-object --bucket b --key hourly/a --body a",
            "F=x.gz; aws s3 cp $F s3://b/auto/$F",
        ] {
            assert!(found(upload, DAILY).contains("error[lifecycle-prefix"), "{upload}");
        }
    }

    #[test]
    fn it_stays_quiet_where_a_rule_matches_or_may() {
        let all = r#"{"ID": "a", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 7}}"#;
        let moves = r#"{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Transitions": [{"Days": 7, "StorageClass": "GLACIER"}]}"#;
        for (upload, rules) in [
            ("aws s3 cp a s3://b/daily/a", DAILY),
            ("aws s3 cp a s3://b/daily/$(date +%F)/", DAILY),
            ("aws s3 cp a s3://b/$TIER/a", DAILY),
            ("aws s3 cp a s3://b/${KEY}", DAILY),
            ("aws s3 cp a s3://b/auto/a", all),
            ("aws s3 cp a s3://b/auto/a", moves),
            ("gsutil cp a gs://b/auto/a", DAILY),
            ("aws s3 cp s3://b/auto/a .", DAILY),
            ("rclone copy a r2:b/auto", DAILY),
        ] {
            assert_eq!(found(upload, rules), "", "{upload}");
        }
    }

    #[test]
    fn other_buckets_have_rules_of_their_own() {
        let text = "aws s3 cp a s3://b/daily/a\naws s3 cp a s3://c/x/a\naws s3api put-bucket-lifecycle-configuration --bucket b --lifecycle-configuration file://l.json\n";
        let rules = format!("{{\"Rules\": [{DAILY}]}}");
        assert_eq!(check(&RULE, &[("b.sh", text), ("l.json", &rules)]), "");
        let found = check(&RULE, &[("b.sh", &text.replace("s3://c", "s3://b")), ("l.json", &rules)]);
        assert!(found.starts_with("b.sh:2:13: error["), "{found}");
    }
}
