use crate::document::Kind;
use crate::finding::Severity;
use crate::model::{Command, DumpTool, Pipeline, Probe, ProbeKind, Role, Set};
use crate::rule::{Findings, rule};
use crate::rules::restore::verify_missing::{Compared, looks_at_dump};

rule! {
    /// A check of the backup that never reads its data.
    ///
    /// ## What
    /// All that looks at the dump is whether it exists, how large it is, whether the
    /// compression is whole, whether a digest fits, or what `pg_restore --list` prints.
    /// Reported once for each set-up, at the strongest of them.
    ///
    /// ## Why
    /// All of these pass on a backup without rows. `gzip` of nothing has 20 bytes, so
    /// `[ -s dump.gz ]` is always true; `pg_restore --list` reads the table of contents
    /// and stops; a digest says that the bytes are those that were written, whatever
    /// they were.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// pg_restore --list shop.dump > /dev/null
    /// aws s3 cp shop.dump "s3://shop-backups/$(date +%F).dump"
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// createdb scratch
    /// pg_restore --exit-on-error -d scratch shop.dump
    /// test "$(psql -AtX -d scratch -c 'select count(*) from orders')" -gt 0
    /// aws s3 cp shop.dump "s3://shop-backups/$(date +%F).dump"
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/app-pgrestore.html>
    "verify-weak" in Restore,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let Some((_, _, dump)) = pipeline.backup(set) else { continue };
        if (!dump.is_logical() && dump.tool != DumpTool::PgBaseBackup)
            || hides_a_test(pipeline)
            || pipeline.commands(set).any(|(_, command)| reads_data(set, pipeline, command))
        {
            continue;
        }
        let mut compared = Compared::default();
        let weak = pipeline.commands(set).filter_map(|(index, command)| match &command.role {
            Role::Probe(probe) if looks_at_dump(set, &mut compared, pipeline, index, command, probe) => {
                Some((index, command, probe))
            }
            _ => None,
        });
        let Some((index, command, probe)) = weak.max_by_key(|(_, _, probe)| probe.kind) else { continue };
        let packed = pipeline.flow.read(index).any(|artifact| artifact.packed().next().is_some());
        let message = match pipeline
            .commands(set)
            .find(|(index, command)| looks_for_words(pipeline, *index, command))
        {
            Some(_) if probe.kind < ProbeKind::List => {
                "all that is checked is the file and a word in it: missing or damaged rows are not seen"
            }
            _ => message(command, probe, packed),
        };
        let report = findings.report(command.name_at, message);
        let report = report
            .help("restore into a scratch database with `--exit-on-error`, and count rows, before it is called a backup");
        if pipeline.helper {
            report.severity(Severity::Note);
        }
    }
}

/// `zcat a.gz | grep -q "PostgreSQL database dump"`
fn looks_for_words(pipeline: &Pipeline, index: usize, command: &Command) -> bool {
    matches!(command.name.as_str(), "grep" | "zgrep") && pipeline.flow.read(index).next().is_some()
}

/// Code that cannot be seen and that tests by its name. Of others, here, where a check
/// can be seen, nobody expects another one.
fn hides_a_test(pipeline: &Pipeline) -> bool {
    let names = ["verif", "test", "check", "restor", "valid", "drill"];
    pipeline.unseen.iter().any(|called| {
        let name = called.arg().text.to_ascii_lowercase();
        names.iter().any(|word| name.contains(word))
    })
}

fn message(command: &Command, probe: &Probe, packed: bool) -> &'static str {
    match probe.kind {
        ProbeKind::Exists => "all that is checked is that a file is there: an empty one is, too",
        ProbeKind::Size if matches!(command.name.as_str(), "[" | "[[" | "test") => {
            if packed {
                "all that is checked is that the file is not empty: gzip of nothing has 20 bytes"
            } else {
                "all that is checked is that the file is not empty: a dump that broke off is not, either"
            }
        }
        ProbeKind::Size => "all that is checked is the size: a schema without rows has one, too",
        ProbeKind::Compression => "all that is checked is the compression: an archive of nothing is whole",
        ProbeKind::Digest => {
            "all that is checked is a digest: the bytes are those that were written, whether they restore or not"
        }
        _ => "all that is checked is the table of contents: missing or damaged rows are not seen",
    }
}

