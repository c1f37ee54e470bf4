use std::collections::{HashMap, HashSet};

use crate::finding::Severity;
use crate::model::{Command, Contents, Format, Layer, Pipeline, ProbeKind, RestoreTool, Role, Set, Wrap};
use crate::path;
use crate::rule::{Findings, rule};
use crate::rules::restore::input::{Input, Shape, of_artifact};

rule! {
    /// A check or a restore with a tool that cannot read the file.
    ///
    /// ## What
    /// `pg_restore` on plain SQL or on something compressed or encrypted, `psql` on an
    /// archive, `gunzip` on what is no gzip. The file is followed from the dump; where
    /// it is a parameter, it is what the set-up uploads.
    ///
    /// ## Why
    /// `pg_restore` reads only archives of pg_dump (custom, directory, tar), `psql` only
    /// SQL, and neither unpacks. Such a check fails for every backup, so it is soon
    /// ignored or never ran; such a restore fails on the day on which it is needed.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump "$DATABASE_URL" | gzip > shop.sql.gz
    /// pg_restore --list shop.sql.gz > /dev/null
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump "$DATABASE_URL" | gzip > shop.sql.gz
    /// gunzip -c shop.sql.gz | psql -X -v ON_ERROR_STOP=1 -d scratch
    /// ```
    /// or
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// pg_restore --exit-on-error -d scratch shop.dump
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/app-pgrestore.html>
    /// - <https://www.postgresql.org/docs/current/backup-dump.html#BACKUP-DUMP-RESTORE>
    "verify-wrong-format" in Restore,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let mut handling: HashMap<usize, bool> = HashMap::new();
    for pipeline in &set.pipelines {
        let kept = Kept::of(set, pipeline);
        for (index, command) in pipeline.commands(set) {
            let Some(tool) = Reader::of(command) else { continue };
            let input = Input::of(set, pipeline, index, command);
            let any =
                input.is_any() && !*handling.entry(command.script).or_insert_with(|| handles(set, command));
            let Some(problem) = problem(set, &kept, command, &input, any, tool) else { continue };
            let report = findings.report(command.name_at, problem.message).help(problem.help);
            let report = match input.artifact.and_then(|artifact| set.commands.get(artifact.dump)) {
                Some(dump) => report.related(dump.name_at, "the dump is made here"),
                None => report,
            };
            if problem.unsure {
                report.severity(Severity::Warning);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    PgRestore,
    Psql,
    Gunzip,
}

impl Reader {
    fn of(command: &Command) -> Option<Self> {
        match &command.role {
            Role::Restore(restore) if restore.tool == RestoreTool::PgRestore => Some(Self::PgRestore),
            Role::Restore(restore) if restore.tool == RestoreTool::Psql => Some(Self::Psql),
            Role::Probe(probe) if matches!(probe.kind, ProbeKind::List | ProbeKind::Read) => {
                (command.name == "pg_restore").then_some(Self::PgRestore)
            }
            Role::Probe(probe) if probe.kind == ProbeKind::Compression => {
                matches!(command.name.as_str(), "gzip" | "gunzip" | "pigz").then_some(Self::Gunzip)
            }
            Role::Transform(transform) if transform.unpacks && transform.layers == [Layer::Gzip] => {
                Some(Self::Gunzip)
            }
            _ => None,
        }
    }
}

struct Problem {
    message: String,
    help: &'static str,
    /// Only by a name.
    unsure: bool,
}

/// What the dumps of a pipeline are, asked again and again.
struct Kept {
    /// What every dump that is uploaded is.
    stored: Option<Shape>,
    /// Formats of the dumps with rows.
    formats: HashSet<Format>,
}

impl Kept {
    fn of(set: &Set<'_>, pipeline: &Pipeline) -> Self {
        let dumps = pipeline
            .dumps(set)
            .filter(|(_, _, dump)| dump.is_logical() && dump.contents != Contents::RolesOnly);
        Self { stored: stored(set, pipeline), formats: dumps.map(|(_, _, dump)| dump.format).collect() }
    }

    fn is_all(&self, format: Format) -> bool {
        self.formats.len() == 1 && self.formats.contains(&format)
    }
}

/// `any`: the file is a parameter.
fn problem(
    set: &Set<'_>,
    kept: &Kept,
    command: &Command,
    input: &Input<'_>,
    any: bool,
    tool: Reader,
) -> Option<Problem> {
    if tool == Reader::Gunzip {
        return not_gzip(set, input, command);
    }
    let shape = if any { kept.stored? } else { input.shape(set) };
    let what = if any { "the backups that are uploaded here are" } else { "the file is" };
    let name = &command.name;
    let always = if any { ": it fails for each of them" } else { "" };
    let sure = |message: String, help| Some(Problem { message, help, unsure: false });
    if shape.encrypted {
        return sure(format!("{name} cannot decrypt, and {what} encrypted{always}"), "decrypt it first");
    }
    if shape.packed {
        let help = if tool == Reader::Psql {
            "unpack it on the way: `gunzip -c FILE | psql …`"
        } else {
            "unpack it on the way: `gunzip -c FILE | pg_restore …`, or dump with `-Fc` and no gzip around it"
        };
        return sure(format!("{name} cannot unpack, and {what} compressed{always}"), help);
    }
    match (tool, shape.format?) {
        (Reader::PgRestore, Format::Plain) => {
            let help = "restore plain SQL with psql, or dump with `--format=custom`";
            let message = format!("pg_restore refuses plain SQL, and {what} just that");
            if input.artifact.is_some() {
                return sure(message, help);
            }
            // A name says less than a format that is chosen somewhere here.
            let archives = kept.formats.iter().any(|format| *format != Format::Plain);
            let message = format!(
                "pg_restore refuses plain SQL, which is what '{}' says it is",
                path::name(&input.name)
            );
            (!archives).then(|| Problem { message, help, unsure: !kept.is_all(Format::Plain) })
        }
        (Reader::Psql, format @ (Format::Custom | Format::Tar | Format::Directory)) => {
            let message = format!("psql refuses {}: nothing is restored", format.describe());
            let help = "restore it with `pg_restore --exit-on-error -d …`";
            let known = input.artifact.is_some() || (input.name.contains('.') && kept.is_all(Format::Custom));
            known.then_some(Problem { message, help, unsure: false })
        }
        _ => None,
    }
}

/// gunzip on an archive that only compresses inside.
fn not_gzip(set: &Set<'_>, input: &Input<'_>, command: &Command) -> Option<Problem> {
    let artifact = input.artifact?;
    let is_gzip = of_artifact(set, artifact).packed;
    let packed = artifact.wraps.last().is_none_or(|wrap| *wrap == Wrap::Packed(Layer::Gzip));
    (!is_gzip && packed && artifact.file.is_some()).then(|| Problem {
        message: format!(
            "{} refuses the file: it is {} and no gzip, whatever its name says",
            command.name,
            artifact.format.describe()
        ),
        help: "name it `.dump` and give it to pg_restore as it is",
        unsure: false,
    })
}

/// Whether the script looks at suffixes or unpacks.
fn handles(set: &Set<'_>, command: &Command) -> bool {
    let text = set.script_of(command).map_or("", |script| set.text(script.at));
    ["gunzip", "gzip", "zcat", "zstd", "unxz", "\\.gz", "*.gz", "decrypt", "gpg", "openssl", "age "]
        .iter()
        .any(|word| text.contains(word))
}

/// What every dump that is uploaded is.
fn stored(set: &Set<'_>, pipeline: &Pipeline) -> Option<Shape> {
    let uploads = pipeline.commands(set).filter(|(_, command)| matches!(command.role, Role::Upload(_)));
    let shapes: Vec<Shape> = uploads
        .flat_map(|(index, _)| pipeline.flow.read(index))
        .map(|artifact| of_artifact(set, artifact))
        .collect();
    let first = *shapes.first()?;
    let same = shapes.iter().all(|it| (it.packed, it.encrypted) == (first.packed, first.encrypted));
    (same && (first.packed || first.encrypted)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn a_tool_that_cannot_read_the_file_is_reported() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", "pg_dump shop | gzip > a.sql.gz\npg_restore -l a.sql.gz\n")]), @r"
        b.sh:2:1: error[verify-wrong-format]: pg_restore cannot unpack, and the file is compressed
        help: unpack it on the way: `gunzip -c FILE | pg_restore …`, or dump with `-Fc` and no gzip around it
          b.sh:1:1: the dump is made here
        ");
    }

    #[test]
    fn every_wrong_pair() {
        for text in [
            "pg_dump -f a.sql shop\npg_restore -d x a.sql\n",
            "pg_dump -Fc -f a.dump shop\npsql x < a.dump\n",
            "pg_dump -Fc -f a.sql shop\npsql x -f a.sql\n",
            "pg_dump -f a.sql shop\ngzip a.sql\npsql x < a.sql.gz\n",
            "pg_dump -Fc -f a.dump shop\ngzip a.dump\npg_restore -d x a.dump.gz\n",
            "pg_dump shop | gzip | age -r age1x -o a.age\nage -d -i k a.age | psql x\n",
            "pg_dump -Fc -Z9 -f a.dump.gz shop\ngunzip -c a.dump.gz | pg_restore -d x\n",
            "pg_dump -Fc -f a.dump shop\ngzip -t a.dump\n",
            "pg_dump -f a.sql shop\ngunzip -c old.sql.gz | pg_restore -d x\n",
            "pg_dump -Fc -f a.dump shop\npsql x < old.dump\n",
        ] {
            let found = check(&RULE, &[("b.sh", text)]);
            assert_eq!(found.matches("error[").count(), 1, "{text}: {found}");
        }
        let found = check(&RULE, &[("restore.sh", "pg_restore -d x backup.sql\n")]);
        assert!(found.starts_with("restore.sh:1:1: warning["), "{found}");
    }

    #[test]
    fn a_parameter_is_what_the_set_up_keeps() {
        let text = "```bash\n#!/bin/bash\npg_dump -f a.sql shop\ngzip a.sql\naws s3 cp a.sql.gz s3://b/\n```\n\n```bash\n#!/bin/bash\npsql test < \"$1\"\n```\n";
        let found = check(&RULE, &[("backup.md", text)]);
        assert!(found.contains("backup.md:10:1: error["), "{found}");
        assert!(found.contains("the backups that are uploaded here are compressed: it fails"), "{found}");
        let other = text.replace("psql test", "[[ $1 == *.gz ]] && gunzip \"$1\"\npsql test");
        assert_eq!(check(&RULE, &[("backup.md", &other)]), "");
        assert_eq!(check(&RULE, &[("backup.md", &text.replace("gzip a.sql\n", ""))]), "");
    }

    #[test]
    fn pairs_that_fit_are_silent() {
        for text in [
            "pg_dump shop | gzip > a.sql.gz\ngunzip -c a.sql.gz | psql x\ngzip -t a.sql.gz\n",
            "pg_dump -Fc -f a.dump shop\npg_restore -l a.dump\npg_restore -d x a.dump\n",
            "pg_dump -Fc -f a.dump shop\ngzip a.dump\ngunzip -c a.dump.gz | pg_restore -d x\n",
            "pg_dump -Z6 -f a.sql.gz shop\ngunzip -c a.sql.gz | psql x\n",
            "pg_dump -Fc -f backup.sql shop\npg_restore -d x backup.sql\npg_restore -t users -d x old.sql\n",
            "pg_dump -Fd -j4 -f dir shop\npg_restore -d x dir\n",
            "pg_restore -d x \"$1\"\n",
            "psql x -f migrations/001.sql\npg_dump -Fc -f a.dump shop\n",
            "age -d -i k a.sql.gz.age | gunzip | psql x\npg_dump -f a.sql x\n",
            "zcat backup.dump.gz | pg_restore -d x\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }
}
