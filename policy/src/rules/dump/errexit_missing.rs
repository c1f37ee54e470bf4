use crate::finding::{Edit, Fix};
use crate::fix::line_before;
use crate::model::{Command, Fate, Host, Role, Script, Set};
use crate::rule::{Findings, rule};

rule! {
    /// A script that goes on after its dump has failed.
    ///
    /// ## What
    /// A script runs `pg_dump` and nothing looks at its status: no `set -e`, no `&&`,
    /// no `||`, no `if`. Reported once for each script, at the first such dump.
    ///
    /// ## Why
    /// A shell goes on after an error. The rest of the script compresses and uploads
    /// what is there, deletes old backups as if a new one existed, and ends with the
    /// status of its last command - often an `echo` - so cron, systemd and whoever
    /// calls it see a success.
    /// A `run:` of a GitHub workflow has `-e` already and is not reported.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// #!/bin/bash
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// aws s3 cp shop.dump "s3://shop-backups/$(date +%F).dump"
    /// find . -name '*.dump' -mtime +7 -delete
    /// echo "backup completed"
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// #!/bin/bash
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// aws s3 cp shop.dump "s3://shop-backups/$(date +%F).dump"
    /// ```
    /// or
    /// ```bash backup.sh
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL" &&
    ///   aws s3 cp shop.dump "s3://shop-backups/$(date +%F).dump"
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnu.org/software/bash/manual/html_node/The-Set-Builtin.html>
    "errexit-missing" in Dump,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for script in &set.scripts {
        // A step runs with `-e`; lines that are typed stop where their typist stops.
        if matches!(script.host, Host::Step { .. }) || set.is_typed(script) || may_stop(set, script) {
            continue;
        }
        let Some(dump) = commands(set, script).find(|command| is_forgotten(set, script, command)) else {
            continue;
        };
        let report = findings.report(dump.name_at, message(set, script, dump));
        let report = report.help("stop at the first error: put `set -euo pipefail` at the top");
        if let Some(fix) = fix(set, script) {
            report.fix(fix);
        }
    }
}

fn commands<'s>(set: &'s Set<'_>, script: &Script) -> impl Iterator<Item = &'s Command> {
    set.commands.get(script.commands.clone()).into_iter().flatten()
}

/// Whether it may stop by other means: `trap … ERR`, or settings in a file of functions.
fn may_stop(set: &Set<'_>, script: &Script) -> bool {
    let traps = || commands(set, script).any(|command| command.name == "trap" && command.has("ERR"));
    let settings = |text: &str| text.contains("env") || text.contains("conf");
    script.sourced.iter().any(|file| !settings(&file.text)) || traps()
}

fn is_forgotten(set: &Set<'_>, script: &Script, command: &Command) -> bool {
    if !matches!(command.role, Role::Dump(_)) {
        return false;
    }
    // Of a pipe it is the whole one that goes on; that it hides the dump's own
    // status is `pipefail-missing`.
    let last = set
        .commands_in(script, command.pipe.span)
        .iter()
        .filter(|other| other.pipe.span == command.pipe.span)
        .max_by_key(|other| other.pipe.index);
    last.unwrap_or(command).fate == Fate::Ignored
}

/// What still runs, in the order in which it does.
fn message(set: &Set<'_>, script: &Script, dump: &Command) -> String {
    let rest: Vec<&Command> =
        commands(set, script).filter(|it| it.at.span.start >= dump.statement.end).collect();
    let mut does: Vec<&str> = Vec::new();
    for command in &rest {
        let verb = match &command.role {
            Role::Transform(transform) if !transform.layers.is_empty() && !transform.unpacks => "compresses",
            Role::Encrypt(_) => "encrypts",
            Role::Upload(_) => "uploads",
            Role::Delete(_) => "deletes old files",
            Role::Dump(_) => "dumps the next",
            _ => continue,
        };
        if !does.contains(&verb) {
            does.push(verb);
        }
    }
    if rest.last().is_some_and(|last| matches!(last.role, Role::Print | Role::Delete(_))) {
        does.push("ends as a success");
    }
    match does.split_last() {
        None => format!("if {} fails, the script goes on as if nothing had happened", dump.name),
        Some((last, [])) => format!("if {} fails, the script still {last}", dump.name),
        Some((last, first)) => {
            format!("if {} fails, the script still {} and {last}", dump.name, first.join(", "))
        }
    }
}

