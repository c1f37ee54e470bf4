use std::collections::{HashMap, HashSet};

use crate::finding::{Place, Severity};
use crate::model::{Command, DumpTool, Pipeline, Probe, ProbeKind, Role, Script, Set};
use crate::rule::{Findings, rule};

rule! {
    /// Nothing in the whole set-up looks at a backup after it was made.
    ///
    /// ## What
    /// A pipeline - a workflow or crontab with the scripts it calls, or a document
    /// with all its blocks - dumps a database, and none of its steps restores, lists,
    /// measures or compares what came out. Reported once, at the first dump.
    ///
    /// ## Why
    /// A backup that was never restored is a hope. Half of the public set-ups that we
    /// have read (37 of 67) upload whatever they get: an empty archive, a schema
    /// without rows, a file that the restore tool refuses.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// aws s3 cp shop.dump s3://shop-backups/daily/
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// createdb scratch
    /// pg_restore --exit-on-error -d scratch shop.dump
    /// test "$(psql -AtX -d scratch -c 'select count(*) from orders')" -gt 0
    /// aws s3 cp shop.dump s3://shop-backups/daily/
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/backup-dump.html>
    /// - <https://docs.gitlab.com/administration/backup_restore/>
    "verify-missing" in Restore,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let Some((_, command, dump)) = pipeline.backup(set) else { continue };
        // pgBackRest and its like verify by themselves, and so does backstop.
        if !dump.is_logical() && dump.tool != DumpTool::PgBaseBackup {
            continue;
        }
        if is_verified(set, pipeline)
            || pipeline.may_hide(&["verif", "test", "check", "restor", "valid", "drill"])
        {
            continue;
        }
        let message = "nothing here ever looks at the dump: whether it restores will be known when it has to";
        let report = findings.report(command.name_at, message);
        let report =
            report.help("restore it into a scratch database and count rows before it is called a backup");
        if pipeline.helper {
            report.severity(Severity::Note);
        }
    }
}

/// A restore, or any look at a dump. Weak ones are `verify-weak`.
fn is_verified(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    let mut compared = Compared::default();
    pipeline.commands(set).any(|(index, command)| match &command.role {
        Role::Restore(_) => true,
        Role::Probe(probe) => looks_at_dump(set, &mut compared, pipeline, index, command, probe),
        _ => false,
    })
}

pub(super) fn looks_at_dump<'s>(
    set: &'s Set<'_>,
    compared: &mut Compared<'s>,
    pipeline: &Pipeline,
    index: usize,
    command: &'s Command,
    probe: &Probe,
) -> bool {
    let queries_rows =
        || probe.queries.iter().any(|query| query.text.to_ascii_lowercase().contains("count("));
    match probe.kind {
        ProbeKind::List
        | ProbeKind::Read
        | ProbeKind::Restored
        | ProbeKind::Compression
        | ProbeKind::Digest => true,
        ProbeKind::Query => queries_rows(),
        ProbeKind::Exists | ProbeKind::Size => {
            compared.decides(set, command) && pipeline.flow.read(index).next().is_some()
        }
    }
}

/// Variables that a script compares, of the scripts that were asked about.
#[derive(Default)]
pub(super) struct Compared<'s> {
    names: HashMap<usize, HashSet<&'s str>>,
}

impl<'s> Compared<'s> {
    /// Whether something depends on what a command finds. `ls -lh` and `du -h` for the
    /// log, and `$(ls -t … | head -1)` that chooses a file, are no checks.
    fn decides(&mut self, set: &'s Set<'_>, command: &'s Command) -> bool {
        /// Commands around one, and assignments, that are looked at.
        const NEAR: usize = 8;
        if is_test(command) || command.nesting.condition {
            return true;
        }
        let Some(script) = set.script_of(command) else { return false };
        let holds = |at: Place| {
            at.span.start <= command.at.span.start && command.at.span.end <= at.span.end && at != command.at
        };
        // `[ "$(stat -c%s a.dump)" -gt 1000 ]`
        let before = (script.at.span.start..command.at.span.start).into();
        if set.commands_in(script, before).iter().rev().take(NEAR).any(|test| is_test(test) && holds(test.at))
        {
            return true;
        }
        let start = command.at.span.start;
        let taken = script.assignments.partition_point(|setting| setting.value.at.span.start <= start);
        let mut taken = script.assignments.iter().take(taken).rev().take(NEAR);
        let Some(taken) = taken.find(|setting| holds(setting.value.at)) else {
            // `stat a.dump | awk '$1 < 1000 { exit 1 }'`
            return command.pipes() && !matches!(command.name.as_str(), "ls" | "du" | "head" | "tail");
        };
        // `SIZE=$(stat -c%s a.dump)`, and a comparison further down.
        let names = self.names.entry(command.script).or_insert_with(|| compared(set, script));
        command.name != "ls" && names.contains(taken.name.as_str())
    }
}

