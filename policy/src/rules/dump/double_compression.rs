use std::collections::HashSet;

use crate::finding::{Edit, Fix};
use crate::model::{Artifact, Command, Dump, DumpTool, Layer, Role, Set};
use crate::rule::{Findings, rule};

rule! {
    /// Compression around an archive that is compressed already.
    ///
    /// ## What
    /// `gzip`, `zip`, `xz` or `zstd` on a dump in custom or directory format, or on a
    /// plain one with `-Z`.
    ///
    /// ## Why
    /// Custom and directory format compress by themselves. The second pass costs time
    /// and saves nothing, `pg_restore` cannot read its result, so that every check and
    /// every restore has one more step, and parallel restores need a copy first.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// gzip shop.dump
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -Z zstd:6 -f shop.dump "$DATABASE_URL"
    /// ```
    /// or
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -Z0 "$DATABASE_URL" | zstd > shop.dump.zst
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/app-pgdump.html>
    "double-compression" in Dump,
    severity: Note,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let mut told = HashSet::new();
        for artifact in &pipeline.flow.artifacts {
            let (Some(dumped), Some(command)) =
                (set.commands.get(artifact.dump), set.commands.get(artifact.made_by))
            else {
                continue;
            };
            let Role::Dump(dump) = &dumped.role else { continue };
            if !is_packed_twice(artifact, dump) || !told.insert(artifact.dump) {
                continue;
            }
            let message = if dump.is_compressed() {
                format!(
                    "{} compresses what pg_dump has compressed already: time for nothing, and one more step at each restore",
                    command.name
                )
            } else {
                format!("{} compresses what is compressed already", command.name)
            };
            let report = findings.report(command.name_at, message);
            let report = report.help("leave it out: choose pg_dump's own compression with `-Z`");
            let report = if command.at.document == dumped.at.document {
                report.related(dumped.name_at, "compressed here for the first time")
            } else {
                report
            };
            if let Some(fix) = fix(dumped, dump, command) {
                report.fix(fix);
            }
        }
    }
}

fn is_packed_twice(artifact: &Artifact, dump: &Dump) -> bool {
    let layers = artifact.packed().filter(|layer| *layer != Layer::Tar).count();
    layers + usize::from(dump.is_compressed()) > 1 && layers > 0
}

/// The names of the files stay as they are: pg_dump leaves it to the other program.
fn fix(dumped: &Command, dump: &Dump, command: &Command) -> Option<Fix> {
    let by_format = dump.tool == DumpTool::PgDump && dump.compress.is_none() && dump.is_compressed();
    (by_format && command.at.document == dumped.at.document).then(|| {
        let title = format!("leave the compression to {}: pg_dump with `-Z0`", command.name);
        Fix::safe(title, vec![Edit::insert(dumped.name_at.span.end, " -Z0")])
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn the_second_pass_is_reported() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", "pg_dump -Fc -f a.dump shop\ngzip -9 a.dump\n")]), @r"
        b.sh:2:1: note[double-compression]: gzip compresses what pg_dump has compressed already: time for nothing, and one more step at each restore
        help: leave it out: choose pg_dump's own compression with `-Z`
          b.sh:1:1: compressed here for the first time
        ");
    }

    #[test]
    fn every_form_of_it() {
        for text in [
            "pg_dump -Fc shop | gzip > a.gz\n",
            "pg_dump --format=custom shop | pv | zstd -o a.zst\n",
            "pg_dump -Fd -f d shop\ntar czf d.tgz d\n",
            "pg_dump -Z9 shop | gzip > a.gz\n",
            "pg_dump shop | gzip | xz > a.gz.xz\n",
            "pg_dump -Fc -f a shop\nzip a.zip a\naws s3 cp a.zip s3://b/\n",
        ] {
            let found = check(&RULE, &[("b.sh", text)]);
            assert_eq!(found.matches("note[").count(), 1, "{text}: {found}");
        }
    }

    #[test]
    fn one_pass_is_fine() {
        for text in [
            "pg_dump shop | gzip > a.gz\n",
            "pg_dump -Fc -Z0 shop | zstd > a.zst\n",
            "pg_dump -Fc --compress=none -f a shop\ngzip a\n",
            "pg_dump -Ft shop | gzip > a.tar.gz\n",
            "pg_dump -Fd -f d shop\ntar cf d.tar d\n",
            "pg_dump -Fc -f a shop\ngzip -t old.gz\ngzip other.sql\n",
            "pg_dump -Z6 -f a.sql.gz shop\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }

    #[test]
    fn the_fix_leaves_the_names_alone() {
        assert_eq!(
            fix(&RULE, "b.sh", "pg_dump -Fc -f a.dump shop\ngzip a.dump\naws s3 cp a.dump.gz s3://b/\n"),
            "pg_dump -Z0 -Fc -f a.dump shop\ngzip a.dump\naws s3 cp a.dump.gz s3://b/\n"
        );
    }
}
