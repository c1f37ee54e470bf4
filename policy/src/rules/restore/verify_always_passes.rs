use crate::finding::{Place, Severity};
use crate::model::{Command, Fate, ProbeKind, RestoreTool, Role, Script, Set};
use crate::rule::{Findings, rule};
use crate::rules::restore::input::{Input, is_development};

rule! {
    /// A verification that says yes whatever happens.
    ///
    /// ## What
    /// A restore or a check whose failure is thrown away: the script goes on and prints
    /// a success, or `|| true` follows.
    ///
    /// ## Why
    /// The line "backup verified" is printed in the night in which the restore failed.
    /// People trust it more than no verification at all.
    ///
    /// ## Bad
    /// ```bash verify.sh
    /// #!/bin/bash
    /// createdb scratch
    /// pg_restore -d scratch "$1"
    /// dropdb scratch
    /// echo "backup verified"
    /// ```
    /// or
    /// ```bash verify.sh
    /// #!/bin/bash
    /// set -e
    /// pg_restore --list "$1" > /dev/null || true
    /// ```
    ///
    /// ## Good
    /// ```bash verify.sh
    /// #!/bin/bash
    /// set -euo pipefail
    /// createdb scratch
    /// pg_restore --exit-on-error -d scratch "$1"
    /// test "$(psql -AtX -d scratch -c 'select count(*) from orders')" -gt 0
    /// dropdb scratch
    /// echo "backup verified"
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnu.org/software/bash/manual/html_node/The-Set-Builtin.html>
    "verify-always-passes" in Restore,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for script in set.scripts.iter().filter(|script| !set.is_typed(script)) {
        let commands = set.commands.get(script.commands.clone()).unwrap_or_default();
        // The number of rows that came back is taken from here on back.
        let counted = commands.iter().rfind(|command| counts(command)).map_or(0, |it| it.at.span.start);
        let proofs: Vec<&Command> = commands
            .iter()
            .filter(|command| {
                command.at.span.start >= counted && proves(command) && !is_other_sql(set, command)
            })
            .collect();
        let last = proofs.iter().rposition(|command| command.fate == Fate::Ignored);
        for (index, command) in proofs.iter().enumerate() {
            match command.fate {
                Fate::Handled(span) if is_nothing(set, script, span.start, span.end) => {
                    let place = Place { document: command.at.document, span };
                    let message = format!(
                        "if {} fails, nobody hears of it: what follows takes it for a success",
                        command.name
                    );
                    let report = findings.report(command.name_at, message);
                    let report = report
                        .help("let it fail: leave out what follows `||`, or end it with `exit 1`")
                        .related(place, "the failure ends here");
                    if !is_verification(set, command) {
                        report.severity(Severity::Warning);
                    }
                }
                // The last such check of a script speaks for those before it.
                Fate::Ignored if last == Some(index) => {
                    let Some(success) = success(commands, command) else { continue };
                    let message =
                        format!("even if {} fails, the script goes on and prints a success", command.name);
                    findings
                        .report(command.name_at, message)
                        .help("stop at the first error with `set -euo pipefail`, and compare what came back")
                        .related(success.at, "printed in any case");
                }
                _ => {}
            }
        }
    }
}

/// What a person takes for a proof: a restore, or a look into the file.
fn proves(command: &Command) -> bool {
    match &command.role {
        Role::Restore(restore) => !is_development(&restore.target),
        Role::Probe(probe) => matches!(
            probe.kind,
            ProbeKind::Compression | ProbeKind::Digest | ProbeKind::List | ProbeKind::Read
        ),
        _ => false,
    }
}

/// psql with a migration or a seed.
fn is_other_sql(set: &Set<'_>, command: &Command) -> bool {
    let Role::Restore(restore) = &command.role else { return false };
    let input = Input::named(set, command);
    restore.tool == RestoreTool::Psql
        && !input.is_dump()
        && !((input.is_any() || input.is_sql_file()) && is_verification(set, command))
}

/// `ROWS=$(psql -At -c 'select count(*) …')`
fn counts(command: &Command) -> bool {
    command.nesting.substitution
        && matches!(&command.role, Role::Probe(probe) if probe.kind == ProbeKind::Query)
}

