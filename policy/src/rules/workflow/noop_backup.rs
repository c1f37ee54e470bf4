use crate::document::Kind;
use crate::model::{ActionRole, Command, Host, Pipeline, Role, Script, Set, Unit};
use crate::parse::workflow::step_at;
use crate::path;
use crate::rule::{Findings, rule};

rule! {
    /// The backup only prints that there was one.
    ///
    /// ## What
    /// A workflow or script that is called a backup runs nothing but `echo`, `mkdir` and
    /// the like: the dump is missing, commented out or a placeholder.
    ///
    /// ## Why
    /// It is green every night, and the list of runs is taken for a list of backups.
    /// There is not one.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// name: Database backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - name: Backup database
    ///         run: |
    ///           # pg_dump "$DATABASE_URL" > shop.sql
    ///           echo "Backup would be created here"
    /// ```
    ///
    /// ## Good
    /// ```yaml .github/workflows/backup.yml
    /// name: Database backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - name: Backup database
    ///         run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/app-pgdump.html>
    "noop-backup" in Workflow,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let Some(unit) = set.units.get(pipeline.root) else { continue };
        if !matches!(unit.kind, Kind::Workflow | Kind::Shell) || !is_named_backup(unit) {
            continue;
        }
        if !pipeline.unseen.is_empty()
            || pipeline.commands.is_empty()
            || !pipeline.commands(set).all(|(_, command)| does_nothing(command))
            || works(set, pipeline)
        {
            continue;
        }
        let scripts = pipeline.scripts.iter().filter_map(|index| set.scripts.get(*index));
        let Some(print) = scripts.filter_map(|script| print(set, unit, script)).max_by_key(|(rank, _)| *rank)
        else {
            continue;
        };
        findings
            .report(print.1.at, "this is all there is: nothing here makes a backup, and every run is green")
            .help("dump the database with `pg_dump -Fc -f FILE`, or delete this");
    }
}

/// Called a backup, and not what comes after one.
fn is_named_backup(unit: &Unit<'_>) -> bool {
    let file = unit.path.as_deref().map(path::name).unwrap_or_default();
    let title =
        unit.workflow().and_then(|workflow| workflow.name?.text().map(str::to_owned)).unwrap_or_default();
    let both = format!("{file} {title}").to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| both.contains(word));
    has(&["backup", "back-up", "dump"])
        && !has(&[
            "test", "notify", "check", "verify", "list", "restore", "usage", "help", "remind", "status",
        ])
}

fn does_nothing(command: &Command) -> bool {
    const QUIET: [&str; 16] = [
        "mkdir", "date", "sleep", "true", ":", "set", "cd", "exit", "ls", "touch", "export", "pwd",
        "hostname", "whoami", "return", "local",
    ];
    command.role == Role::Print
        || QUIET.contains(&command.name.as_str())
        || matches!(command.name.as_str(), "[" | "[[" | "test")
        || (matches!(command.name.as_str(), "apt-get" | "apt" | "apk" | "pip" | "brew")
            && ["install", "update", "add"].iter().any(|verb| command.has(verb)))
}

/// Whether an action does it: one for backups, or one that nobody here knows.
fn works(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    set.actions_of(pipeline.root).any(|action| match action.role {
        ActionRole::Dump | ActionRole::Upload => true,
        ActionRole::Other => {
            let name = action.name();
            !["setup", "install", "cli", "credentials", "login"].iter().any(|word| name.contains(word))
        }
        _ => false,
    })
}

/// The line that speaks of the backup: one that says it would be, before all others.
fn print<'s>(set: &'s Set<'_>, unit: &Unit<'_>, script: &Script) -> Option<(u32, &'s Command)> {
    let step = match script.host {
        Host::Step { job, step } => {
            let name = unit.tree.as_ref().and_then(|tree| step_at(tree, job, step)?.1?.text());
            name.map(str::to_ascii_lowercase)
        }
        _ => None,
    };
    let named = step.is_some_and(|name| {
        name.contains("backup")
            && !["notif", "success", "fail", "summary", "upload"].iter().any(|word| name.contains(word))
    });
    let rank = |command: &Command| {
        let line = command.line().to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
        let about = has(&["backup", "dump"]);
        u32::from(about)
            + 2 * u32::from(named && about)
            + 4 * u32::from(about && has(&["would", "placeholder", "todo", "simulat"]))
    };
    set.commands_in(script, script.at.span)
        .iter()
        .filter(|command| command.role == Role::Print && command.function.is_none())
        .map(|command| (rank(command), command))
        .filter(|(rank, _)| *rank > 0)
        .max_by_key(|(rank, _)| *rank)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(steps: &str) -> String {
        let text = format!(
            "name: Database Backup\non:\n  schedule: [{{cron: '1 2 * * *'}}]\njobs:\n  b:\n    runs-on: u\n    steps:\n      - uses: actions/checkout@v4\n{steps}"
        );
        check(&RULE, &[(".github/workflows/b.yml", &text)])
    }

    #[test]
    fn a_backup_that_only_prints_is_reported_once() {
        insta::assert_snapshot!(found("      - run: mkdir -p backups\n      - name: Backup schema\n        run: |\n          echo \"Creating backup\"\n          # supabase db dump -f a.sql\n          echo \"Backup would be created here\"\n      - name: Backup success\n        run: echo \"Backup done\"\n"), @r"
        .github/workflows/b.yml:14:11: error[noop-backup]: this is all there is: nothing here makes a backup, and every run is green
        help: dump the database with `pg_dump -Fc -f FILE`, or delete this
        ");
        assert!(
            check(&RULE, &[("scripts/backup.sh", "#!/bin/sh\n# pg_dump x\necho \"Backup complete\"\n")])
                .contains("error[")
        );
    }

    #[test]
    fn it_stays_quiet_where_something_is_done() {
        for steps in [
            "      - run: pg_dump x > a && echo \"Backup done\"\n",
            "      - run: ./scripts/backup.sh\n      - run: echo \"Backup done\"\n",
            "      - run: mysqldump x > a\n      - run: echo \"Backup done\"\n",
            "      - uses: acme/postgres-backup@v1\n      - run: echo \"Backup done\"\n",
            "      - run: curl -X POST $BACKUP_API\n      - run: echo \"Backup started\"\n",
            "      - run: python scripts/backup.py\n      - run: echo \"Backup done\"\n",
        ] {
            assert_eq!(found(steps), "", "{steps}");
        }
        assert_eq!(check(&RULE, &[("scripts/list-backups.sh", "echo backup\n")]), "");
        assert_eq!(
            check(&RULE, &[("scripts/backup.sh", "rsync -a /data /backup\necho \"Backup done\"\n")]),
            ""
        );
    }
}
