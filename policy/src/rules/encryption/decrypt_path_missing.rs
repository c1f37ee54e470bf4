use std::collections::HashSet;

use crate::document::Kind;
use crate::finding::Severity;
use crate::model::{Command, Role, Set};
use crate::rule::{Findings, rule};

rule! {
    /// Backups are encrypted, and nobody has written how they are opened.
    ///
    /// ## What
    /// A document encrypts its backups, and neither its restore procedure nor any other
    /// line decrypts one; or it rotates the keys and says nothing of the old ones, with
    /// which the old backups were made.
    ///
    /// ## Why
    /// A restore happens under pressure, by whoever is there. A file that ends in `.enc`
    /// and no word about its key is as good as no file.
    ///
    /// ## Bad
    /// ````markdown backups.md
    /// ```bash
    /// pg_dump -Fc -f shop.dump shop
    /// gpg --batch --encrypt --recipient ops@shop.example shop.dump
    /// ```
    ///
    /// ## Restore
    ///
    /// ```bash
    /// pg_restore --exit-on-error -d shop shop.dump
    /// ```
    /// ````
    /// or
    /// ```markdown SECURITY.md
    /// ## Backups
    ///
    /// - Key management: rotate the encryption keys quarterly
    /// ```
    ///
    /// ## Good
    /// ````markdown backups.md
    /// ```bash
    /// pg_dump -Fc -f shop.dump shop
    /// gpg --batch --encrypt --recipient ops@shop.example shop.dump
    /// ```
    ///
    /// ## Restore
    ///
    /// ```bash
    /// gpg --decrypt --output shop.dump shop.dump.gpg
    /// pg_restore --exit-on-error -d shop shop.dump
    /// ```
    /// ````
    ///
    /// ## Sources
    /// - <https://csrc.nist.gov/pubs/sp/800/57/pt1/r5/final>
    "decrypt-path-missing" in Encryption,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    rotated_keys(set, findings);
    let decrypts = set.commands.iter().any(|command| matches!(command.role, Role::Decrypt(_)));
    if decrypts || set.passages.iter().any(|passage| passage.says(&["decrypt"])) {
        return;
    }
    // A restore script that nobody can see here may do it.
    let hidden = |command: &Command| {
        command.called.as_ref().is_some_and(|called| {
            let name = called.arg().text.to_ascii_lowercase();
            ["restore", "decrypt"].iter().any(|word| name.contains(word))
        })
    };
    for commands in set.commands_by_document() {
        let document = commands.first().and_then(|first| set.documents.get(first.at.document));
        let is_prose = document.is_some_and(|document| document.kind == Kind::Markdown);
        let encrypts = commands.iter().find(|command| matches!(command.role, Role::Encrypt(_)));
        let Some(command) = encrypts.filter(|_| is_prose && !commands.iter().any(hidden)) else { continue };
        let report = findings
            .report(
                command.name_at,
                "no line tells how to decrypt this: who restores it has to guess the command",
            )
            .help("begin the restore procedure with the decryption, and say where the key is kept");
        if let Some(restore) = commands.iter().find(|command| matches!(command.role, Role::Restore(_))) {
            report.related(restore.name_at, "this restore reads a clear file");
        }
    }
}

/// "Rotate encryption keys quarterly", and not a word about the old ones.
fn rotated_keys(set: &Set<'_>, findings: &mut Findings<'_>) {
    let kept: HashSet<usize> = set
        .passages
        .iter()
        .filter(|passage| {
            passage.says(&["key"])
                && passage.says(&["old", "previous", "retired", "re-encrypt", "reencrypt", "escrow"])
        })
        .map(|passage| passage.at.document)
        .collect();
    for passage in set.passages.iter().filter(|passage| !kept.contains(&passage.at.document)) {
        let rotates = passage.says(&["rotate", "rotation"])
            && passage.says(&["encryption key", "backup key", "passphrase", "key rotation"]);
        if rotates && passage.concerns(&["backup", "encrypt"]) {
            findings
                .report(
                    passage.at,
                    "each rotation makes the older backups unreadable, unless the old keys are kept",
                )
                .severity(Severity::Warning)
                .help("keep a retired key as long as the last backup that was made with it, and say where");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    const ENCRYPT: &str = "```bash\npg_dump -f a.sql shop\nopenssl enc -aes-256-cbc -pbkdf2 -in a.sql -out a.enc -pass env:K\n```\n";

    fn found(rest: &str) -> String {
        check(&RULE, &[("b.md", &format!("# B\n\n{ENCRYPT}\n{rest}\n"))])
    }

    #[test]
    fn the_encryption_and_the_restore_are_named() {
        insta::assert_snapshot!(found("## Restore\n\n```bash\npg_restore -d shop a.dump\n```"), @r"
        b.md:5:1: error[decrypt-path-missing]: no line tells how to decrypt this: who restores it has to guess the command
        help: begin the restore procedure with the decryption, and say where the key is kept
          b.md:11:1: this restore reads a clear file
        ");
    }

    #[test]
    fn a_word_about_it_is_enough() {
        for rest in [
            "```bash\nopenssl enc -d -aes-256-cbc -pbkdf2 -in a.enc -out a.sql -pass env:K\n```",
            "Decrypt it with the key in the vault.",
            "```bash\n./scripts/restore.sh a.enc\n```",
        ] {
            assert_eq!(found(rest), "", "{rest}");
        }
        assert_eq!(check(&RULE, &[("b.sh", "age -r k -o a.age a.sql\n")]), "");
    }

    #[test]
    fn rotated_keys_have_to_be_kept() {
        let prose = |text: &str| check(&RULE, &[("b.md", &format!("# Backups\n\n{text}\n"))]);
        assert!(prose("- Rotate encryption keys quarterly").contains("warning[decrypt-path-missing]"));
        for text in [
            "- Rotate encryption keys quarterly; old keys stay in the vault",
            "- Rotate database passwords quarterly",
            "- Rotate encryption keys\n- Retired keys are kept in escrow",
        ] {
            assert_eq!(prose(text), "", "{text}");
        }
    }
}
