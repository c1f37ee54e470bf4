use crate::finding::Place;
use crate::model::{Arg, Called, Command, Host, Role, Script, Set};
use crate::parse::shell::{self, Kind, Visitor};
use crate::path;
use crate::rule::{Findings, rule};

rule! {
    /// A scheduled script is started without the argument it reads.
    ///
    /// ## What
    /// A crontab line or a service starts a script of the same set without arguments,
    /// and the script uses `$1` without a default.
    ///
    /// ## Why
    /// The check of the backup that was meant to run every week prints its usage, or
    /// verifies a file without a name, and nobody reads either.
    ///
    /// ## Bad
    /// ```cron crontab
    /// 17 5 * * 0 /opt/verify-backup.sh
    /// ```
    /// ```bash verify-backup.sh
    /// set -e
    /// BACKUP_FILE="$1"
    /// pg_restore --list "$BACKUP_FILE" > /dev/null
    /// ```
    ///
    /// ## Good
    /// ```cron crontab
    /// 17 5 * * 0 /opt/verify-backup.sh "$(ls -1t /backups/*.dump | head -1)"
    /// ```
    /// ```bash verify-backup.sh
    /// set -e
    /// BACKUP_FILE="$1"
    /// pg_restore --list "$BACKUP_FILE" > /dev/null
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnu.org/software/bash/manual/html_node/Positional-Parameters.html>
    "required-arg-missing" in Monitoring,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for command in &set.commands {
        let Some(line) = set.script_of(command) else { continue };
        let Some(callee) = command.callee.filter(|_| matches!(line.host, Host::Cron(_) | Host::Exec)) else {
            continue;
        };
        let Some(unit) = set.units.get(callee) else { continue };
        let Some(script) = set.scripts.get(unit.scripts.start).filter(|_| !unit.scripts.is_empty()) else {
            continue;
        };
        if passes(command) {
            continue;
        }
        let Some(need) = first_argument(set, script) else { continue };
        let name = unit.path.as_deref().map_or("the script", path::name);
        findings
            .report(
                command.name_at,
                format!(
                    "{name} is started without the argument that it reads: it works on a file without a name"
                ),
            )
            .help("pass the newest backup, or give the script a default: `${1:-…}`")
            .related(need, "read here");
    }
}

/// Whether the call has an argument of its own, or gets some by `xargs`.
fn passes(command: &Command) -> bool {
    let script = match &command.called {
        Some(Called::Script(arg)) => arg.text.as_str(),
        _ => "",
    };
    command.wrapper("xargs").is_some()
        || command.args.iter().any(|arg| arg.text != script && !arg.text.starts_with('-'))
}

/// Where a script needs `$1`: it puts it into a variable that nothing else sets, or
/// hands it to a program.
fn first_argument(set: &Set<'_>, script: &Script) -> Option<Place> {
    let commands = set.commands_in(script, script.at.span);
    // These have an order of their own.
    if commands.iter().any(|it| matches!(it.name.as_str(), "shift" | "getopts" | "getopt"))
        || looks_at_first(script)
    {
        return None;
    }
    let counts = |arg: &Arg| arg.variables.iter().any(|name| name == "#" || name == "@" || name == "*");
    if commands.iter().flat_map(|command| &command.args).any(counts) {
        return None;
    }
    let bare = |arg: &Arg| {
        arg.variables.iter().any(|name| name == "1")
            && !["${1:-", "${1-", "${1:=", "${1:+", "${1+"].iter().any(|form| arg.raw.contains(form))
    };
    let assigned = script.assignments.iter().find(|setting| {
        bare(&setting.value)
            && script.assignments.iter().filter(|other| other.name == setting.name).count() == 1
    });
    let in_function = |span: crate::finding::Span| {
        commands
            .iter()
            .any(|it| it.function.is_some() && it.at.span.start <= span.end && span.start <= it.at.span.end)
    };
    let functions = commands.iter().any(|command| command.function.is_some());
    let used = commands.iter().find(|command| {
        command.function.is_none()
            && !command.nesting.branch
            && !command.nesting.condition
            && !matches!(command.role, Role::Print)
            && !matches!(command.name.as_str(), "[" | "[[" | "test" | "local" | "return")
            && command.args.iter().any(bare)
    });
    // `local x=$1` of a function is no argument of the script.
    let assigned = assigned.filter(|setting| !functions && !in_function(setting.value.at.span));
    match (assigned, used) {
        (Some(setting), _) => Some(setting.value.at),
        (None, Some(command)) => command.args.iter().find(|arg| bare(arg)).map(|arg| arg.at),
        (None, None) => None,
    }
}

/// `case "$1" in`, whose `*)` may be the way without an argument.
fn looks_at_first(script: &Script) -> bool {
    struct Cases(bool);
    impl<'s> Visitor<'s> for Cases {
        fn command(&mut self, command: &'s shell::Command) {
            if let Kind::Case { subject, .. } = &command.kind {
                self.0 |= subject.expansions().any(|(_, expansion)| expansion.name == "1");
            }
        }
    }
    let mut cases = Cases(false);
    shell::walk(&script.tree, &mut cases);
    cases.0
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(line: &str, script: &str) -> String {
        check(&RULE, &[("crontab", &format!("0 5 * * 0 {line}\n")), ("scripts/verify.sh", script)])
    }

    #[test]
    fn a_script_without_its_argument() {
        insta::assert_snapshot!(found("/opt/verify.sh", "FILE=\"$1\"\npg_restore --list \"$FILE\"\n"), @r"
        crontab:1:11: error[required-arg-missing]: verify.sh is started without the argument that it reads: it works on a file without a name
        help: pass the newest backup, or give the script a default: `${1:-…}`
          scripts/verify.sh:1:6: read here
        ");
        for (line, script) in [
            ("bash /opt/verify.sh >> /l 2>&1", "pg_restore -d x $1\n"),
            ("/opt/verify.sh --quiet", "psql x < $1\npg_restore -d x \"$1\"\n"),
            ("/opt/verify.sh", "F=$1\nif [ -z \"$F\" ]; then echo usage; exit 1; fi\npg_restore -l $F\n"),
        ] {
            assert!(found(line, script).contains("error["), "{line} {script}");
        }
    }

    #[test]
    fn it_stays_quiet_where_it_is_given_or_not_needed() {
        for (line, script) in [
            ("/opt/verify.sh /b/latest", "pg_restore -l $1\n"),
            ("bash /opt/verify.sh \"$(ls -t /b | head -1)\"", "pg_restore -l $1\n"),
            ("ls -t /b | head -1 | xargs /opt/verify.sh", "pg_restore -l $1\n"),
            ("/opt/verify.sh", "pg_restore -l ${1:-/b/latest}\n"),
            ("/opt/verify.sh", "F=$1\nif [ -z \"$F\" ]; then F=$(ls -t | head -1); fi\npg_restore -l $F\n"),
            ("/opt/verify.sh", "case \"$1\" in full) T=$1 ;; *) T=x ;; esac\n"),
            ("/opt/verify.sh", "log() { local m=\"$1\"; echo \"$m\"; }\nlog hi\n"),
            ("/opt/verify.sh", "while [ $# -gt 0 ]; do F=$1; shift; done\n"),
            ("/opt/verify.sh", "if [ -n \"$1\" ]; then pg_restore -l $1; else pg_restore -l /b/x; fi\n"),
            ("/opt/other.sh", "pg_restore -l $1\n"),
        ] {
            assert_eq!(found(line, script), "", "{line} {script}");
        }
        assert_eq!(check(&RULE, &[("scripts/verify.sh", "pg_restore -l $1\n")]), "", "by hand");
    }
}