fn reads_data(set: &Set<'_>, pipeline: &Pipeline, command: &Command) -> bool {
    match &command.role {
        // The restore procedure of a document is no test of it.
        Role::Restore(restore) => {
            set.units.get(pipeline.root).is_none_or(|unit| unit.kind != Kind::Markdown)
                || restore.target.is_local()
                || set.about(command).says(&["test", "verif", "valid", "drill", "check"])
        }
        Role::Probe(probe) => {
            probe.kind >= ProbeKind::Read
                || (probe.kind == ProbeKind::Query
                    && probe.queries.iter().any(|query| query.text.to_ascii_lowercase().contains("count(")))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn the_strongest_check_is_told_what_it_cannot_see() {
        let text = "pg_dump -Fc -f a.dump shop\n[ -s a.dump ] || exit 1\npg_restore -l a.dump > toc\naws s3 cp a.dump s3://b/\n";
        insta::assert_snapshot!(check(&RULE, &[("b.sh", text)]), @r"
        b.sh:3:1: warning[verify-weak]: all that is checked is the table of contents: missing or damaged rows are not seen
        help: restore into a scratch database with `--exit-on-error`, and count rows, before it is called a backup
        ");
    }

    #[test]
    fn every_weak_check() {
        for look in [
            "[ -f a.gz ]",
            "test -s a.gz",
            "gzip -t a.gz",
            "sha256sum -c a.sha256",
            "[ $(stat -c%s a.gz) -gt 99 ]",
        ] {
            let text = format!("pg_dump shop | gzip > a.gz\n{look}\naws s3 cp a.gz s3://b/\n");
            let found = check(&RULE, &[("b.sh", &text)]);
            assert_eq!(found.matches("warning[").count(), 1, "{look}: {found}");
        }
        let document = "```bash\npg_dump -Fc -f a.dump shop\naws s3 cp a.dump s3://b/\n```\n## Restore\n```bash\npg_restore -d shop a.dump\n```\n## Check\n```bash\npg_restore --list \"$1\"\n```\n";
        assert!(check(&RULE, &[("a.md", document)]).starts_with("a.md:11:1: warning["));
    }

    #[test]
    fn a_check_that_reads_rows_is_enough() {
        for look in [
            "pg_restore -e -d scratch a.dump",
            "gunzip -c a.gz | psql scratch",
            "psql -Atc 'select COUNT(*) from orders'",
            "pg_restore -f /dev/null a.dump",
            "backstop verify",
            "./verify.sh a.dump",
            "echo none",
        ] {
            let text = format!(
                "pg_dump -Fc -f a.dump shop\n[ -s a.dump ] || true\n{look}\naws s3 cp a.dump s3://b/\n"
            );
            let expected = usize::from(look.starts_with("echo"));
            assert_eq!(check(&RULE, &[("b.sh", &text)]).matches("warning[").count(), expected, "{look}");
        }
        let words = "pg_dump shop | gzip > a.gz\ngzip -t a.gz\nzcat a.gz | head -50 | grep -q 'database dump'\naws s3 cp a.gz s3://b/\n";
        assert!(check(&RULE, &[("b.sh", words)]).contains("the file and a word in it"));
        let drill = "```bash\npg_dump -Fc -f a.dump shop\n[ -s a.dump ]\naws s3 cp a.dump s3://b/\n```\n## Drill\n```bash\npg_restore -d x a.dump\n```\n";
        assert_eq!(check(&RULE, &[("a.md", drill)]), "");
    }
}