/// In `[ … ]` and in `(( … ))`.
fn compared<'s>(set: &'s Set<'_>, script: &Script) -> HashSet<&'s str> {
    let commands = set.commands.get(script.commands.clone()).unwrap_or_default();
    let tests = commands.iter().filter(|command| is_test(command));
    let mut names: HashSet<&str> =
        tests.flat_map(|test| &test.args).flat_map(|arg| &arg.variables).map(String::as_str).collect();
    let text = set.text(script.at);
    for (at, open) in text.match_indices("((") {
        let rest = text.get(at + open.len()..).unwrap_or_default();
        let inside = rest.split(['\n', ')']).next().unwrap_or_default();
        names.extend(inside.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    }
    names
}

fn is_test(command: &Command) -> bool {
    matches!(command.name.as_str(), "[" | "[[" | "test")
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn it_is_reported_once_at_the_first_dump() {
        let text = "pg_dump -Fc -f a.dump shop\npg_dumpall -g > g.sql\naws s3 cp a.dump s3://b/\n";
        insta::assert_snapshot!(check(&RULE, &[("b.sh", text)]), @r"
        b.sh:1:1: error[verify-missing]: nothing here ever looks at the dump: whether it restores will be known when it has to
        help: restore it into a scratch database and count rows before it is called a backup
        ");
    }

    #[test]
    fn any_look_at_the_dump_silences_it() {
        for look in [
            "pg_restore --list a.dump > /dev/null",
            "[ -s a.dump ] || exit 1",
            "if [[ ! -f a.dump ]]; then exit 1; fi",
            "sha256sum -c a.sha256",
            "pg_restore -d scratch a.dump",
            "SIZE=$(stat -c%s a.dump)\nif [ \"$SIZE\" -lt 1000 ]; then exit 1; fi",
            "SIZE=$(wc -c < a.dump)\n(( SIZE > 1000 )) || exit 1",
            "[ \"$(du -k a.dump | cut -f1)\" -gt 10 ] || exit 1",
            "if ! ls a.dump; then exit 1; fi",
            "./verify-backup.sh a.dump",
            "./scripts/after.sh",
        ] {
            let text = format!("pg_dump -Fc -f a.dump shop\n{look}\naws s3 cp a.dump s3://b/\n");
            assert_eq!(check(&RULE, &[("b.sh", &text)]), "", "{look}");
        }
    }

    #[test]
    fn what_looks_at_something_else_does_not() {
        for look in [
            "[ -f .env ] && . ./.env",
            "[ -s other ]",
            "ls -t *.dump | tail -n +8 | xargs rm -f",
            "LAST=$(ls -t *.dump | head -1)",
            "psql -c 'select 1'",
            "npm run deploy",
            "ls -l /etc",
        ] {
            let text = format!("{look}\npg_dump -Fc -f a.dump shop\naws s3 cp a.dump s3://b/\n");
            let found = check(&RULE, &[("b.sh", &text)]);
            assert_eq!(found.matches("error[").count(), 1, "{look}: {found}");
        }
    }

    #[test]
    fn a_script_that_is_called_is_a_part_of_its_caller() {
        let caller = "./scripts/dump.sh\npg_restore -d scratch a.dump\n";
        assert_eq!(
            check(&RULE, &[("backup.sh", caller), ("scripts/dump.sh", "pg_dump -Fc -f a.dump shop\n")]),
            ""
        );
        let found = check(
            &RULE,
            &[
                ("backup.sh", "./scripts/dump.sh\naws s3 cp a.dump s3://b/\n"),
                ("scripts/dump.sh", "pg_dump -Fc -f a.dump shop\n"),
            ],
        );
        assert!(found.starts_with("scripts/dump.sh:1:1: error["), "{found}");
        assert_eq!(found.matches("error[").count(), 1, "{found}");
    }

    #[test]
    fn a_lone_helper_is_a_note() {
        assert!(
            check(&RULE, &[("dump.sh", "pg_dump -Fc -f \"$1\" shop\n")]).contains("note[verify-missing]")
        );
    }
}
