use crate::finding::{Edit, Fix, Severity};
use crate::fix::lines_before;
use crate::model::{Set, Unit};
use crate::parse::workflow::Workflow;
use crate::parse::yaml::{Entry, Node};
use crate::rule::{Findings, rule};

rule! {
    /// Two runs of the backup may overlap, or one may kill the other.
    ///
    /// ## What
    /// A workflow that makes backups can be started by hand or in more than one way
    /// (two schedules, a schedule and a push) and has no `concurrency`; or it has one with
    /// `cancel-in-progress: true`.
    ///
    /// ## Why
    /// Two runs write the same names, prune each other's files and double the load on
    /// the database. With `cancel-in-progress` a run that is started by hand kills the
    /// scheduled dump half-way, and a half file may lie where the backup should be.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    ///   workflow_dispatch:
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Good
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    ///   workflow_dispatch:
    /// concurrency:
    ///   group: database-backup
    ///   cancel-in-progress: false
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#concurrency>
    "concurrency-missing" in Workflow,
    severity: Note,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (pipeline, unit, workflow) in set.workflows() {
        let makes = pipeline.backup(set).is_some() || !pipeline.unseen.is_empty();
        let groups: Vec<&Entry> = workflow
            .concurrency
            .into_iter()
            .chain(workflow.jobs().filter_map(|job| job.concurrency))
            .collect();
        for entry in &groups {
            let cancel = entry.value.get("cancel-in-progress").filter(|it| it.text() == Some("true"));
            if let Some(cancel) = cancel.filter(|_| makes) {
                let at = unit.place(cancel.span);
                findings
                    .report(at, "a run that starts later kills this dump half-way")
                    .severity(Severity::Warning)
                    .help("`cancel-in-progress: false`: the later run waits")
                    .fix(Fix::safe("let the later run wait", vec![Edit::replace(at.span, "false")]));
            }
        }
        if !groups.is_empty() || starts(&workflow) < 2 {
            continue;
        }
        let Some(jobs) = workflow.root.entry("jobs") else { continue };
        let at = unit.place(jobs.key.span);
        let report = findings
            .report(
                at,
                "a run that is started while another works writes the same names and prunes its files",
            )
            .help("add `concurrency: {group: database-backup, cancel-in-progress: false}`");
        if let Some(edit) = insert(set, unit, &workflow, &jobs.key) {
            report.fix(Fix::safe("let runs wait for each other", vec![edit]));
        }
    }
}

/// In how many ways a run may begin.
fn starts(workflow: &Workflow<'_>) -> usize {
    // Two people may press the button.
    let each = |name: &str| match name {
        "schedule" | "workflow_call" => 0,
        "workflow_dispatch" => 2,
        _ => 1,
    };
    workflow.triggers.iter().map(|trigger| each(trigger.name)).sum::<usize>() + workflow.crons.len()
}

fn insert(set: &Set<'_>, unit: &Unit<'_>, workflow: &Workflow<'_>, jobs: &Node) -> Option<Edit> {
    let text = &set.documents.get(unit.document)?.text;
    let at = unit.place(jobs.span).span.start;
    let name = workflow.name.and_then(Node::text).unwrap_or("backup").to_ascii_lowercase();
    let words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let group = format!("  group: {}", if words.is_empty() { "backup".to_owned() } else { words.join("-") });
    let alone = text.get(crate::fix::line_start(text, at)..at)?.trim().is_empty();
    alone.then(|| lines_before(text, at, &["concurrency:", &group, "  cancel-in-progress: false"]))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn workflow(on: &str, top: &str) -> String {
        format!(
            "name: Database Backup!\non:\n{on}{top}jobs:\n  b:\n    runs-on: u\n    steps:\n      - run: pg_dump x > a\n"
        )
    }

    const BOTH: &str = "  schedule: [{cron: '1 2 * * *'}]\n  workflow_dispatch:\n";

    fn found(on: &str, top: &str) -> String {
        check(&RULE, &[(".github/workflows/b.yml", &workflow(on, top))])
    }

    #[test]
    fn a_workflow_with_two_starts_is_reported_at_its_jobs() {
        insta::assert_snapshot!(found(BOTH, ""), @r"
        .github/workflows/b.yml:5:1: note[concurrency-missing]: a run that is started while another works writes the same names and prunes its files
        help: add `concurrency: {group: database-backup, cancel-in-progress: false}`
        ");
        assert!(found("  schedule: [{cron: '1 2 * * *'}, {cron: '1 3 * * 0'}]\n", "").contains("note["));
    }

    #[test]
    fn killing_a_dump_is_a_warning() {
        let found = found(BOTH, "concurrency: {group: a, cancel-in-progress: true}\n");
        assert!(found.contains(":5:45: warning["), "{found}");
    }

    #[test]
    fn it_stays_quiet_where_runs_wait_or_cannot_meet() {
        assert_eq!(found("  schedule: [{cron: '1 2 * * *'}]\n", ""), "");
        assert_eq!(found(BOTH, "concurrency: backup\n"), "");
        assert_eq!(found(BOTH, "concurrency: {group: a, cancel-in-progress: false}\n"), "");
    }

    #[test]
    fn fixes_make_runs_wait() {
        let fixed = fix(&RULE, ".github/workflows/b.yml", &workflow(BOTH, ""));
        assert!(
            fixed.contains("concurrency:\n  group: database-backup\n  cancel-in-progress: false\njobs:"),
            "{fixed}"
        );
        let text = workflow(BOTH, "concurrency: {group: a, cancel-in-progress: true}\n");
        assert!(fix(&RULE, ".github/workflows/b.yml", &text).contains("cancel-in-progress: false}"));
    }
}
