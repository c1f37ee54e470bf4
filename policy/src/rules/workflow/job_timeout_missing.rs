use crate::finding::{Edit, Fix};
use crate::fix::lines_before;
use crate::model::{Set, Unit};
use crate::parse::workflow::Job;
use crate::rule::{Findings, rule};

rule! {
    /// A job may hang for six hours before anybody hears of it.
    ///
    /// ## What
    /// A job of a workflow that makes backups has no `timeout-minutes`, and not all of
    /// its scripts have one of their own. Calls of reusable workflows cannot have one.
    /// Reported once a workflow.
    ///
    /// ## Why
    /// A dump that waits for a lock or for a dead connection does nothing until GitHub
    /// ends the job after 360 minutes. Until then it counts as running: nobody is told,
    /// minutes are paid for, and the next run waits or overlaps.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
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
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     timeout-minutes: 60
    ///     steps:
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idtimeout-minutes>
    "job-timeout-missing" in Workflow,
    severity: Note,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (_, unit, workflow) in set.workflows() {
        let open: Vec<Job<'_>> = workflow.jobs().filter(may_hang).collect();
        let Some((first, rest)) = open.split_first() else { continue };
        let more = match rest.len() {
            0 => String::new(),
            count => format!(" (the same holds for {count} more)"),
        };
        let message =
            format!("if the dump hangs, nobody hears of it for six hours, until GitHub ends the job{more}");
        let report = findings
            .report(unit.place(first.key.span), message)
            .help("add `timeout-minutes:` with twice the time that a run takes");
        let edits: Option<Vec<Edit>> = open.iter().map(|job| insert(set, unit, job)).collect();
        if let Some(edits) = edits {
            // An hour may be too short for a large database.
            report.fix(Fix::unsafe_("end it after an hour", edits));
        }
    }
}

fn may_hang(job: &Job<'_>) -> bool {
    let mut runs = job.steps().filter(|step| step.run.is_some()).peekable();
    let each = runs.peek().is_some() && runs.all(|step| step.timeout.is_some());
    job.timeout.is_none() && job.uses.is_none() && job.steps().len() > 0 && !each
}

/// Before the job's first key.
fn insert(set: &Set<'_>, unit: &Unit<'_>, job: &Job<'_>) -> Option<Edit> {
    let text = &set.documents.get(unit.document)?.text;
    let at = unit.place(job.node.entries().first()?.key.span).span.start;
    let alone = text.get(crate::fix::line_start(text, at)..at)?.trim().is_empty();
    alone.then(|| lines_before(text, at, &["timeout-minutes: 60"]))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn found(jobs: &str) -> String {
        check(&RULE, &[(".github/workflows/b.yml", &format!("name: backup\non: push\njobs:\n{jobs}"))])
    }

    const JOB: &str = "  b:\n    runs-on: u\n    steps:\n      - run: pg_dump x > a\n";

    #[test]
    fn it_is_reported_once_a_workflow() {
        insta::assert_snapshot!(found(&format!("{JOB}  c:\n    runs-on: u\n    steps:\n      - run: ls\n")), @r"
        .github/workflows/b.yml:4:3: note[job-timeout-missing]: if the dump hangs, nobody hears of it for six hours, until GitHub ends the job (the same holds for 1 more)
        help: add `timeout-minutes:` with twice the time that a run takes
        ");
    }

    #[test]
    fn it_stays_quiet_where_every_script_ends() {
        for jobs in [
            "  b:\n    runs-on: u\n    timeout-minutes: 30\n    steps:\n      - run: pg_dump x > a\n",
            "  b:\n    runs-on: u\n    steps:\n      - uses: actions/checkout@v4\n      - run: pg_dump x > a\n        timeout-minutes: 30\n",
            "  b:\n    uses: ./.github/workflows/backup-one.yml\n",
        ] {
            assert_eq!(found(jobs), "", "{jobs}");
        }
    }

    #[test]
    fn the_fix_gives_every_job_its_end() {
        let text = format!(
            "name: backup\non: push\njobs:\n{JOB}  c:\n    runs-on: u\n    steps:\n      - run: ls\n"
        );
        let fixed = fix(&RULE, ".github/workflows/b.yml", &text);
        assert_eq!(fixed.matches("\n    timeout-minutes: 60\n    runs-on: u\n").count(), 2, "{fixed}");
    }
}
