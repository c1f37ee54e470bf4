use std::collections::HashSet;

use crate::finding::{Edit, Fix, Severity, Span};
use crate::model::{Arg, Artifact, Command, Dump, DumpTool, Format, Role, Set, Wrap};
use crate::path;
use crate::rule::{Findings, rule};

rule! {
    /// A dump whose name promises another format.
    ///
    /// ## What
    /// The suffix of the file contradicts `--format` and what the file runs through:
    /// an archive named `.sql` or `.gz`, plain SQL named `.gz` without a gzip, gzip
    /// named `.sql`. Plain SQL named `.dump` is a note.
    ///
    /// ## Why
    /// Whoever restores goes by the name, in a hurry: `psql` refuses an archive,
    /// `gunzip` refuses what only pg_dump has compressed, `pg_restore` refuses SQL. It
    /// looks like a broken backup.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// pg_dump --format=custom --file=shop.sql "$DATABASE_URL"
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// pg_dump --format=custom --file=shop.dump "$DATABASE_URL"
    /// ```
    /// or
    /// ```bash backup.sh
    /// set -o pipefail
    /// pg_dump "$DATABASE_URL" | gzip > shop.sql.gz
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/app-pgdump.html>
    "format-name-mismatch" in Dump,
    severity: Warning,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let mut told = HashSet::new();
        for artifact in &pipeline.flow.artifacts {
            let Some(command) = set.commands.get(artifact.dump) else { continue };
            let (Role::Dump(dump), Some(file)) = (&command.role, &artifact.file) else { continue };
            // What is wrong with the first file is wrong with all that are made of it.
            if !matches!(dump.tool, DumpTool::PgDump | DumpTool::PgDumpAll | DumpTool::Supabase)
                || !told.insert(artifact.dump)
            {
                continue;
            }
            let Some(wrong) = wrong(artifact, dump, &file.text) else { continue };
            let report = findings.report(file.arg.at, wrong.message).help(wrong.help);
            let report = if wrong.mild { report.severity(Severity::Note) } else { report };
            if let Some(fix) = fix(set, command, &file.arg, &wrong.suffix, &wrong.right) {
                report.fix(fix);
            }
        }
    }
}

struct Wrong {
    message: String,
    help: String,
    /// What the name ends with, and what it should end with instead.
    suffix: String,
    right: String,
    mild: bool,
}

const PACKED: [&str; 7] = ["gz", "tgz", "zip", "zst", "xz", "bz2", "lz4"];

fn wrong(artifact: &Artifact, dump: &Dump, file: &str) -> Option<Wrong> {
    let mut name = path::name(file);
    // From the outside in: each layer should have its suffix.
    for wrap in artifact.wraps.iter().rev() {
        let (stem, suffix) = name.rsplit_once('.')?;
        match wrap {
            Wrap::Packed(layer) if suffix == layer.suffix() => name = stem,
            Wrap::Packed(layer) if matches!(suffix, "sql" | "dump") => {
                let right = format!(".{suffix}.{}", layer.suffix());
                return Some(Wrong {
                    message: format!(
                        "named '.{suffix}', but it is {}: whoever reads it by its name gets bytes",
                        layer.suffix()
                    ),
                    help: format!("name it '{right}'"),
                    suffix: format!(".{suffix}"),
                    right,
                    mild: false,
                });
            }
            Wrap::Packed(_) | Wrap::Encrypted(_) => return None,
        }
    }
    let (stem, suffix) = name.rsplit_once('.')?;
    let packs_itself = artifact.wraps.is_empty() && dump.is_compressed();
    let inner_is_named =
        stem.rsplit_once('.').is_some_and(|(_, inner)| matches!(inner, "dump" | "sql" | "custom"));
    let (refuses, right, mild) = match (dump.format, suffix) {
        (Format::Custom | Format::Tar | Format::Directory, "sql" | "psql") => {
            ("psql will refuse it", if dump.format == Format::Tar { ".tar" } else { ".dump" }, false)
        }
        (Format::Custom | Format::Tar | Format::Directory, suffix) if PACKED.contains(&suffix) => {
            ("gunzip and its like will refuse it", if inner_is_named { "" } else { ".dump" }, false)
        }
        (Format::Custom | Format::Directory, "tar") => ("tar will refuse it", ".dump", false),
        (Format::Plain, "sql") if packs_itself => ("psql will refuse it as it is", ".sql.gz", false),
        (Format::Plain, suffix) if PACKED.contains(&suffix) && !packs_itself => {
            ("gunzip will refuse it", if inner_is_named { "" } else { ".sql" }, false)
        }
        (Format::Plain, "tar" | "custom" | "pgdump") => ("pg_restore will refuse it", ".sql", false),
        (Format::Plain, "dump") => ("pg_restore will refuse it", ".sql", true),
        _ => return None,
    };
    let what = if packs_itself && dump.format == Format::Plain {
        "compressed by pg_dump"
    } else {
        dump.format.describe()
    };
    let help = if right.is_empty() { format!("leave out '.{suffix}'") } else { format!("name it '{right}'") };
    Some(Wrong {
        message: format!("named '.{suffix}', but it is {what}: {refuses}"),
        help,
        suffix: format!(".{suffix}"),
        right: right.to_owned(),
        mild,
    })
}

