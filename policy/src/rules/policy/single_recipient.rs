use crate::model::Set;
use crate::rule::{Findings, rule};

use super::configs::sound;

rule! {
    /// One lost key makes every backup unreadable.
    ///
    /// ## What
    /// `encryption: recipients:` names a single public key.
    ///
    /// ## Why
    /// The private key lies on one laptop or in one safe. When it is lost, or its owner has
    /// left, the backups are all there and nobody can open them; that comes out on the day
    /// of the restore.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// encryption:
    ///   recipients: [keys/ops.asc]
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// encryption:
    ///   recipients: [keys/ops.asc, keys/safe.asc]
    /// ```
    ///
    /// ## Sources
    /// - <https://csrc.nist.gov/pubs/sp/800/57/pt1/r5/final>
    "single-recipient" in Policy,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    sound(set, |file, config| {
        let Some(encryption) = &config.encryption else { return };
        let [only] = encryption.recipients.as_slice() else { return };
        findings
            .report(
                file.place(only.template.span),
                "only one key opens the backups: when it is lost, every one of them is",
            )
            .help("add a second recipient, whose private key lies in a safe elsewhere");
    });
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(encryption: &str) -> String {
        check(
            &RULE,
            &[(
                "backstop.yml",
                &format!("version: 1\ndatabases: {{shop: {{}}}}\nencryption: {encryption}\n"),
            )],
        )
    }

    #[test]
    fn one_is_reported_and_two_are_not() {
        insta::assert_snapshot!(found("{recipients: [keys/ops.asc]}"), @r"
        backstop.yml:3:27: warning[single-recipient]: only one key opens the backups: when it is lost, every one of them is
        help: add a second recipient, whose private key lies in a safe elsewhere
        ");
        assert!(found("{recipients: ['${RECIPIENT}']}").contains("single-recipient"));
        assert_eq!(found("{recipients: [keys/ops.asc, '${SECOND}']}"), "");
        assert_eq!(found("{passphrase: '${P}'}"), "");
        assert_eq!(found("{method: none}"), "");
    }
}
