use std::sync::LazyLock;

use crate::finding::Severity;
use crate::fix::line_start;
use crate::model::{ActionRole, DumpTool, Pipeline, Role, Set};
use crate::rule::{Findings, rule};
use crate::words::{self, Words, automaton};

rule! {
    /// Nothing ever removes an old backup.
    ///
    /// ## What
    /// A pipeline adds a backup at every run, and neither it nor a lifecycle rule of
    /// its bucket deletes any. Reported once, at the first dump; silent where a comment
    /// or a text says who does it.
    ///
    /// ## Why
    /// A local disk is full one night, and from then on every backup fails. A bucket is
    /// never full: it is paid for, and it holds the rows of people who had the right to
    /// be erased.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// file="shop-$(date +%F).dump"
    /// pg_dump -Fc -f "$file" "$DATABASE_URL"
    /// aws s3 cp "$file" s3://shop-backups/
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// file="shop-$(date +%F).dump"
    /// pg_dump -Fc -f "$file" "$DATABASE_URL"
    /// # The bucket's lifecycle rule for daily/ deletes after 35 days.
    /// aws s3 cp "$file" s3://shop-backups/daily/
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html>
    /// - <https://gdpr-info.eu/art-17-gdpr/>
    "retention-missing" in Retention,
    severity: Note,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    if set.lifecycles().next().is_some() {
        return;
    }
    for pipeline in &set.pipelines {
        let Some((index, command, dump)) = pipeline.scheduled_backup(set) else { continue };
        let own = matches!(dump.tool, DumpTool::Physical | DumpTool::Backstop);
        if own || removes(set, pipeline) || is_told(set, pipeline) || is_one_file(set, pipeline, index) {
            continue;
        }
        if pipeline.may_hide(&["clean", "prune", "retention", "rotat", "expire", "purge"]) {
            continue;
        }
        let message = "nothing removes an old backup: they pile up until the disk is full, or for ever";
        findings
            .report(command.name_at, message)
            .severity(Severity::Note)
            .help("keep the newest N, or give the bucket a lifecycle rule, and name it in a comment here");
    }
}

/// Deletes by a policy, replaces what was there, or is kept by GitHub for 90 days.
fn removes(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    let temporary = |key: &str| key.starts_with("/tmp/") || key.starts_with("${TMPDIR}");
    let by_command = pipeline.commands(set).any(|(index, command)| match &command.role {
        // The dump itself, after its upload, is no old backup.
        Role::Delete(delete) => {
            let cleanup = delete.age.is_some() || delete.keeps_newest.is_some() || command.nesting.in_loop;
            let own = pipeline.flow.read(index).next().is_some()
                || delete.targets.iter().all(|target| temporary(&target.key));
            cleanup || !own
        }
        Role::Upload(transfer) | Role::RemoteCopy(transfer) => transfer.mirrors.is_some(),
        _ => matches!(command.name.as_str(), "logrotate" | "rotate-backups" | "savelog"),
    });
    let artifact = |role: &ActionRole| matches!(role, ActionRole::UploadArtifact { .. } | ActionRole::Cache);
    by_command || set.actions_of(pipeline.root).any(|action| artifact(&action.role))
}

/// Whether a comment, a variable or a sentence speaks of it.
fn is_told(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    static WORDS: Words = LazyLock::new(|| {
        automaton(&["lifecycle", "retention", "retain", "keep_", "keep-", "prune", "expire", "older than"])
    });
    let units =
        pipeline.scripts.iter().filter_map(|script| set.scripts.get(*script)).map(|script| script.unit);
    let units = units.chain([pipeline.root]).filter_map(|unit| set.units.get(unit));
    let mut documents: Vec<usize> = units.map(|unit| unit.document).collect();
    documents.sort_unstable();
    documents.dedup();
    documents.into_iter().filter_map(|document| set.documents.get(document)).any(|document| {
        let mut past = 0;
        words::hits(&WORDS, &document.text).any(|hit| {
            if hit.start() < past {
                return false;
            }
            let start = line_start(&document.text, hit.start());
            let line = document.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
            past = start + line.len();
            // A comment that allows this very rule has its name in it, and says nothing.
            !line.to_ascii_lowercase().contains("backstop: allow")
        })
    })
}

/// A file without a date in its name, here and where it is put, is the only one:
/// `single-key-overwrite` speaks of it. In git each version stays.
fn is_one_file(set: &Set<'_>, pipeline: &Pipeline, dump: usize) -> bool {
    let file = pipeline.flow.made(dump).and_then(|artifact| artifact.file.as_ref());
    let dated = pipeline.commands(set).any(|(_, command)| match &command.role {
        Role::Upload(transfer) => transfer.destination.as_ref().is_some_and(|to| to.key.contains("$(")),
        _ => command.name == "git" && command.has("add"),
    });
    file.is_some_and(|file| !file.text.contains('$')) && !dated
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    const DUMP: &str = "F=/srv/dumps/shop-$(date +%F).sql\npg_dump -f $F shop\n";

    #[test]
    fn it_is_a_note_at_the_first_dump() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", &format!("{DUMP}aws s3 cp $F s3://b/\nrm $F\n"))]), @r"
        b.sh:2:1: note[retention-missing]: nothing removes an old backup: they pile up until the disk is full, or for ever
        help: keep the newest N, or give the bucket a lifecycle rule, and name it in a comment here
        ");
    }

    #[test]
    fn whatever_removes_old_ones_silences_it() {
        for rest in [
            "find /srv/dumps -mtime +7 -delete\n",
            "ls -1t /srv/dumps/*.sql | tail -n +8 | xargs rm\n",
            "# see the lifecycle rule of the bucket\n",
            "KEEP_DAYS=7 ./after.sh\n",
            "./scripts/rotate.sh\n",
            "rclone sync /srv/dumps r2:b\n",
            "restic forget --keep-daily 7\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", &format!("{DUMP}{rest}"))]), "", "{rest}");
        }
        assert_eq!(check(&RULE, &[("b.sh", "pg_dump -f latest.sql shop\n")]), "");
        for grows in
            ["aws s3 cp latest.sql s3://b/$(date +%s).sql", "git add latest.sql; git commit -m x; git push"]
        {
            let text = format!("pg_dump -f latest.sql shop\n{grows}\n");
            assert!(check(&RULE, &[("b.sh", &text)]).contains("note["), "{grows}");
        }
        assert_eq!(check(&RULE, &[("b.sh", "psql -c 'select 1'\n")]), "");
    }

    #[test]
    fn the_name_of_the_rule_in_a_comment_says_nothing() {
        let comment = "# backstop: allow retention-missing";
        assert!(check(&RULE, &[("b.sh", &format!("{DUMP}{comment}\n"))]).contains("note["));
        assert_eq!(check(&RULE, &[("b.sh", &format!("{DUMP}{comment}\n# pruned at night\n"))]), "");
        assert_eq!(check(&RULE, &[("b.sh", &format!("{DUMP}{comment}\nPRUNE=1\n"))]), "");
    }

    #[test]
    fn a_lifecycle_of_the_set_silences_it() {
        let rules =
            r#"{"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 30}}]}"#;
        assert_eq!(check(&RULE, &[("b.sh", DUMP), ("lifecycle.json", rules)]), "");
    }
}
