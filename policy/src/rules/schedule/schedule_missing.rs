use crate::finding::Place;
use crate::model::{Called, Role, Set};
use crate::parse::source::lines;
use crate::parse::workflow::Workflow;
use crate::parse::yaml::Node;
use crate::path;
use crate::rule::{Findings, rule};

rule! {
    /// The backup only runs when somebody starts it by hand.
    ///
    /// ## What
    /// A workflow that makes a backup and says so in its name can only be started by
    /// hand: there is no schedule, or its lines are commented out. Workflows that others
    /// call, and those that run at a deployment, are left alone.
    ///
    /// ## Why
    /// A backup that somebody has to think of is made until they are on holiday. It is
    /// the most common way in which a set-up that was tried once turns out to have been
    /// off for months.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// name: Database backup
    /// on:
    ///   workflow_dispatch:
    ///   # schedule:
    ///   #   - cron: "17 3 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Good
    /// ```yaml .github/workflows/backup.yml
    /// name: Database backup
    /// on:
    ///   workflow_dispatch:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule>
    "schedule-missing" in Schedule,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (pipeline, unit, workflow) in set.workflows() {
        let Some(on) = workflow.on else { continue };
        let by_hand = workflow.triggers.iter().all(|trigger| trigger.name == "workflow_dispatch");
        let makes = pipeline.backup(set).is_some() || pipeline.unseen.iter().any(Called::is_backup);
        // A document that shows another way to start it has a schedule.
        let elsewhere = unit.embedded && set.schedules.iter().any(|it| it.at.document == unit.document);
        if !by_hand || !makes || elsewhere || !is_named_backup(unit.path.as_deref(), &workflow) {
            continue;
        }
        // A restore or a copy into another database is started on purpose.
        if pipeline.any(set, |role| matches!(role, Role::Restore(_))) && pipeline.backup(set).is_none() {
            continue;
        }
        let disabled = commented_out(unit.text());
        let (at, message) = match disabled {
            Some(offset) => {
                let span = unit.source.span(offset, offset + 1);
                (
                    Place { document: unit.document, span },
                    "the schedule is commented out: there is a backup only when somebody starts it by hand",
                )
            }
            None => (
                unit.place(on.key.span),
                "nothing starts this by itself: there is a backup only when somebody thinks of it",
            ),
        };
        findings.report(at, message).help("add `schedule:` with `- cron: \"17 3 * * *\"` under `on:`");
    }
}

/// Called a backup; not one before something else.
fn is_named_backup(path: Option<&str>, workflow: &Workflow<'_>) -> bool {
    const OTHER: [&str; 16] = [
        "pre-",
        "before",
        "migrat",
        "deploy",
        "restore",
        "clone",
        "copy",
        "sync",
        "manual",
        "on-demand",
        "on demand",
        "adhoc",
        "ad-hoc",
        "test",
        "seed",
        "pre ",
    ];
    let file = path.map(path::name).unwrap_or_default();
    let name = workflow.name.and_then(Node::text).unwrap_or_default();
    let both = format!("{file} {name}").to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| both.contains(word));
    has(&["backup", "back-up", "dump"]) && !has(&OTHER)
}

/// Where a `schedule:` or `- cron:` lies in a comment.
fn commented_out(text: &str) -> Option<usize> {
    lines(text).find_map(|(offset, line)| {
        let body = line.trim_start().strip_prefix('#')?.trim_start();
        let found = body.starts_with("schedule:") || body.starts_with("- cron:");
        found.then(|| offset + line.len() - line.trim_start().len())
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(on: &str, name: &str, run: &str) -> String {
        let text =
            format!("name: {name}\non:\n{on}jobs:\n  b:\n    runs-on: u\n    steps:\n      - run: {run}\n");
        check(&RULE, &[(".github/workflows/db.yml", &text)])
    }

    const HAND: &str = "  workflow_dispatch:\n";

    #[test]
    fn a_backup_by_hand_is_reported_at_its_triggers() {
        insta::assert_snapshot!(found(HAND, "DB backup", "pg_dump $URL > a"), @r#"
        .github/workflows/db.yml:2:1: warning[schedule-missing]: nothing starts this by itself: there is a backup only when somebody thinks of it
        help: add `schedule:` with `- cron: "17 3 * * *"` under `on:`
        "#);
        let disabled = format!("{HAND}  #schedule:\n  #  - cron: '1 2 * * *'\n");
        assert!(found(&disabled, "DB backup", "pg_dump $URL > a").contains("db.yml:4:3: warning["));
        assert!(found(HAND, "Nightly dump", "./scripts/backup.sh").contains("warning["));
    }

    #[test]
    fn it_stays_quiet_where_something_starts_it() {
        for (on, name, run) in [
            ("  schedule: [{cron: '1 2 * * *'}]\n", "DB backup", "pg_dump $URL > a"),
            ("  workflow_call:\n", "DB backup", "pg_dump $URL > a"),
            ("  workflow_run: {workflows: [x]}\n", "DB backup", "pg_dump $URL > a"),
            ("  push: {branches: [main]}\n", "DB backup", "pg_dump $URL > a"),
            (HAND, "Pre-deploy backup", "pg_dump $URL > a"),
            (HAND, "Restore backup", "pg_restore -d $URL a"),
            (HAND, "Copy production to staging", "pg_dump $URL | psql $STAGING"),
            (HAND, "DB backup", "pg_dump postgres://postgres:postgres@localhost/x > a"),
            (HAND, "CI", "npm test"),
        ] {
            assert_eq!(found(on, name, run), "", "{on} {name} {run}");
        }
    }
}
