use crate::model::Set;
use crate::rule::{Findings, rule};

use super::configs::all;

/// What rules of their own report.
pub const SECRETS: [&str; 2] = ["credential-in-file", "private-key-in-file"];

rule! {
    /// backstop.yml says something that backstop refuses, or that would be ignored.
    ///
    /// ## What
    /// Whatever the reader of the configuration finds: unknown keys, impossible values,
    /// names that are defined nowhere, keys that contradict each other, broken
    /// variables, text that is no YAML.
    ///
    /// ## Why
    /// backstop stops at such a file, so no backup is made until it is mended.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// stores:
    ///   main: { url: "s3://shop-backups/prod" }
    /// tiers:
    ///   daily: { schedule: "17 2 * * *", keep: 7 days, stores: [mian] }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// stores:
    ///   main: { url: "s3://shop-backups/prod" }
    /// tiers:
    ///   daily: { schedule: "17 2 * * *", keep: 7 days, stores: [main] }
    /// ```
    ///
    /// ## Sources
    /// - <https://yaml.org/spec/1.2.2/>
    "config-invalid" in Policy,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for file in all(set) {
        for found in file.parsed.findings.iter().filter(|found| !SECRETS.contains(&found.rule)) {
            // An example may leave out what a file needs.
            if file.unit.embedded && found.rule == "missing-key" {
                continue;
            }
            let report =
                findings.report(file.place(found.span), found.message.clone()).severity(found.severity);
            if let Some(help) = &found.help {
                report.help(help.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn what_the_reader_finds_is_reported_with_its_help() {
        let text = "version: 1\ndatabases: {shop: {url: \"${DATABASE_URL}\"}}\ntires: {}\n";
        insta::assert_snapshot!(check(&RULE, &[("backstop.yml", text)]), @r"
        backstop.yml:3:1: error[config-invalid]: unknown key 'tires'
        help: did you mean `tiers`?
        ");
    }

    #[test]
    fn text_that_is_no_yaml_and_blocks_of_documents() {
        assert!(check(&RULE, &[("backstop.yml", "version: [\n")]).contains("error[config-invalid]"));
        let block = |tier: &str| {
            let text = format!(
                "# B\n\n```yaml\nversion: 1\ndatabases: {{shop: {{}}}}\ntiers: {{daily: {tier}}}\n```\n"
            );
            check(&RULE, &[("README.md", &text)])
        };
        assert!(block("{keep: 0 days}").starts_with("README.md:6:23: error["), "{}", block("{keep: 0 days}"));
        assert_eq!(block("{keep: 7 days}"), "");
    }

    #[test]
    fn secrets_are_reported_by_their_own_rules() {
        let text = "version: 1\ndatabases: {shop: {host: db, password: hunter}}\n";
        assert_eq!(check(&RULE, &[("backstop.yml", text)]), "");
    }
}
