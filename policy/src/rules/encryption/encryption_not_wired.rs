use crate::model::{Pipeline, Role, Set};
use crate::rule::{Findings, rule};

use super::clear::{Clear, ciphers, leaks};

/// Places that one finding names.
const NAMED: usize = 4;

rule! {
    /// The set-up encrypts in one place and uploads clear files in another.
    ///
    /// ## What
    /// A document or script has a command that encrypts, and the dumps that its jobs
    /// upload never pass through it: a section "Encryption" beside a script without it,
    /// or one of two destinations that gets the clear file.
    ///
    /// ## Why
    /// Who reads the section believes that the bucket holds nothing readable. What runs
    /// every night uploads every row in clear.
    ///
    /// ## Bad
    /// ````markdown backups.md
    /// ## Nightly
    ///
    /// ```bash
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// aws s3 cp shop.dump s3://shop-backups/daily/
    /// ```
    ///
    /// ## Encryption
    ///
    /// ```bash
    /// gpg --encrypt --recipient ops@shop.example shop.sql
    /// ```
    /// ````
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// gpg --batch --encrypt --recipient ops@shop.example --output shop.dump.gpg shop.dump
    /// aws s3 cp shop.dump.gpg s3://shop-backups/daily/
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnupg.org/documentation/manuals/gnupg/Operational-GPG-Commands.html>
    "encryption-not-wired" in Encryption,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        // A branch that encrypts where a key is set: what it leaves is `plaintext-remains`.
        let mut ciphers = ciphers(set, pipeline).filter(|(_, command, _)| !command.nesting.branch);
        let Some((_, command, _)) = ciphers.next() else { continue };
        if switched(set, pipeline) {
            continue;
        }
        let leaks = leaks(set, pipeline);
        let Some(first) = leaks.first() else { continue };
        let message = match (wired(set, pipeline), leaks.len()) {
            (true, 1) => format!(
                "only one of the destinations gets the encrypted file: {} gets the clear one",
                first.to
            ),
            (true, count) => {
                format!("{count} destinations get the clear file, and not the one that is encrypted here")
            }
            (false, 1) => format!("no upload passes through this: the dump goes into {} in clear", first.to),
            (false, count) => {
                format!("no upload passes through this: {count} uploads send the dump in clear")
            }
        };
        let mut report = findings
            .report(command.name_at, message)
            .help("encrypt in the job itself, between dump and upload");
        for Clear { at, to, .. } in leaks.iter().take(NAMED) {
            report = report.related(*at, format!("goes into {to} in clear"));
        }
    }
}

/// Whether any upload carries what was encrypted.
fn wired(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    pipeline.commands(set).any(|(index, command)| {
        let carries = matches!(command.role, Role::Upload(_) | Role::RemoteCopy(_)) || command.name == "git";
        carries && pipeline.flow.read(index).any(crate::model::Artifact::is_encrypted)
    })
}

/// Whether a variable names the clear or the encrypted file, as a switch decides.
fn switched(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    pipeline
        .commands(set)
        .any(|(_, command)| matches!(command.role, Role::Encrypt(_)) && command.nesting.branch)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(text: &str) -> String {
        check(&RULE, &[("b.sh", text)])
    }

    #[test]
    fn the_section_is_reported_with_the_uploads_that_leave_it_out() {
        let text = "# B\n\n```bash\npg_dump -Fc -f a.dump shop\naws s3 cp a.dump s3://b/daily/\n```\n\n## Encryption\n\n```bash\nopenssl enc -aes-256-cbc -pbkdf2 -in x.sql -out x.enc -pass env:K\naws s3 cp x.enc s3://b/\n```\n";
        insta::assert_snapshot!(check(&RULE, &[("b.md", text)]), @r"
        b.md:11:1: error[encryption-not-wired]: no upload passes through this: the dump goes into a bucket in clear
        help: encrypt in the job itself, between dump and upload
          b.md:5:1: goes into a bucket in clear
        ");
    }

    #[test]
    fn every_form_of_it_fires() {
        for text in [
            "pg_dump -f a shop\ngpg -e -r me a\naws s3 cp a.gpg s3://b/\nrclone copy a r2:c\n",
            "pg_dump -f a.sql shop\naws s3 cp a.sql s3://b/\ngpg -e -r me other.sql\n",
            "age -r k -o x.age x.sql\naws s3 sync /srv/backups s3://b/\npg_dump -f /srv/backups/a.sql shop\n",
            "pg_dump -f a.sql shop\nage -r k -o a.sql.age a.sql\naws s3 cp a.sql s3://b/\n",
        ] {
            assert!(found(text).contains("error[encryption-not-wired]"), "{text}");
        }
    }

    #[test]
    fn it_stays_quiet_where_the_encrypted_file_goes() {
        for text in [
            "pg_dump -f a shop\ngpg -e -r me a\nrm a\naws s3 cp a.gpg s3://b/\n",
            "pg_dump shop | age -r k > a.age\naws s3 cp a.age s3://b/\n",
            "pg_dump shop | age -r k | aws s3 cp - s3://b/a.age\n",
            "pg_dump -f a shop\nif [ -n \"$K\" ]; then gpg -e -r me a; fi\naws s3 cp a s3://b/\n",
            "curl -fsSL https://x/key.asc | gpg --dearmor -o /k.gpg\npg_dump -f a shop\naws s3 cp a s3://b/\n",
            "pg_dump -f a shop\naws s3 cp a s3://b/\n",
            "pg_dump -f a.sql shop\nage -r k -o a.age a.sql\nsha256sum a.age > a.sha256\naws s3 cp a.age s3://b/\naws s3 cp a.sha256 s3://b/\n",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
    }
}
