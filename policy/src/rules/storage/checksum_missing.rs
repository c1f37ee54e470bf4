use crate::finding::{Edit, Fix};
use crate::model::{CipherTool, Command, Pipeline, ProbeKind, Role, Set, Transfer, TransferTool, Wrap};
use crate::rule::{Findings, rule};

rule! {
    /// Nothing could tell a damaged backup from a good one.
    ///
    /// ## What
    /// A dump is kept or uploaded, and no digest of it is written, sent along or compared.
    /// Silent for tools that do it by themselves (rclone, gsutil, restic) and for files
    /// that age or gpg has sealed. Reported once for each pipeline.
    ///
    /// ## Why
    /// A copy that was cut off, or a bad sector years later, shows up in the middle of a
    /// restore. With a digest it shows up in a nightly comparison.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// aws s3 cp shop.dump s3://shop-backups/daily/shop.dump
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// aws s3 cp shop.dump s3://shop-backups/daily/shop.dump --checksum-algorithm SHA256
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>
    "checksum-missing" in Storage,
    severity: Note,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let Some((index, dump, made)) = pipeline.scheduled_backup(set) else { continue };
        if !made.is_logical() || has_digest(set, pipeline) || is_sealed(set, pipeline, index) {
            continue;
        }
        let uploads: Vec<(&Command, &Transfer)> = pipeline
            .commands(set)
            .filter_map(|(_, command)| match &command.role {
                Role::Upload(transfer) => Some((command, transfer.as_ref())),
                _ => None,
            })
            .collect();
        if uploads.iter().any(|(_, transfer)| is_checked(transfer))
            || pipeline.may_hide_near(set, dump, &["checksum", "sha256", "digest", "verif"])
        {
            continue;
        }
        let report = findings
            .report(dump.name_at, "nothing could tell a damaged copy of this dump from a good one")
            .help("`sha256sum FILE > FILE.sha256`, and compare it before each restore");
        let copies = |(command, transfer): &&(&Command, &Transfer)| {
            let words: Vec<&str> = command.args.iter().take(2).map(|arg| arg.text.as_str()).collect();
            transfer.tool == TransferTool::Aws && words == ["s3", "cp"]
        };
        let edits: Vec<Edit> = uploads
            .iter()
            .filter(copies)
            .filter_map(|(command, _)| {
                let last = command.args.iter().map(|arg| arg.span().end).max()?;
                Some(Edit::insert(last, " --checksum-algorithm SHA256"))
            })
            .collect();
        // A fix stays in the document of its finding.
        let here = uploads.iter().all(|(other, _)| other.at.document == dump.at.document);
        if here && !edits.is_empty() && edits.len() == uploads.len() {
            report.fix(Fix::safe("let S3 keep and check a digest", edits));
        }
    }
}

fn is_checked(transfer: &Transfer) -> bool {
    transfer.checks_digest || transfer.tool == TransferTool::Repository
}

/// Digests that stay: to read a dump once says nothing about next year.
fn has_digest(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    pipeline.commands(set).any(|(_, command)| match &command.role {
        Role::Digest => true,
        Role::Probe(probe) => {
            probe.kind == ProbeKind::Digest || (probe.kind == ProbeKind::Read && command.name != "pg_restore")
        }
        _ => false,
    })
}

/// age and gpg refuse a changed file when they decrypt it.
fn is_sealed(set: &Set<'_>, pipeline: &Pipeline, dump: usize) -> bool {
    // Where a switch decides, it may be clear.
    let always = |made_by: usize| set.commands.get(made_by).is_some_and(|command| !command.nesting.branch);

    pipeline.flow.artifacts.iter().filter(|artifact| artifact.dump == dump).any(|artifact| {
        let by = [CipherTool::Age, CipherTool::Gpg, CipherTool::Sops];
        always(artifact.made_by)
            && artifact.wraps.iter().any(|wrap| matches!(wrap, Wrap::Encrypted(tool) if by.contains(tool)))
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn found(rest: &str) -> String {
        check(&RULE, &[("b.sh", &format!("pg_dump -Fc -f a.dump shop\n{rest}\n"))])
    }

    #[test]
    fn it_is_a_note_once() {
        insta::assert_snapshot!(found("aws s3 cp a.dump s3://b/\nscp a.dump me@h:/b/"), @r"
        b.sh:1:1: note[checksum-missing]: nothing could tell a damaged copy of this dump from a good one
        help: `sha256sum FILE > FILE.sha256`, and compare it before each restore
        ");
    }

    #[test]
    fn any_digest_silences_it() {
        for rest in [
            "sha256sum a.dump > a.sha256\naws s3 cp a.dump s3://b/",
            "aws s3 cp a.dump s3://b/ --checksum-algorithm SHA256",
            "rclone copy a.dump r2:b",
            "age -r k -o a.age a.dump\naws s3 cp a.age s3://b/",
            "restic -r s3:x backup a.dump",
            "./scripts/verify.sh a.dump\naws s3 cp a.dump s3://b/",
        ] {
            assert_eq!(found(rest), "", "{rest}");
        }
        assert_eq!(check(&RULE, &[("b.sh", "aws s3 cp site.zip s3://b/\n")]), "");
        assert!(found("pg_restore -f /dev/null a.dump").contains("note["));
        assert!(found("if [ -n \"$K\" ]; then age -r $K -o a.age a.dump; fi").contains("note["));
    }

    #[test]
    fn the_fix_lets_s3_do_it() {
        let text = "pg_dump -f a shop\naws s3 cp a s3://b/ \\\n  --sse AES256 && echo ok\n";
        assert_eq!(
            fix(&RULE, "b.sh", text),
            "pg_dump -f a shop\naws s3 cp a s3://b/ \\\n  --sse AES256 --checksum-algorithm SHA256 && echo ok\n"
        );
    }
}
