use crate::finding::{Edit, Fix, Severity};
use crate::model::{Arg, Command, Role, Set};
use crate::rule::{Findings, rule};

rule! {
    /// A dump through a container's terminal.
    ///
    /// ## What
    /// `docker exec -t`, `docker run -it`, `kubectl exec -t` or `docker-compose exec`
    /// without `-T`, with the dump on standard output, or a restore on standard input.
    ///
    /// ## Why
    /// A terminal writes CR LF for every LF and mixes standard error into the output: an
    /// archive in custom format is damaged, plain SQL has a CR in every line. Under cron
    /// there is no terminal, and the command fails with "the input device is not a TTY".
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// docker exec -t db pg_dump -U app -Fc shop > shop.dump
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// docker exec db pg_dump -U app -Fc shop > shop.dump
    /// ```
    /// or
    /// ```bash backup.sh
    /// set -euo pipefail
    /// docker-compose exec -T db pg_dump -U app -Fc shop > shop.dump
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.docker.com/reference/cli/docker/container/exec/>
    /// - <https://docs.docker.com/reference/cli/docker/compose/exec/>
    "docker-exec-tty" in Dump,
    severity: Error,
    fix: Always,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for command in &set.commands {
        let Some(wrapper) = command.wrappers.iter().find(|wrapper| starts_container(wrapper.name)) else {
            continue;
        };
        let compose = wrapper.name.starts_with("docker compose");
        let flag = if compose { None } else { wrapper.args.iter().find(|arg| is_tty(arg)) };
        let (writes, reads) = (dumps(set, command), restores(command));
        if !(writes || reads) || (!compose && flag.is_none()) {
            continue;
        }
        if compose
            && (wrapper.args.iter().any(|arg| matches!(arg.text.as_str(), "-T" | "--no-TTY" | "--no-tty")))
        {
            continue;
        }
        // Compose 2 asks for a terminal only where its own output is one.
        let by_hand = compose && !set.text(command.at).contains("docker-compose");
        if by_hand && !reads {
            continue;
        }
        let Some(first) = wrapper.args.first() else { continue };
        let message = if reads {
            "a terminal is asked for, and the input is a file: it ends with 'the input device is not a TTY'"
        } else {
            "the terminal turns each line end into CR LF: the dump is damaged, and under cron it is not made at all"
        };
        let (edit, help) = match flag {
            Some(flag) => (without_tty(set, flag), "leave out `-t`"),
            None => (Edit::insert(first.at.span.start, "-T "), "add `-T`"),
        };
        findings
            .report(flag.map_or(command.name_at, |flag| flag.at), message)
            .severity(if by_hand { Severity::Warning } else { Severity::Error })
            .help(help)
            .fix(Fix::safe(help, vec![edit]));
    }
}

fn starts_container(wrapper: &str) -> bool {
    matches!(
        wrapper,
        "docker exec"
            | "docker run"
            | "podman exec"
            | "podman run"
            | "kubectl exec"
            | "docker compose exec"
            | "docker compose run"
    )
}

/// `-t`, `-it`, `--tty`.
fn is_tty(arg: &Arg) -> bool {
    let letters = arg.text.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
    arg.text == "--tty"
        || arg.text == "--tty=true"
        || letters.is_some_and(|letters| {
            letters.contains('t') && letters.chars().all(|letter| matches!(letter, 't' | 'i' | 'd'))
        })
}

/// Whether what a dump prints leaves the container: its own, or that of a shell there.
fn dumps(set: &Set<'_>, command: &Command) -> bool {
    let inside = set.script_of(command).map(|script| set.commands_in(script, command.at.span));
    let prints = |other: &Command| match &other.role {
        Role::Dump(dump) => dump.file.is_none() && (other.at == command.at || other.output(1).is_none()),
        _ => false,
    };
    (command.output(1).is_some() || command.pipes()) && inside.unwrap_or_default().iter().any(prints)
}

fn restores(command: &Command) -> bool {
    matches!(&command.role, Role::Restore(restore) if restore.input.is_none())
        && (command.input().is_some() || command.pipe.index > 0)
}

/// The option without its `t`, or nothing and no blank before it.
fn without_tty(set: &Set<'_>, flag: &Arg) -> Edit {
    let rest: String = flag.text.chars().filter(|letter| *letter != 't').collect();
    if flag.text.starts_with("--") || rest == "-" {
        let before = flag.at.span.start.saturating_sub(1);
        let blank = set
            .documents
            .get(flag.at.document)
            .is_some_and(|document| document.text.get(before..flag.at.span.start) == Some(" "));
        let start = if blank { before } else { flag.at.span.start };
        return Edit::replace((start..flag.at.span.end).into(), "");
    }
    Edit::replace(flag.at.span, rest)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn a_terminal_around_a_dump_is_reported() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", "docker exec -it db pg_dump -Fc shop > a.dump\n")]), @r"
        b.sh:1:13: error[docker-exec-tty]: the terminal turns each line end into CR LF: the dump is damaged, and under cron it is not made at all
        help: leave out `-t`
        ");
    }

    #[test]
    fn every_form_of_it() {
        for (text, severity) in [
            ("docker exec -t db pg_dumpall -U postgres | gzip > a.gz\n", "error["),
            ("docker exec -u postgres -ti db pg_dump shop > a.sql\n", "error["),
            ("docker exec -t db sh -c 'pg_dump shop' > a.sql\n", "error["),
            ("docker run --rm -it postgres:17 pg_dump -h h shop > a.sql\n", "error["),
            ("kubectl exec --tty db-0 -- pg_dump shop > a.sql\n", "error["),
            ("docker-compose exec db pg_dump shop > a.sql\n", "error["),
            ("docker exec -it db psql shop < a.sql\n", "error["),
            ("docker compose exec db psql shop < a.sql\n", "warning["),
        ] {
            let found = check(&RULE, &[("b.sh", text)]);
            assert_eq!(found.matches(severity).count(), 1, "{text}: {found}");
        }
    }

    #[test]
    fn without_a_terminal_or_a_file_it_is_silent() {
        for text in [
            "docker exec db pg_dump shop > a.sql\n",
            "docker exec -i db psql shop < a.sql\n",
            "docker compose exec -T db pg_dump shop > a.sql\n",
            "docker compose exec db pg_dump shop > a.sql\n",
            "docker exec -it db psql shop\n",
            "docker exec -t db pg_dump -f /b/a.sql shop\n",
            "docker exec -t db sh -c 'pg_dump shop > /b/a.sql'\n",
            "docker exec -e TERM=test db pg_dump shop > a.sql\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }

    #[test]
    fn the_fix_takes_the_terminal_away() {
        let text = "docker exec -t db pg_dump a > a\ndocker exec -it db pg_dump a > a\ndocker exec --tty db pg_dump a > a\ndocker-compose exec db pg_dump a > a\n";
        insta::assert_snapshot!(fix(&RULE, "b.sh", text), @r"
        docker exec db pg_dump a > a
        docker exec -i db pg_dump a > a
        docker exec db pg_dump a > a
        docker-compose exec -T db pg_dump a > a
        ");
    }
}
