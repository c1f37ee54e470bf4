use std::collections::HashSet;

use crate::document::Kind;
use crate::finding::Fix;
use crate::fix::{line_before, line_start};
use crate::model::{Arg, Command, Host, Pipeline, Role, Script, Set};
use crate::rule::{Findings, rule};

rule! {
    /// An option whose value vanishes when a variable is empty.
    ///
    /// ## What
    /// `pg_dump -h $DB_HOST -U $DB_USER`: unquoted variables as values of options, that
    /// the document sets nowhere and nothing asks for. Reported once for each script.
    ///
    /// ## Why
    /// An empty variable without quotes is no argument at all. The program takes the
    /// next option for the value: `-h -U` is a host named "-U". Cron and systemd do not
    /// read the profile that sets the variable in a terminal, so the script that was
    /// tried by hand fails at night.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// #!/bin/bash
    /// pg_dump -h $DB_HOST -U $DB_USER -d $DB_NAME -Fc -f shop.dump
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// #!/bin/bash
    /// : "${DB_HOST:?}" "${DB_USER:?}" "${DB_NAME:?}"
    /// pg_dump -h "$DB_HOST" -U "$DB_USER" -d "$DB_NAME" -Fc -f shop.dump
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnu.org/software/bash/manual/html_node/Shell-Parameter-Expansion.html>
    "unset-variable-arg" in Dump,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (index, script) in set.scripts.iter().enumerate() {
        // Elsewhere the environment comes from what starts the script, and lines that are
        // typed have placeholders in them.
        let has_own = matches!(script.host, Host::File | Host::Cron(_)) && !set.is_typed(script);
        if !has_own || !script.sourced.is_empty() {
            continue;
        }
        let commands = set.commands.get(script.commands.clone()).unwrap_or_default();
        if !commands.iter().any(|command| options(command).next().is_some()) {
            continue;
        }
        let asked = asked(set, script, commands);
        let open = |bare: &Bare<'_>| !is_set(set, script, &asked, bare);
        let mut found = commands.iter().flat_map(options).filter(open);
        let Some(bare) = found.next().filter(|_| !is_started_with_more(set, index)) else { continue };
        let command = bare.command;
        let next = bare.next.map_or("nothing".to_owned(), |next| format!("'{}'", next.text));
        let message = format!(
            "if {} is empty, {} takes {next} for the value of {}",
            bare.name, command.name, bare.option.text
        );
        let report = findings.report(bare.value.at, message).help(format!(
            "stop when it is not set, with `: \"${{{}:?}}\"`, and put it into quotes",
            bare.name
        ));
        let mut names = vec![bare.name];
        for other in found {
            if !names.contains(&other.name) && names.len() < NAMES {
                names.push(other.name);
            }
        }
        if let Some(fix) = fix(set, script, command, &names) {
            report.fix(fix);
        }
    }
}

/// A service, a unit or a workflow runs it, and has an environment for it.
fn is_started_with_more(set: &Set<'_>, script: usize) -> bool {
    let starts = |pipeline: &Pipeline| {
        set.units.get(pipeline.root).is_some_and(|unit| {
            matches!(unit.kind, Kind::Compose | Kind::Systemd | Kind::Kubernetes | Kind::Workflow)
        })
    };
    set.pipelines.iter().any(|pipeline| pipeline.scripts.contains(&script) && starts(pipeline))
}

/// Variables that one line asks for.
const NAMES: usize = 16;

struct Bare<'c> {
    command: &'c Command,
    option: &'c Arg,
    value: &'c Arg,
    name: &'c str,
    next: Option<&'c Arg>,
}

/// Each option of a dump or restore with a variable that may be empty.
fn options(command: &Command) -> impl Iterator<Item = Bare<'_>> {
    const OPTIONS: [&str; 10] =
        ["-h", "-U", "-d", "-p", "-f", "--host", "--username", "--dbname", "--port", "--file"];
    let reads = matches!(command.role, Role::Dump(_) | Role::Restore(_)) && !command.flags.nounset;
    command.args.iter().enumerate().filter_map(move |(index, option)| {
        let value = command.args.get(index + 1)?;
        let name = variable(value)?;
        let next = command.args.get(index + 2);
        (reads && OPTIONS.contains(&option.text.as_str())).then_some(Bare {
            command,
            option,
            value,
            name,
            next,
        })
    })
}

/// `$NAME` or `${NAME}` without quotes, unknown.
fn variable(arg: &Arg) -> Option<&str> {
    let name = arg.raw.strip_prefix('$')?;
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (arg.may_split && is_name).then_some(name)
}

