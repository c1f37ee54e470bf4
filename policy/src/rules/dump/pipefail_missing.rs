use crate::finding::{Fix, Place, Severity};
use crate::fix::line_before;
use crate::model::{Command, Fate, Host, Role, Script, Set};
use crate::rule::{Findings, rule};

rule! {
    /// A dump that is piped on, in a shell that forgets its failure.
    ///
    /// ## What
    /// `pg_dump` (or `pg_dumpall`, `pg_basebackup`) writes into a pipe, and the shell
    /// takes the status of the pipe's last program because `pipefail` is off.
    ///
    /// ## Why
    /// If the dump fails - a wrong password, a lost connection, a full disk - `gzip`
    /// still succeeds and writes a well-formed archive of nothing (20 bytes). The job
    /// stays green, the archive is uploaded, and it replaces good ones as they expire.
    /// In a GitHub workflow the default shell is `bash -e`, without `pipefail`; only
    /// `shell: bash`, written out, adds it.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// #!/bin/bash
    /// set -e
    /// pg_dump "$DATABASE_URL" | gzip > shop.sql.gz
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// #!/bin/bash
    /// set -euo pipefail
    /// pg_dump "$DATABASE_URL" | gzip > shop.sql.gz
    /// ```
    /// or
    /// ```bash backup.sh
    /// #!/bin/sh
    /// set -e
    /// pg_dump --format=custom --file=shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnu.org/software/bash/manual/html_node/Pipelines.html>
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell>
    "pipefail-missing" in Dump,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for command in &set.commands {
        if !matches!(command.role, Role::Dump(_))
            || command.fate != Fate::LostInPipe
            || command.pipe.index > 0
        {
            continue;
        }
        let Some(script) = set.script_of(command) else { continue };
        let pipe = set.commands_in(script, command.pipe.span);
        let next = pipe.iter().find(|other| other.pipe.span == command.pipe.span && other.pipe.index == 1);
        // pg_restore refuses an archive that ends too early.
        if next.is_some_and(|next| next.name == "pg_restore") {
            continue;
        }
        let reader = next.map_or("the next program", |next| next.name.as_str());
        // Who types it sees the error; that the file looks whole stays true.
        let typed = set.is_typed(script);
        let then = if typed { "looks like a backup" } else { "is kept and the run looks green" };
        let message =
            format!("if {} fails, {reader} still succeeds: what it has made of nothing {then}", command.name);
        let report = findings.report(command.name_at, message);
        let report = if typed { report.severity(Severity::Warning) } else { report };
        if is_posix(script) {
            report
                .help("sh has no pipefail: dump into a file first, with `pg_dump --format=custom --file=…`");
        } else {
            let report = report.help("put `set -o pipefail` before it");
            if let Some(fix) = fix(set, script, command) {
                report.fix(fix);
            }
        }
    }
}

/// Whether the script says that it is run by a shell that may not know `pipefail`.
fn is_posix(script: &Script) -> bool {
    script.interpreter.as_deref().is_some_and(|shell| matches!(shell, "sh" | "dash" | "ash"))
}

/// A line of its own before the statement; not inside of `bash -c '…'` or a crontab.
fn fix(set: &Set<'_>, script: &Script, command: &Command) -> Option<Fix> {
    let of_file = matches!(script.host, Host::File | Host::Step { .. });
    if !of_file
        || command.nesting.inline.is_some()
        || command.nesting.substitution
        || command.nesting.condition
    {
        return None;
    }
    let document = set.documents.get(command.at.document)?;
    let start = command.statement.start;
    let line = crate::fix::line_start(&document.text, start);
    let alone = set.text(Place { span: (line..start).into(), ..command.at }).trim().is_empty();
    alone.then(|| {
        Fix::safe(
            "put `set -o pipefail` before it",
            vec![line_before(&document.text, start, "set -o pipefail")],
        )
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn a_dump_that_is_piped_on_is_reported_where_it_stands() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", "#!/bin/bash\nset -e\npg_dump shop | gzip > a.gz\n")]), @r"
        b.sh:3:1: error[pipefail-missing]: if pg_dump fails, gzip still succeeds: what it has made of nothing is kept and the run looks green
        help: put `set -o pipefail` before it
        ");
    }

    #[test]
    fn it_stays_quiet_where_the_failure_is_not_lost() {
        for text in [
            "set -o pipefail\npg_dump shop | gzip > a.gz\n",
            "#!/bin/bash -o pipefail\npg_dump shop | gzip > a.gz\n",
            "pg_dump shop | gzip > a.gz\ncheck ${PIPESTATUS[0]}\n",
            "pg_dump -Fc -f a.dump shop\n",
            "cat a.sql | psql shop\n",
            "pg_dump -Fc shop | pg_restore -d other\n",
            "echo 'pg_dump shop | gzip > a.gz'\n",
            "# pg_dump shop | gzip\n",
            "if pg_dump shop > a; then gzip a; fi\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }

    #[test]
    fn inner_shells_have_options_of_their_own() {
        let text = "set -o pipefail\nssh host 'pg_dump shop | gzip' > a.gz\nbash -o pipefail -c 'pg_dump shop | gzip > b'\n";
        let found = check(&RULE, &[("b.sh", text)]);
        assert_eq!(found.matches("pipefail-missing").count(), 1, "{found}");
        assert!(found.starts_with("b.sh:2:11:"), "{found}");
    }

    #[test]
    fn lines_that_are_typed_are_a_warning() {
        let found = check(&RULE, &[("a.md", "```bash\npg_dump shop | gzip > a.gz\n```\n")]);
        assert!(found.starts_with("a.md:2:1: warning["), "{found}");
    }

    #[test]
    fn sh_is_told_another_way() {
        let found = check(&RULE, &[("b.sh", "#!/bin/sh\npg_dump shop | gzip > a.gz\n")]);
        assert!(found.contains("help: sh has no pipefail"), "{found}");
    }

    #[test]
    fn the_fix_keeps_the_indentation() {
        let text = "backup() {\n  pg_dump shop | gzip > a.gz\n}\nbackup\n";
        insta::assert_snapshot!(fix(&RULE, "b.sh", text), @r"
        backup() {
          set -o pipefail
          pg_dump shop | gzip > a.gz
        }
        backup
        ");
    }
}