/// Where the name is written: in the argument, or in the variable that it takes.
/// Others may know the old name - a cleanup, a restore - so a person should look.
fn fix(set: &Set<'_>, command: &Command, arg: &Arg, suffix: &str, right: &str) -> Option<Fix> {
    let script = set.script_of(command)?;
    let assigned = arg.variables.iter().flat_map(|name| script.assigned(name));
    let places = std::iter::once(arg.at).chain(assigned.map(|setting| setting.value.at));
    let mut places = places.filter(|place| place.document == arg.at.document);
    places.find_map(|place| {
        let text = set.text(place);
        let end = text.trim_end_matches(['"', '\'', '}']).len();
        let start = text.get(..end)?.strip_suffix(suffix)?.len();
        let span = Span::new(place.span.start + start, place.span.start + end);
        Some(Fix::unsafe_(format!("name it '{right}'"), vec![Edit::replace(span, right)]))
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn a_name_that_promises_another_format_is_reported() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", "pg_dump -F c -Z 9 -f a_$(date +%F).dump.gz shop\n")]), @r"
        b.sh:1:22: warning[format-name-mismatch]: named '.gz', but it is pg_dump's custom format: gunzip and its like will refuse it
        help: leave out '.gz'
        ");
    }

    #[test]
    fn every_wrong_name() {
        for text in [
            "F=/b/$(date +%F).sql\npg_dump --format=custom --file=\"$F\" shop\ngzip \"$F\"\n",
            "pg_dump -Fc shop > a.sql\n",
            "pg_dump -Fc shop | gzip > a.sql.gz\n",
            "pg_dump shop > a.sql.gz\n",
            "pg_dump shop | gzip > a.sql\n",
            "pg_dump -Z9 -f a.sql shop\n",
            "pg_dump -Ft -f a.tar.gz shop\n",
            "pg_dump -Fd -f a.tar shop\n",
        ] {
            let found = check(&RULE, &[("b.sh", text)]);
            assert_eq!(found.matches("warning[").count(), 1, "{text}: {found}");
        }
        assert!(check(&RULE, &[("b.sh", "pg_dump shop > a.dump\n")]).contains("note["));
    }

    #[test]
    fn names_that_fit_or_say_nothing_are_silent() {
        for text in [
            "pg_dump -Fc -f a.dump shop\ngzip a.dump\n",
            "pg_dump -Fc -f a.backup shop\n",
            "pg_dump -Fc -f \"$FILE\" shop\n",
            "pg_dump shop | gzip > a.sql.gz\n",
            "pg_dump -Z6 -f a.sql.gz shop\n",
            "pg_dump shop | gzip | gpg -e -r x > a.sql.gpg\n",
            "pg_dump -Ft -f a.tar shop\n",
            "pg_dump -Fd -f folder shop\n",
            "pg_dump shop > \"a.$(date +%F)\"\n",
            "pg_dumpall > all.sql\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }

    #[test]
    fn the_fix_renames_where_the_name_is_written() {
        assert_eq!(
            fix(&RULE, "b.sh", "F=\"$D/a.sql\"\npg_dump -Fc -f \"$F\" shop\n"),
            "F=\"$D/a.dump\"\npg_dump -Fc -f \"$F\" shop\n"
        );
        assert_eq!(fix(&RULE, "b.sh", "pg_dump -Fc > 'a.dump.gz'\n"), "pg_dump -Fc > 'a.dump'\n");
    }
}
