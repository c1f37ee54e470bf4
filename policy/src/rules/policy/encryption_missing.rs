use crate::config::{Config, Method, Sse};
use crate::finding::Severity;
use crate::model::Set;
use crate::rule::{Findings, rule};

use super::configs::{is_local, sound};

rule! {
    /// Backups are stored as whoever can read the store can read them.
    ///
    /// ## What
    /// No `encryption:` section. A note where it says `method: none`, where each store
    /// encrypts with a key of its own (`sse: aws:kms`), or where all of them are folders
    /// of this machine.
    ///
    /// ## Why
    /// A backup is the whole database without its permissions. One bucket that is opened
    /// by mistake is a breach of every row.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// stores:
    ///   main: { url: "s3://shop-backups/prod" }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// stores:
    ///   main: { url: "s3://shop-backups/prod" }
    /// encryption:
    ///   recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
    /// ```
    ///
    /// ## Sources
    /// - <https://age-encryption.org/>
    "encryption-missing" in Policy,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    sound(set, |file, config| {
        if config.stores.is_empty() {
            return;
        }
        let none = config.encryption.as_ref().is_some_and(|it| it.method == Some(Method::None));
        if config.encryption.is_some() && !none {
            return;
        }
        let report = findings
            .report(
                file.key(&["encryption"]).unwrap_or_else(|| file.at(&["stores"])),
                "backups are stored in clear: whoever can read the store has every row",
            )
            .help("make a key with `backstop key generate` and name its public half under `encryption: recipients:`");
        if none || is_kept_close(config) {
            report.severity(Severity::Note);
        }
    });
}

/// Stores that open to few: a key of their own, or this machine.
fn is_kept_close(config: &Config) -> bool {
    config
        .stores
        .values()
        .all(|store| matches!(store.sse, Some(Sse::Kms | Sse::KmsDsse)) || is_local(store) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(rest: &str) -> String {
        check(&RULE, &[("backstop.yml", &format!("version: 1\ndatabases: {{shop: {{}}}}\n{rest}"))])
    }

    #[test]
    fn a_bucket_without_is_a_warning() {
        insta::assert_snapshot!(found("stores: {main: {url: 's3://shop-backups', sse: AES256}}\n"), @r"
        backstop.yml:3:1: warning[encryption-missing]: backups are stored in clear: whoever can read the store has every row
        help: make a key with `backstop key generate` and name its public half under `encryption: recipients:`
        ");
    }

    #[test]
    fn what_was_decided_is_a_note() {
        for rest in [
            "stores: {main: {url: 's3://shop-backups'}}\nencryption: {method: none}\n",
            "stores: {main: {url: 's3://shop-backups', sse: 'aws:kms'}}\n",
            "stores: {local: {url: 'file:///var/backups'}}\n",
        ] {
            assert!(found(rest).contains("note[encryption-missing]"), "{rest}");
        }
    }

    #[test]
    fn it_stays_quiet_where_it_is_encrypted() {
        for rest in [
            "",
            "stores: {main: {url: 's3://shop-backups'}}\nencryption: {passphrase: '${P}'}\n",
            "stores: {main: {url: 's3://shop-backups'}}\nencryption: {recipients: [keys/ops.asc]}\n",
        ] {
            assert_eq!(found(rest), "", "{rest}");
        }
    }
}
