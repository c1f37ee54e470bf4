use crate::finding::Place;
use crate::model::{Arg, Command, Role, Set};
use crate::rule::{Findings, rule};
use crate::secrets::{self, Argument};

rule! {
    /// A password is an argument of a program.
    ///
    /// ## What
    /// A connection string with a password in it, by a variable or as an example that
    /// gets filled in, `docker run -e PGPASSWORD=…`, `curl -u user:…`: anything of the
    /// kind that becomes a word of a command line. Reported once for each document, at
    /// its first; a password that stands there in full is `credential-in-file`.
    ///
    /// ## Why
    /// `ps`, `/proc`, `docker inspect` and every trace show the arguments of a program to
    /// all users of the machine, for as long as the dump runs.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// pg_dump -Fc -f shop.dump "postgresql://backup:$DB_PASSWORD@db.shop.internal/shop"
    /// ```
    /// or
    /// ```bash backup.sh
    /// docker run --rm -e PGPASSWORD="$DB_PASSWORD" postgres:17 pg_dump -h db shop > shop.sql
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// export PGPASSFILE=/run/secrets/pgpass
    /// pg_dump -Fc -f shop.dump -h db.shop.internal -U backup shop
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/libpq-pgpass.html>
    /// - <https://docs.docker.com/reference/cli/docker/container/run/#env>
    "credential-in-argv" in Secrets,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for commands in set.commands_by_document() {
        let mut all = commands.iter().filter(|command| is_started(command)).flat_map(arguments);
        let Some((place, found)) = all.next() else { continue };
        let others = match all.count() {
            0 => String::new(),
            1 => " (and in one more command)".to_owned(),
            more => format!(" (and in {more} more commands)"),
        };
        let (message, help) = match found {
            Argument::Connection { .. } => (
                "the list of processes shows this password while the program runs",
                "leave the password out of the URL: `PGPASSFILE`, a service file, or an exported PGPASSWORD",
            ),
            Argument::Named { .. } => (
                "the list of processes, and `docker inspect`, show this password",
                "export the variable and name it alone: `-e PGPASSWORD`",
            ),
        };
        findings.report(place, format!("{message}{others}")).help(help);
    }
}

/// The passwords among the arguments of a command, and of what starts it.
fn arguments(command: &Command) -> impl Iterator<Item = (Place, Argument)> {
    let wrapped = command.wrappers.iter().filter(|wrapper| wrapper.name != "env");
    wrapped.map(|wrapper| &wrapper.args).chain([&command.args]).flat_map(move |args| {
        let options = std::iter::once("").chain(args.iter().map(|arg| arg.text.as_str()));
        args.iter().zip(options).filter_map(move |(arg, option)| Some((arg.at, shown(command, option, arg)?)))
    })
}

/// Whether its words go to another process: no assignment, nothing that is only printed.
fn is_started(command: &Command) -> bool {
    const BUILTINS: [&str; 12] = [
        "export", "declare", "local", "readonly", "typeset", "[", "[[", "test", "read", "set", "unset",
        "printf",
    ];
    // What looks for a password in a URL holds a pattern.
    const PATTERNS: [&str; 9] = ["sed", "awk", "gawk", "grep", "egrep", "perl", "tr", "jq", "expr"];
    let name = command.name.as_str();
    command.role != Role::Print && !BUILTINS.contains(&name) && !PATTERNS.contains(&name)
}

/// `option`: the word before.
fn shown(command: &Command, option: &str, arg: &Arg) -> Option<Argument> {
    // `curl -u user:$PASSWORD`.
    let pair = command.name == "curl"
        && matches!(option, "-u" | "--user")
        && arg
            .raw
            .trim_matches(['"', '\''])
            .split_once(':')
            .is_some_and(|(user, password)| !user.contains('/') && password.starts_with('$'));
    let connection = Argument::Connection { password: 0..arg.raw.len(), literal: false };
    let found = secrets::credential_in_argument(&arg.raw).or(pair.then_some(connection))?;
    // `-e NAME=value`; a word of this form elsewhere is a program's own.
    let named = matches!(found, Argument::Named { .. });
    if named && !matches!(option, "-e" | "--env" | "--build-arg") && !arg.raw.starts_with("--env=") {
        return None;
    }
    // What is written out is a leak already.
    let leaked = secrets::find(&arg.raw, secrets::Place::default());
    leaked.is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(text: &str) -> String {
        check(&RULE, &[("b.sh", text)])
    }

    #[test]
    fn it_is_reported_once_for_each_document() {
        insta::assert_snapshot!(found("pg_dump -f a \"postgres://u:$PW@h/db\"\npsql \"postgres://u:$PW@h/db\" -c 'select 1'\n"), @r"
        b.sh:1:14: warning[credential-in-argv]: the list of processes shows this password while the program runs (and in one more command)
        help: leave the password out of the URL: `PGPASSFILE`, a service file, or an exported PGPASSWORD
        ");
    }

    #[test]
    fn every_form_of_it_fires() {
        for text in [
            "pg_dump \"postgresql://postgres:password@db.xxx.supabase.co:5432/postgres\" -f a\n",
            "docker run -e PGPASSWORD=\"$X\" postgres:17 pg_dump shop\n",
            "docker exec -e PGPASSWORD=$X db pg_dump shop\n",
            "curl -u \"me:$TOKEN\" -T a https://files.example.test/\n",
            "sudo -u postgres psql postgresql://u:${PW}@h/db\n",
        ] {
            assert!(found(text).contains("warning[credential-in-argv]"), "{text}");
        }
    }

    #[test]
    fn it_stays_quiet_where_no_process_gets_it() {
        for text in [
            "pg_dump \"$DATABASE_URL\" -f a\n",
            "PGPASSWORD=$X pg_dump shop\n",
            "export DATABASE_URL=\"postgres://u:$PW@h/db\"\n",
            "URL=\"postgres://u:$PW@h/db\"\n",
            "echo \"postgres://u:$PW@h/db\"\n",
            "# pg_dump postgres://u:$PW@h/db\n",
            "docker run -e PGPASSWORD postgres:17 pg_dump shop\n",
            "docker run -e PGHOST=\"$H\" postgres:17 pg_dump shop\n",
            "psql postgres://u@h/db\n",
            "echo \"$U\" | sed -n 's|.*://[^:]*:\\([^@]*\\)@.*|\\1|p'\n",
            "cat > .env <<EOF\nURL=postgres://u:$PW@h/db\nEOF\n",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
    }
}