/// More than the dump may stop the script then: a person should look.
fn fix(set: &Set<'_>, script: &Script) -> Option<Fix> {
    if script.host != Host::File {
        return None;
    }
    let text = &set.documents.get(script.at.document)?.text;
    let posix = script.interpreter.as_deref().is_some_and(|shell| matches!(shell, "sh" | "dash" | "ash"));
    let line = if posix { "set -eu" } else { "set -euo pipefail" };
    let start = script.at.span.start;
    let edit = if script.interpreter.is_some() {
        let end = start + text.get(start..)?.find('\n')? + 1;
        Edit::insert(end, format!("{}{line}\n", crate::fix::indent(text, start)))
    } else {
        line_before(text, start, line)
    };
    Some(Fix::unsafe_(format!("put `{line}` at the top"), vec![edit]))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn what_still_runs_is_told_at_the_first_dump() {
        let text = "#!/bin/bash\npg_dump -f a.sql shop\ngzip a.sql\naws s3 cp a.sql.gz s3://b/\nrm a.sql.gz\npg_dump b > b\n";
        insta::assert_snapshot!(check(&RULE, &[("b.sh", text)]), @r"
        b.sh:2:1: error[errexit-missing]: if pg_dump fails, the script still compresses, uploads, deletes old files and dumps the next
        help: stop at the first error: put `set -euo pipefail` at the top
        ");
    }

    #[test]
    fn every_form_of_a_script_that_goes_on() {
        for text in [
            "pg_dump shop > a\necho done\n",
            "set -o pipefail\npg_dump shop | gzip > a.gz\necho done\n",
            "pg_dump shop | gzip > a.gz\necho done\n",
            "f() {\n  pg_dump shop > a\n  gzip a\n}\nf\n",
            "set -e\nset +e\npg_dump shop > a\nls\n",
        ] {
            let found = check(&RULE, &[("b.sh", text)]);
            assert_eq!(found.matches("error[").count(), 1, "{text}: {found}");
        }
        let cron = "0 2 * * * pg_dump shop > /b/a.sql; find /b -mtime +7 -delete\n";
        assert!(check(&RULE, &[("crontab", cron)]).contains("and ends as a success"));
    }

    #[test]
    fn it_stays_quiet_where_somebody_looks() {
        for text in [
            "set -e\npg_dump shop > a\ngzip a\n",
            "#!/bin/bash -eu\npg_dump shop > a\ngzip a\n",
            "set -o errexit\npg_dump shop > a\ngzip a\n",
            "pg_dump shop > a || exit 1\ngzip a\n",
            "pg_dump shop > a && gzip a && echo done\n",
            "if ! pg_dump shop > a; then exit 1; fi\ngzip a\n",
            "pg_dump shop > a\nif [ $? -ne 0 ]; then exit 1; fi\ngzip a\n",
            "pg_dump shop > a\nRC=$?\ngzip a\nexit $RC\n",
            "trap 'exit 1' ERR\npg_dump shop > a\ngzip a\n",
            ". ./lib.sh\npg_dump shop > a\ngzip a\n",
            "exec pg_dump shop\n",
            "# pg_dump shop\necho done\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }

    #[test]
    fn steps_and_typed_lines_are_not_scripts_that_go_on() {
        let step = "on: push\njobs:\n  b:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          pg_dump shop > a\n          gzip a\n";
        assert_eq!(check(&RULE, &[(".github/workflows/b.yml", step)]), "");
        assert_eq!(check(&RULE, &[("a.md", "```bash\npg_dump shop > a\ngzip a\n```\n")]), "");
        assert_ne!(check(&RULE, &[("a.md", "```bash\n#!/bin/bash\npg_dump shop > a\ngzip a\n```\n")]), "");
    }

    #[test]
    fn the_fix_follows_the_first_line() {
        assert_eq!(
            fix(&RULE, "b.sh", "#!/bin/sh\n# b\npg_dump shop > a\ngzip a\n"),
            "#!/bin/sh\nset -eu\n# b\npg_dump shop > a\ngzip a\n"
        );
        assert_eq!(
            fix(&RULE, "b.sh", "pg_dump shop > a\ngzip a\n"),
            "set -euo pipefail\npg_dump shop > a\ngzip a\n"
        );
        insta::assert_snapshot!(fix(&RULE, "a.md", "- a\n  ```bash\n  #!/bin/bash\n  pg_dump shop > a\n  gzip a\n  ```\n"), @r"
        - a
          ```bash
          #!/bin/bash
          set -euo pipefail
          pg_dump shop > a
          gzip a
          ```
        ");
    }
}