/// `true`, `:`, or a line that is printed, and nothing that fails.
fn is_nothing(set: &Set<'_>, script: &Script, start: usize, end: usize) -> bool {
    let text = set.text(script.place((start..end).into()));
    let first = text.trim_start_matches(['{', '(', ' ']).split_whitespace().next().unwrap_or_default();
    let fails = ["exit", "return", "false", "die", "fail", "abort", "=1", "curl", "mail"];
    matches!(first.trim_end_matches(';'), "true" | ":" | "echo" | "printf")
        && !fails.iter().any(|word| text.contains(word))
}

/// The line at the end that says that all is well.
fn success<'c>(commands: &'c [Command], of: &Command) -> Option<&'c Command> {
    const WORDS: [&str; 12] = [
        "success", "complete", "valid", "verified", "passed", " ok", "restored", "✅", "✓", "done",
        "finished", "intact",
    ];
    commands.iter().find(|command| {
        let text = command.line().to_ascii_lowercase();
        command.role == Role::Print
            && command.at.span.start > of.statement.end
            && !command.nesting.branch
            && !command.nesting.condition
            && command.function == of.function
            && WORDS.iter().any(|word| text.contains(word))
    })
}

fn is_verification(set: &Set<'_>, command: &Command) -> bool {
    matches!(command.role, Role::Probe(_))
        || set.about(command).says(&["test", "verif", "valid", "check", "drill", "backup"])
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn a_success_that_is_printed_in_any_case_is_reported() {
        let text = "#!/bin/bash\ncreatedb t\npsql t < \"$1\"\npsql t -c 'select count(*) from a'\ndropdb t\necho 'Validation completed successfully'\n";
        insta::assert_snapshot!(check(&RULE, &[("check.sh", text)]), @r"
        check.sh:3:1: error[verify-always-passes]: even if psql fails, the script goes on and prints a success
        help: stop at the first error with `set -euo pipefail`, and compare what came back
          check.sh:6:1: printed in any case
        ");
    }

    #[test]
    fn every_form_of_it() {
        for text in [
            "set -e\npg_restore -d t a.dump || true\n",
            "set -e\n# verify\npg_restore -d t a.dump || echo 'some warnings'\n",
            "set -e\ngzip -t a.gz || :\n",
            "set -e\nsha256sum -c a.sha256 || { echo bad; }\n",
            "gunzip -t a.gz\nls\necho '✅ backup ok'\n",
            "verify() {\n  pg_restore -l a.dump > /dev/null\n  echo verified\n}\nverify\n",
        ] {
            let found = check(&RULE, &[("verify.sh", text)]);
            assert_eq!(found.matches("error[").count(), 1, "{text}: {found}");
        }
        let found = check(&RULE, &[("pull.sh", "pg_restore -d shop a.dump || true\n")]);
        assert!(found.contains("warning["), "{found}");
    }

    #[test]
    fn what_stops_or_asks_is_silent() {
        for text in [
            "set -e\npsql t < dump.sql\necho done\n",
            "psql t < dump.sql || exit 1\necho done\n",
            "psql t < migrations/001.sql || true\necho done\n",
            "pg_restore -l a > /dev/null || { echo bad; exit 1; }\necho done\n",
            "if pg_restore -l a > /dev/null; then echo valid; else exit 1; fi\n",
            "pg_restore -l a > /dev/null\nif [ $? -eq 0 ]; then echo valid; else exit 1; fi\n",
            "psql t < dump.sql && echo done\n",
            "psql t < dump.sql\necho 'now look at the rows'\n",
            "pg_restore -l a || STATUS=1\nexit $STATUS\n",
            "pg_restore -l a || curl -d failed $HOOK\n",
            "ls -l a.dump || true\n",
            "pg_restore -d app_dev a.dump || true\n",
            "pg_restore -d t a.dump || true\nROWS=$(psql -At t -c 'select count(*) from a')\n[ \"$ROWS\" -gt 0 ]\n",
        ] {
            assert_eq!(check(&RULE, &[("verify.sh", text)]), "", "{text}");
        }
        assert_eq!(check(&RULE, &[("a.md", "```bash\npsql t < dump.sql\necho done\n```\n")]), "");
    }
}
