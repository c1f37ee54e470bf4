use crate::document::Kind;
use crate::finding::Severity;
use crate::model::{ActionRole, DumpTool, Pipeline, Role, Set};
use crate::provider::Provider;
use crate::rule::{Findings, rule};

rule! {
    /// The only copy of the backup lies on the machine that made it.
    ///
    /// ## What
    /// A pipeline dumps into a folder, and nothing takes the file anywhere else: no
    /// upload, no copy to another host, no mounted share. A note for a script that may be
    /// a part of more. Reported once, at the first dump.
    ///
    /// ## Why
    /// A broken disk, an encrypted server or a deleted instance takes the database and
    /// every backup with it, in the same minute.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f "/var/backups/shop-$(date +%F).dump" shop
    /// ls -1t /var/backups/shop-*.dump | tail -n +8 | xargs -r rm --
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f "/var/backups/shop-$(date +%F).dump" shop
    /// rclone copy /var/backups offsite:shop-backups
    /// ```
    ///
    /// ## Sources
    /// - <https://www.cisa.gov/sites/default/files/publications/data_backup_options.pdf>
    "offsite-copy-missing" in Storage,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let Some((index, command, dump)) = pipeline.scheduled_backup(set) else { continue };
        let own = matches!(dump.tool, DumpTool::Physical | DumpTool::Backstop);
        let lost = pipeline
            .flow
            .made(index)
            .is_none_or(|artifact| artifact.file.as_ref().is_some_and(|file| is_elsewhere(&file.text)));
        if own || lost || leaves(set, pipeline) || mounts(set, pipeline) {
            continue;
        }
        if pipeline
            .may_hide(&["upload", "sync", "push", "offsite", "off-site", "copy", "s3", "replic", "store"])
        {
            continue;
        }
        let workflow = set.units.get(pipeline.root).is_some_and(|unit| unit.kind == Kind::Workflow);
        let message = if workflow {
            "the dump stays on the runner, which is thrown away when the job ends"
        } else {
            "the only copy lies on the machine that made it: what takes the machine takes the backups"
        };
        let report = findings
            .report(command.name_at, message)
            .help("copy it to another account or provider: `rclone copy`, `aws s3 cp`, restic");
        // The database of a provider does not go with this machine.
        let hosted = dump.target.provider().is_some_and(|provider| provider != Provider::SelfHosted);
        if pipeline.helper && !workflow {
            report.severity(Severity::Note);
        } else if hosted {
            report.severity(Severity::Warning);
        }
    }
}

/// A share, a pipe to a program that is not known, or nothing that is kept.
fn is_elsewhere(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ["/mnt/", "/media/", "/volumes/", "nfs", "nas", "/net/", "s3fs", "remote", "/dev/null"]
        .iter()
        .any(|word| lower.contains(word))
}

fn leaves(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    let by_command = pipeline.commands(set).any(|(_, command)| {
        let away = matches!(command.role, Role::Upload(_) | Role::RemoteCopy(_));
        let git = command.name == "git" && command.has("push");
        // `… | ssh host 'cat > file'`: what is piped into another machine is there.
        let piped = command.pipe.index > 0 && matches!(command.name.as_str(), "ssh" | "nc" | "ncat");
        let remote = command.wrapper("ssh").is_some() || command.nesting.inline.is_some();
        away || git || piped || (remote && matches!(command.role, Role::Dump(_)))
    });
    by_command
        || set.actions_of(pipeline.root).any(|action| {
            matches!(
                action.role,
                ActionRole::UploadArtifact { .. }
                    | ActionRole::Upload
                    | ActionRole::Release { .. }
                    | ActionRole::Commit
                    | ActionRole::Dump
            )
        })
}

fn mounts(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    pipeline.commands(set).any(|(_, command)| {
        matches!(command.name.as_str(), "mount" | "sshfs" | "s3fs" | "goofys" | "gcsfuse" | "mount.cifs")
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(text: &str) -> String {
        check(&RULE, &[("b.sh", text)])
    }

    #[test]
    fn a_dump_that_never_leaves_is_reported() {
        insta::assert_snapshot!(found("pg_dump -Fc -f /var/backups/a.dump shop\nfind /var/backups -mtime +7 -delete\n"), @r"
        b.sh:1:1: error[offsite-copy-missing]: the only copy lies on the machine that made it: what takes the machine takes the backups
        help: copy it to another account or provider: `rclone copy`, `aws s3 cp`, restic
        ");
    }

    #[test]
    fn a_lone_helper_is_a_note_and_a_runner_is_said() {
        assert!(found("pg_dump -Fc -f a.dump shop\n").contains("note[offsite-copy-missing]"));
        let hosted =
            "pg_dump \"postgresql://u@db.abcdefghijklmnopqrst.supabase.co/postgres\" -f a.sql\nrm old.sql\n";
        assert!(found(hosted).contains("warning[offsite-copy-missing]"));
        let workflow = "name: backup\non: push\njobs:\n  b:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: pg_dump \"$U\" > a.sql\n";
        assert!(
            check(&RULE, &[(".github/workflows/b.yml", workflow)])
                .contains("error[offsite-copy-missing]: the dump stays on the runner")
        );
    }

    #[test]
    fn it_stays_quiet_where_the_file_goes_away() {
        for rest in [
            "aws s3 cp a.dump s3://b/",
            "scp a.dump me@h:/b/",
            "restic -r s3:x backup a.dump",
            "mount /mnt/x",
            "./scripts/upload.sh a.dump",
            "git add a.dump; git push",
        ] {
            assert_eq!(found(&format!("pg_dump -Fc -f a.dump shop\n{rest}\n")), "", "{rest}");
        }
        for text in [
            "pg_dump shop | ssh backup 'cat > /b/a.sql'\n",
            "pg_dump -f /mnt/nas/a.dump shop\n",
            "pgbackrest --stanza=shop backup\n",
            "psql -c 'select 1'\n",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
        assert_eq!(
            check(&RULE, &[("dump.sh", "pg_dump -f a shop\n"), ("b.sh", "./dump.sh\nrclone copy a r2:b\n")]),
            ""
        );
    }
}
