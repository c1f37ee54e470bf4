use crate::finding::Place;
use crate::model::{Set, Unit};
use crate::parse::expression::condition;
use crate::parse::workflow::{Job, Workflow};
use crate::parse::yaml::Node;
use crate::rule::{Findings, rule};
use crate::rules::workflow::Event;
use crate::schedule::Schedule;

rule! {
    /// A job waits for a schedule that never comes to it.
    ///
    /// ## What
    /// A condition compares `github.event.schedule` with a cron that is not listed under
    /// `on:`; or a job that belongs to one schedule needs a job that this schedule skips.
    ///
    /// ## Why
    /// GitHub compares the texts letter by letter, and a job whose need was skipped is
    /// skipped as well, in grey and without an error. The weekly backup or the restore
    /// test looks configured and has never run.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    ///     - cron: "17 4 * * 0"
    /// jobs:
    ///   backup:
    ///     if: github.event.schedule == '17 3 * * *'
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    ///   restore-test:
    ///     if: github.event.schedule == '17 4 * * 0'
    ///     needs: backup
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: ./restore-test.sh
    /// ```
    ///
    /// ## Good
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    ///     - cron: "17 4 * * 0"
    /// jobs:
    ///   backup:
    ///     if: github.event.schedule == '17 3 * * *'
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    ///   restore-test:
    ///     if: github.event.schedule == '17 4 * * 0'
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: ./restore-test.sh
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule>
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idneeds>
    "unreachable-schedule-branch" in Schedule,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (_, unit, workflow) in set.workflows() {
        let crons: Vec<&str> = workflow.crons.iter().filter_map(|cron| cron.text()).collect();
        for job in workflow.jobs() {
            unlisted(unit, job.condition, &crons, findings);
            for step in job.steps() {
                unlisted(unit, step.condition, &crons, findings);
            }
            skipped(unit, &workflow, &job, &crons, findings);
        }
    }
}

fn asks_for_schedule(text: &str) -> bool {
    condition(text).references.iter().any(|(_, name)| name == "github.event.schedule")
}

/// A cron in a condition that `on:` does not list.
fn unlisted(unit: &Unit<'_>, node: Option<&Node>, crons: &[&str], findings: &mut Findings<'_>) {
    let Some((node, text)) = node.and_then(|node| Some((node, node.text()?))) else { return };
    if !asks_for_schedule(text) {
        return;
    }
    for (range, literal) in condition(text).literals {
        if Schedule::parse(&literal).is_err() || crons.contains(&literal.as_str()) {
            continue;
        }
        let at: Place = unit.place(node.locate(unit.text(), range));
        let near = crons.iter().find(|cron| {
            cron.split_whitespace().eq(literal.split_whitespace()) || cron.trim() == literal.trim()
        });
        let help = match near {
            Some(cron) => format!("write it letter by letter as under `on:`: '{cron}'"),
            None => "list it under `on:`, or compare with one that is listed".to_owned(),
        };
        findings.report(at, format!("no schedule '{literal}' is listed: this is never true")).help(help);
    }
}

/// A job whose own schedule skips what it needs.
fn skipped(
    unit: &Unit<'_>,
    workflow: &Workflow<'_>,
    job: &Job<'_>,
    crons: &[&str],
    findings: &mut Findings<'_>,
) {
    if !job.condition.and_then(Node::text).is_some_and(asks_for_schedule) {
        return;
    }
    let mut hindered = None;
    for cron in crons {
        let event = Event { name: "schedule", cron: Some(cron) };
        if !event.allows(job.condition) {
            continue;
        }
        match event.skipped_need(workflow, job) {
            Some(need) => hindered = Some((need, *cron)),
            // One of its schedules brings it to run.
            None => return,
        }
    }
    let Some((need, cron)) = hindered else { return };
    let name = need.text().unwrap_or_default();
    findings
        .report(
            unit.place(need.span),
            format!("the schedule '{cron}' skips '{name}', which this job needs: it is skipped as well, every time"),
        )
        .help("leave out `needs:`, or add `always() &&` to the condition on purpose")
        .related(unit.place(job.key.span), "this job never runs by itself");
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(jobs: &str) -> String {
        let text = format!(
            "name: backup\non:\n  schedule:\n    - cron: '0 3 * * *'\n    - cron: '0 4 * * 0'\n  workflow_dispatch:\njobs:\n  b:\n    if: github.event.schedule == '0 3 * * *' || github.event.inputs.x\n    steps:\n      - run: pg_dump x > a\n{jobs}"
        );
        check(&RULE, &[(".github/workflows/b.yml", &text)])
    }

    fn job(keys: &str) -> String {
        format!("  t:\n{keys}    steps:\n      - run: ls\n")
    }

    #[test]
    fn a_job_that_needs_what_its_schedule_skips() {
        insta::assert_snapshot!(found(&job("    if: github.event.schedule == '0 4 * * 0'\n    needs: [b]\n")), @r"
        .github/workflows/b.yml:14:13: error[unreachable-schedule-branch]: the schedule '0 4 * * 0' skips 'b', which this job needs: it is skipped as well, every time
        help: leave out `needs:`, or add `always() &&` to the condition on purpose
          .github/workflows/b.yml:12:3: this job never runs by itself
        ");
        let by_hand =
            job("    if: github.event.schedule == '0 4 * * 0' || inputs.y == 'true'\n    needs: b\n");
        assert!(found(&by_hand).contains("skips 'b'"));
    }

    #[test]
    fn a_schedule_that_is_not_listed() {
        assert!(
            found(&job("    if: github.event.schedule == '0 5 * * 1'\n")).contains("no schedule '0 5 * * 1'")
        );
        assert!(found(&job("    if: github.event.schedule == '0  4 * * 0'\n")).contains("letter by letter"));
        let step = "      - if: ${{ github.event.schedule == '0 4 * * 7' }}\n        run: ls\n";
        assert!(found(step).contains("b.yml:12:42: error["));
    }

    #[test]
    fn it_stays_quiet_where_something_brings_it_to_run() {
        for keys in [
            "    if: github.event.schedule == '0 4 * * 0'\n",
            "    if: always() && github.event.schedule == '0 4 * * 0'\n    needs: b\n",
            "    if: github.event.schedule == '0 3 * * *'\n    needs: b\n",
            "    if: github.event.schedule != '0 4 * * 0'\n    needs: b\n",
            "    if: github.event_name == 'workflow_dispatch'\n    needs: b\n",
            "    needs: b\n",
        ] {
            assert_eq!(found(&job(keys)), "", "{keys}");
        }
    }
}
