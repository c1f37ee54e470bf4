use std::collections::HashSet;

use crate::document::Kind;
use crate::model::{Called, Command, Host, Role, Script, Set, Setting};
use crate::rule::{Findings, rule};

rule! {
    /// A drill whose connection does not reach every command, or stays behind.
    ///
    /// ## What
    /// A variable such as `DATABASE_URL` is set in front of one command alone, and the
    /// next one takes the database from the same variable; or a document's test exports
    /// it and never takes it back.
    ///
    /// ## Why
    /// `DATABASE_URL=… ./restore.sh` holds for that command. The test suite in the next
    /// line runs against the database of the environment: production, perhaps, while the
    /// restored one is not looked at. An `export` that is typed for a drill stays in the
    /// shell: the next dump, migration or deletion goes to the drill's database - or the
    /// drill's restore goes to production where the export was left out.
    ///
    /// ## Bad
    /// ```bash drill.sh
    /// #!/bin/bash
    /// DATABASE_URL=postgresql://localhost/scratch ./restore.sh latest.dump
    /// npm run test:database
    /// ```
    ///
    /// ## Good
    /// ```bash drill.sh
    /// #!/bin/bash
    /// (
    ///   export DATABASE_URL=postgresql://localhost/scratch
    ///   ./restore.sh latest.dump
    ///   npm run test:database
    /// )
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnu.org/software/bash/manual/html_node/Environment.html>
    "restore-connection-leak" in Restore,
    severity: Error,
    fix: No,
    check: Set(check),
}

const DRILL: [&str; 6] = ["test", "drill", "verif", "valid", "staging", "rehears"];

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let unset = unset(set);
    for script in set.scripts.iter().filter(|script| script.host == Host::File) {
        let commands = set.commands.get(script.commands.clone()).unwrap_or_default();
        for (index, command) in commands.iter().enumerate() {
            let rest = commands.get(index + 1..).unwrap_or_default();
            one_command(set, script, command, rest.get(..NEXT).unwrap_or(rest), findings);
        }
        left_behind(set, script, commands, &unset, findings);
    }
}

/// Commands that are looked at behind one with a connection of its own.
const NEXT: usize = 32;

/// Variables that are taken back, with their document.
fn unset<'s>(set: &'s Set<'_>) -> HashSet<(usize, &'s str)> {
    let commands = set.commands.iter().filter(|command| command.name == "unset");
    let names =
        |command: &'s Command| command.args.iter().map(move |arg| (command.at.document, arg.text.as_str()));
    commands.flat_map(names).collect()
}

/// `DATABASE_URL=… ./restore.sh`, and then something that needs it too.
fn one_command(
    set: &Set<'_>,
    script: &Script,
    command: &Command,
    rest: &[Command],
    findings: &mut Findings<'_>,
) {
    let restores = matches!(command.role, Role::Restore(_))
        || command.called.as_ref().is_some_and(|called| names(called, &["restore"]));
    let Some(setting) = command.env.iter().find(|setting| is_connection(&setting.name)) else { return };
    if !restores || set.sets(script, &setting.name) {
        return;
    }
    let Some(next) = rest.iter().find(|next| needs(next, &setting.name)) else { return };
    let what = next.called.as_ref().map_or(next.name.as_str(), |called| called.arg().text.as_str());
    let message = format!(
        "{} is set for this command alone: '{what}' runs against the database of the environment, not the restored one",
        setting.name
    );
    findings
        .report(setting.value.at, message)
        .help(format!("set it for both: `( export {}=…; …; … )`", setting.name))
        .related(next.name_at, "this has another connection");
}

