use crate::finding::{Edit, Fix, Place, Severity};
use crate::model::{Command, Fate, RestoreTool, Role, Set};
use crate::rule::{Findings, rule};
use crate::rules::restore::input::{Input, is_development};

rule! {
    /// A restore that goes on after an error.
    ///
    /// ## What
    /// `psql` reads a dump without `ON_ERROR_STOP`, or `pg_restore` writes into a
    /// database without `--exit-on-error` or `--single-transaction`.
    ///
    /// ## Why
    /// Both go on by default. `psql` then ends with 0: a dump of which half the
    /// statements failed is a success for the script, for `set -e` and for cron.
    /// `pg_restore` says at its end that errors were ignored and returns 1, when half a
    /// database is there already - a warning where its status is looked at, and a note
    /// where a person types it.
    ///
    /// ## Bad
    /// ```bash restore.sh
    /// set -euo pipefail
    /// gunzip -c shop.sql.gz | psql -d scratch
    /// ```
    ///
    /// ## Good
    /// ```bash restore.sh
    /// set -euo pipefail
    /// gunzip -c shop.sql.gz | psql -X -v ON_ERROR_STOP=1 --single-transaction -d scratch
    /// ```
    /// or
    /// ```bash restore.sh
    /// set -euo pipefail
    /// pg_restore --exit-on-error -d scratch shop.dump
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-VARIABLES>
    /// - <https://www.postgresql.org/docs/current/app-pgrestore.html>
    "restore-ignores-errors" in Restore,
    severity: Error,
    fix: Always,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let mut advised = false;
        for (index, command) in pipeline.commands(set) {
            let Role::Restore(restore) = &command.role else { continue };
            if restore.stops_on_error || is_development(&restore.target) {
                continue;
            }
            let end = command.name_at.span.end;
            match restore.tool {
                RestoreTool::Psql => {
                    let input = Input::of(set, pipeline, index, command);
                    let is_restore = input.is_dump()
                        || (input.is_any() && set.about(command).says(&["backup", "restor", "recover"]))
                        || (input.is_sql_file() && set.about(command).says(&["restor", "recover", "verif"]));
                    if !is_restore || says_so(set, command) {
                        continue;
                    }
                    findings
                        .report(
                            command.name_at,
                            "psql goes on after each error and ends with 0: half a database comes back and looks restored",
                        )
                        .help("stop at the first error: `psql -X -v ON_ERROR_STOP=1 --single-transaction`")
                        .fix(Fix::unsafe_(
                            "stop at the first error: `-v ON_ERROR_STOP=1`",
                            vec![Edit::insert(end, " -v ON_ERROR_STOP=1")],
                        ));
                }
                // Without a database it only writes SQL.
                RestoreTool::PgRestore if restore.target.database.is_some() => {
                    let typed = set.script_of(command).is_some_and(|script| set.is_typed(script));
                    // Once a document: it is advice to the person who types.
                    if typed && std::mem::replace(&mut advised, true) {
                        continue;
                    }
                    let (severity, message) = if typed {
                        (Severity::Note, "pg_restore goes on after each error: look at its last line")
                    } else if is_lost(command.fate) {
                        (
                            Severity::Error,
                            "pg_restore goes on after each error, and nobody looks at its status: half a database comes back",
                        )
                    } else {
                        (
                            Severity::Warning,
                            "pg_restore goes on after each error: it fails only when half a database is there",
                        )
                    };
                    findings
                        .report(command.name_at, message)
                        .severity(severity)
                        .help("stop at the first error: `--exit-on-error`")
                        .fix(Fix::unsafe_(
                            "stop at the first error: `--exit-on-error`",
                            vec![Edit::insert(end, " --exit-on-error")],
                        ));
                }
                _ => {}
            }
        }
    }
}

fn is_lost(fate: Fate) -> bool {
    fate.is_lost() || matches!(fate, Fate::Handled(_))
}

/// Bytes of a pipe that are looked at.
const PIPE: usize = 4 << 10;

/// `ON_ERROR_STOP` by other means: a line before the dump, a `.psqlrc` of its own.
fn says_so(set: &Set<'_>, command: &Command) -> bool {
    let pipe = set.text(Place { span: command.pipe.span, ..command.at });
    let near = pipe.get(..pipe.floor_char_boundary(PIPE)).unwrap_or(pipe);
    near.contains("ON_ERROR_STOP")
        || set.variable(command, "PSQLRC").is_some()
        || command.args.iter().any(|arg| arg.text.contains("PSQL") || arg.text.contains("psql_o"))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn psql_that_goes_on_is_reported() {
        insta::assert_snapshot!(check(&RULE, &[("restore.sh", "set -e\npsql shop < backup.sql\n")]), @r"
        restore.sh:2:1: error[restore-ignores-errors]: psql goes on after each error and ends with 0: half a database comes back and looks restored
        help: stop at the first error: `psql -X -v ON_ERROR_STOP=1 --single-transaction`
        ");
    }

    #[test]
    fn every_form_of_it() {
        for (text, severity) in [
            ("gunzip -c a.sql.gz | psql shop\n", "error["),
            ("age -d -i k a.sql.age | psql -1 shop\n", "error["),
            ("psql -d shop -f /backups/a.sql\n", "error["),
            ("docker exec -i db psql -U u shop < dump.sql\n", "error["),
            ("psql shop < \"$1\"\n", "error["),
            ("pg_restore -d shop a.dump\nls\n", "error["),
            ("set -e\npg_restore -d shop a.dump\nls\n", "warning["),
            ("pg_restore -d shop a.dump || true\n", "error["),
        ] {
            let found = check(&RULE, &[("restore.sh", text)]);
            assert_eq!(found.matches(severity).count(), 1, "{text}: {found}");
        }
        let typed = "## Restore\n```bash\npg_restore -d shop a.dump\n```\n";
        assert!(check(&RULE, &[("backup.md", typed)]).starts_with("backup.md:3:1: note["));
    }

    #[test]
    fn restores_that_stop_and_what_is_no_restore_are_silent() {
        for text in [
            "psql -v ON_ERROR_STOP=1 shop < backup.sql\n",
            "psql --set=ON_ERROR_STOP=on shop < backup.sql\n",
            "(echo '\\set ON_ERROR_STOP on'; zcat backup.sql.gz) | psql shop\n",
            "pg_restore --exit-on-error -d shop a.dump\n",
            "pg_restore -1 -d shop a.dump\n",
            "pg_restore -f a.sql a.dump\n",
            "pg_restore -d app_dev a.dump || true\n",
            "pg_restore --list a.dump\n",
            "psql shop -f migrations/001_init.sql\n",
            "psql shop -c 'select 1'\n",
            "psql shop <<EOF\nselect 1;\nEOF\n",
        ] {
            assert_eq!(check(&RULE, &[("restore.sh", text)]), "", "{text}");
        }
    }

    #[test]
    fn the_fix_is_an_option() {
        assert_eq!(
            fix(&RULE, "restore.sh", "zcat a.sql.gz | psql shop\npg_restore -d x a.dump\n"),
            "zcat a.sql.gz | psql -v ON_ERROR_STOP=1 shop\npg_restore --exit-on-error -d x a.dump\n"
        );
    }
}
