use crate::model::Set;
use crate::rule::{Findings, rule};

use super::configs::all;

rule! {
    /// The key that opens every backup is written beside them.
    ///
    /// ## What
    /// An age identity (`AGE-SECRET-KEY-…`), an OpenPGP or another private key in
    /// backstop.yml, as a rule in the place of a recipient.
    ///
    /// ## Why
    /// A recipient is the public half. With the private one in the file, whoever reads
    /// the repository opens every backup that was ever made to it, and backstop refuses
    /// to make new ones.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// encryption:
    ///   recipients: [AGE-SECRET-KEY-1QQQQ]
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// encryption:
    ///   recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
    /// ```
    ///
    /// ## Sources
    /// - <https://age-encryption.org/>
    "private-key-in-config" in Policy,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for file in all(set) {
        for found in file.parsed.findings.iter().filter(|found| found.rule == "private-key-in-file") {
            let report = findings.report(
                file.place(found.span),
                "this is the private half: whoever reads the file opens every backup made to it",
            );
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
    fn it_is_reported_at_the_key_and_never_shown() {
        let text =
            "version: 1\ndatabases: {shop: {}}\nencryption:\n  recipients:\n    - AGE-SECRET-KEY-1QQQQ\n";
        let found = check(&RULE, &[("backstop.yml", text)]);
        assert!(found.starts_with("backstop.yml:5:7: error[private-key-in-config]"), "{found}");
        assert!(!found.contains("SECRET"), "{found}");
        let public = text.replace("AGE-SECRET-KEY-1QQQQ", "keys/ops.asc");
        assert_eq!(check(&RULE, &[("backstop.yml", &public)]), "");
    }
}