fn names(called: &Called, words: &[&str]) -> bool {
    let text = called.arg().text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// Whether a command takes its database from the variable, and has none of its own.
fn needs(command: &Command, name: &str) -> bool {
    if command.env.iter().any(|setting| setting.name == name) {
        return false;
    }
    let code = command.called.as_ref().is_some_and(|called| {
        names(called, &["db", "database", "verif", "check", "test", "valid", "migrat"])
    });
    let named = command.args.iter().any(|arg| arg.variables.iter().any(|variable| variable == name));
    let by_environment = name.starts_with("PG")
        && match &command.role {
            Role::Restore(restore) => restore.target.database.is_none(),
            Role::Dump(dump) => dump.target.database.is_none(),
            Role::Probe(_) => command.name == "psql" && !command.args.iter().any(|arg| arg.text == "-d"),
            _ => false,
        };
    code || by_environment || (named && command.role != Role::Print)
}

/// `export` in a drill that is typed.
fn left_behind(
    set: &Set<'_>,
    script: &Script,
    commands: &[Command],
    unset: &HashSet<(usize, &str)>,
    findings: &mut Findings<'_>,
) {
    let in_text = set.units.get(script.unit).is_some_and(|unit| unit.embedded && unit.kind == Kind::Shell);
    if !in_text || !set.is_typed(script) {
        return;
    }
    let mut exported: Vec<&Setting> = Vec::new();
    for export in commands.iter().filter(|command| command.name == "export" && !command.nesting.subshell) {
        let span = export.at.span;
        let from = script.assignments.partition_point(|setting| setting.value.at.span.start < span.start);
        let own = script.assignments.iter().skip(from).take_while(|it| it.value.at.span.end <= span.end);
        for setting in own.filter(|setting| is_connection(&setting.name)) {
            let value = setting.value.text.to_ascii_lowercase();
            let drill = DRILL.iter().any(|word| value.contains(word)) || set.about(export).says(&DRILL);
            if drill && !unset.contains(&(script.at.document, setting.name.as_str())) {
                exported.push(setting);
            }
        }
    }
    let Some(first) = exported.first() else { return };
    let names: Vec<&str> = exported.iter().take(4).map(|setting| setting.name.as_str()).collect();
    let (names, verb) = (names.join(" and "), if exported.len() > 1 { "stay" } else { "stays" });
    let message = format!(
        "{names} {verb} set in this shell after the drill: the next backup, restore or migration goes to the drill's database"
    );
    findings
        .report(first.value.at, message)
        .help("put the drill into parentheses, `( export …; … )`, or `unset` it at the end");
}

fn is_connection(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "PGHOST",
        "PGDATABASE",
        "PGPORT",
        "PGSERVICE",
        "DB_HOST",
        "DB_NAME",
        "DB_URL",
        "DATABASE_NAME",
        "SUPABASE_PROJECT_REF",
        "SUPABASE_DB_PASSWORD",
    ];
    NAMES.contains(&name)
        || name.ends_with("DATABASE_URL")
        || name.ends_with("POSTGRES_URL")
        || name.ends_with("_DB_URL")
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn the_command_behind_is_told_where_it_goes() {
        let text = "createdb t\nDATABASE_URL=postgresql://localhost/t \\\n  ./scripts/restore-database.sh -y latest.dump\nnpm run test:database\n";
        insta::assert_snapshot!(check(&RULE, &[("drill.sh", text)]), @r"
        drill.sh:2:14: error[restore-connection-leak]: DATABASE_URL is set for this command alone: 'test:database' runs against the database of the environment, not the restored one
        help: set it for both: `( export DATABASE_URL=…; …; … )`
          drill.sh:4:1: this has another connection
        ");
    }

    #[test]
    fn every_form_of_it() {
        for text in [
            "DATABASE_URL=x ./restore.sh a\npsql \"$DATABASE_URL\" -c 'select 1'\n",
            "PGHOST=test pg_restore -d t a.dump\npsql -c 'select count(*) from a'\n",
            "TEST_DB_URL=x psql x -f backup.sql\n./verify.sh\n",
        ] {
            let found = check(&RULE, &[("drill.sh", text)]);
            assert_eq!(found.matches("error[").count(), 1, "{text}: {found}");
        }
        let typed = "## Quarterly drill\n```bash\nexport SUPABASE_PROJECT_REF=test_ref\nexport SUPABASE_DB_PASSWORD=test_pw\nnpm run db:restore latest\n```\n";
        let found = check(&RULE, &[("a.md", typed)]);
        assert!(found.starts_with("a.md:3:29: error["), "{found}");
        assert!(found.contains("SUPABASE_PROJECT_REF and SUPABASE_DB_PASSWORD stay set"), "{found}");
    }

    #[test]
    fn connections_that_hold_for_all_are_silent() {
        for text in [
            "export DATABASE_URL=x\n./restore.sh a\nnpm run test:db\n",
            "DATABASE_URL=x\nDATABASE_URL=y ./restore.sh a\nnpm run test:db\n",
            "DATABASE_URL=x ./restore.sh a\nDATABASE_URL=x npm run test:db\n",
            "DATABASE_URL=x ./restore.sh a\ndropdb t\necho \"$DATABASE_URL\"\n",
            "DATABASE_URL=x npm run build\nnpm run test:db\n",
            "PGPASSWORD=x pg_restore -h h -d t a.dump\npsql -h h -d t -c 'select 1'\n",
        ] {
            assert_eq!(check(&RULE, &[("drill.sh", text)]), "", "{text}");
        }
        for text in [
            "## Drill\n```bash\nexport DATABASE_URL=test\n./restore.sh\nunset DATABASE_URL\n```\n",
            "## Drill\n```bash\n(\n  export DATABASE_URL=test\n  ./restore.sh\n)\n```\n",
            "## Disaster recovery\n```bash\nexport DATABASE_URL=postgresql://new/shop\n./restore.sh\n```\n",
            "## Drill\n```bash\n#!/bin/bash\nexport DATABASE_URL=test\n./restore.sh\n```\n",
        ] {
            assert_eq!(check(&RULE, &[("a.md", text)]), "", "{text}");
        }
    }
}