/// Variables that the script reads, loops over, or asks about.
fn asked<'s>(set: &'s Set<'_>, script: &Script, commands: &'s [Command]) -> HashSet<&'s str> {
    let mut asked = HashSet::new();
    for command in commands {
        match command.name.as_str() {
            "[" | "[[" | "test" => {
                asked.extend(command.args.iter().flat_map(|arg| arg.variables.iter().map(String::as_str)));
            }
            "read" | "getopts" | "mapfile" => asked.extend(command.args.iter().map(|arg| arg.text.as_str())),
            _ => {}
        }
    }
    let text = set.text(script.at);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // `${NAME:?}`, `${NAME:-default}`; `for NAME in …`
    for (at, open) in text.match_indices("${") {
        let rest = text.get(at + open.len()..).unwrap_or_default();
        let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        if rest.get(end..).is_some_and(|rest| rest.starts_with([':', '?', '-', '='])) {
            asked.extend(rest.get(..end));
        }
    }
    for (at, word) in text.match_indices("for ") {
        asked.extend(text.get(at + word.len()..).and_then(|rest| rest.split([' ', '\n', ';']).next()));
    }
    asked
}

/// Whether anything sets the variable, or asks whether it is set.
fn is_set(set: &Set<'_>, script: &Script, asked: &HashSet<&str>, bare: &Bare<'_>) -> bool {
    asked.contains(bare.name)
        || set.sets(script, bare.name)
        || bare.command.env.iter().any(|setting| setting.name == bare.name)
        || !set.settings(bare.command, bare.name).is_empty()
}

/// One line before the first statement that needs them.
fn fix(set: &Set<'_>, script: &Script, first: &Command, names: &[&str]) -> Option<Fix> {
    let text = &set.documents.get(first.at.document)?.text;
    let start = first.statement.start;
    let alone = text.get(line_start(text, start)..start)?.trim().is_empty();
    if script.host != Host::File || !alone || first.nesting.inline.is_some() || first.nesting.condition {
        return None;
    }
    let asked: Vec<String> = names.iter().map(|name| format!("\"${{{name}:?}}\"")).collect();
    let line = format!(": {}", asked.join(" "));
    Some(Fix::safe("stop when one of them is not set", vec![line_before(text, start, &line)]))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn what_takes_the_place_of_the_value_is_told() {
        let text =
            "#!/bin/bash\npg_dump -h $DB_HOST -U ${DB_USER} -d \"$DB_NAME\" -f a\npg_restore -h $DB_HOST a\n";
        insta::assert_snapshot!(check(&RULE, &[("b.sh", text)]), @r#"
        b.sh:2:12: error[unset-variable-arg]: if DB_HOST is empty, pg_dump takes '-U' for the value of -h
        help: stop when it is not set, with `: "${DB_HOST:?}"`, and put it into quotes
        "#);
        insta::assert_snapshot!(fix(&RULE, "b.sh", text), @r#"
        #!/bin/bash
        : "${DB_HOST:?}" "${DB_USER:?}"
        pg_dump -h $DB_HOST -U ${DB_USER} -d "$DB_NAME" -f a
        pg_restore -h $DB_HOST a
        "#);
    }

    #[test]
    fn crontabs_and_documents_have_it_too() {
        assert!(check(&RULE, &[("crontab", "0 2 * * * pg_dump -h $HOST -d a > /b\n")]).contains("error["));
        let block = "```bash\n#!/bin/bash\npsql -h $H -d a -f backup.sql\n```\n";
        assert!(check(&RULE, &[("a.md", block)]).starts_with("a.md:3:9: error["));
        assert_eq!(check(&RULE, &[("a.md", &block.replace("#!/bin/bash\n", ""))]), "");
    }

    #[test]
    fn variables_that_something_sets_or_asks_for_are_silent() {
        for text in [
            "DB_HOST=db\npg_dump -h $DB_HOST a > b\n",
            "set -u\npg_dump -h $DB_HOST a > b\n",
            ": ${DB_HOST:?}\npg_dump -h $DB_HOST a > b\n",
            "[ -n \"$DB_HOST\" ] || exit 1\npg_dump -h $DB_HOST a > b\n",
            "pg_dump -h \"$DB_HOST\" a > b\n",
            ". /etc/backup.env\npg_dump -h $DB_HOST a > b\n",
            "for DB in a b; do pg_dump -d $DB > b; done\n",
            "while read -r DB; do pg_dump -d $DB > b; done\n",
            "pg_dump $OPTIONS -h db a > b\n",
            "ping -h $DB_HOST\n",
            "pg_dump -d $1 > b\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
        let files = [(".env", "DB_HOST=db\n"), ("b.sh", "pg_dump -h $DB_HOST a > b\n")];
        assert_eq!(check(&RULE, &files), "");
        let step =
            "on: push\njobs:\n  b:\n    runs-on: x\n    steps:\n      - run: pg_dump -h $DB_HOST a > b\n";
        assert_eq!(check(&RULE, &[(".github/workflows/b.yml", step)]), "");
    }
}
