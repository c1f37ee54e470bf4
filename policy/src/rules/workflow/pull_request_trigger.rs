use super::runs::Event;
use crate::finding::{Edit, Fix, Safety, Span};
use crate::fix::line_start;
use crate::model::{Host, Set, Unit};
use crate::parse::workflow::{Job, Trigger, Workflow};
use crate::rule::{Findings, rule};

rule! {
    /// A pull request starts the job that dumps production.
    ///
    /// ## What
    /// A workflow with a dump that is given secrets also runs on `pull_request` or
    /// `pull_request_target`, and no condition keeps the job from running then.
    ///
    /// ## Why
    /// A pull request brings its own workflow and scripts: whoever may push a branch can
    /// make them print the database's password or send the dump elsewhere. With
    /// `pull_request_target` that is everybody who can open one.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   pull_request:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    ///         env:
    ///           DATABASE_URL: ${{ secrets.DATABASE_URL }}
    /// ```
    ///
    /// ## Good
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
    ///         env:
    ///           DATABASE_URL: ${{ secrets.DATABASE_URL }}
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#pull_request_target>
    /// - <https://docs.github.com/en/actions/reference/security/secure-use>
    "pull-request-trigger" in Workflow,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (pipeline, unit, workflow) in set.workflows() {
        for trigger in &workflow.triggers {
            if !matches!(trigger.name, "pull_request" | "pull_request_target") {
                continue;
            }
            let event = Event { name: trigger.name, cron: None };
            let dump = pipeline.dumps(set).find(|(_, command, dump)| {
                let step = set
                    .script_of(command)
                    .filter(|script| set.units.get(script.unit).is_some_and(|own| std::ptr::eq(own, unit)));
                let Some(Host::Step { job, step }) = step.map(|script| script.host.clone()) else {
                    return false;
                };
                let Some(job) = workflow.job_by_index(job) else { return false };
                let Some(step) = job.step_by_index(step) else { return false };
                !dump.target.is_local()
                    && has_secrets(&workflow, &job)
                    && event.may_run_step(&workflow, &job, &step)
            });
            let Some((_, command, _)) = dump else { continue };
            let who =
                if trigger.name == "pull_request" { "may push a branch" } else { "can open a pull request" };
            let report = findings
                .report(
                    unit.place(trigger.node.span),
                    format!("whoever {who} can make this job print its secrets or send the dump elsewhere"),
                )
                .help("start it by a schedule and by hand only")
                .related(command.name_at, "production is dumped here");
            if let Some(edit) = remove(set, unit, &workflow, trigger) {
                // Other jobs may want the event.
                let safety = if workflow.jobs().len() == 1 { Safety::Safe } else { Safety::Unsafe };
                report.fix(Fix { title: format!("leave out {}", trigger.name), safety, edits: vec![edit] });
            }
        }
    }
}

fn has_secrets(workflow: &Workflow<'_>, job: &Job<'_>) -> bool {
    let mut found = job.secrets.is_some()
        || workflow.environment.iter().any(|it| it.value().is_some_and(|value| value.contains("secrets.")));
    job.node.scalars(&mut |_, scalar| found |= scalar.text.contains("secrets."));
    found
}

/// Takes the event out of `on:`, in a list on one line or in a mapping over several.
fn remove(set: &Set<'_>, unit: &Unit<'_>, workflow: &Workflow<'_>, trigger: &Trigger<'_>) -> Option<Edit> {
    let text = &set.documents.get(unit.document)?.text;
    let at = unit.place(trigger.node.span).span;
    let index = workflow.triggers.iter().position(|other| std::ptr::eq(other.node, trigger.node))?;
    let next = workflow.triggers.get(index + 1).map(|other| unit.place(other.node.span).span.start);
    if trigger.settings.is_none() {
        let list = text.get(line_start(text, at.start)..at.start)?.contains('[');
        let end = next.filter(|_| list)?;
        return Some(Edit::replace(Span::new(at.start, end), ""));
    }
    let start = line_start(text, at.start);
    let alone = text.get(start..at.start)?.trim().is_empty();
    let end = line_start(text, next.filter(|_| alone)?);
    Some(Edit::replace(Span::new(start, end), ""))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn workflow(on: &str, job: &str) -> String {
        format!(
            "name: backup\non: {on}\njobs:\n  b:\n    runs-on: u\n{job}    env: {{URL: \"${{{{ secrets.URL }}}}\"}}\n    steps:\n      - run: pg_dump \"$URL\" > a\n"
        )
    }

    fn found(on: &str, job: &str) -> String {
        check(&RULE, &[(".github/workflows/b.yml", &workflow(on, job))])
    }

    #[test]
    fn a_dump_on_pull_requests_is_reported_at_the_event() {
        insta::assert_snapshot!(found("[pull_request, workflow_dispatch]", ""), @r"
        .github/workflows/b.yml:2:6: error[pull-request-trigger]: whoever may push a branch can make this job print its secrets or send the dump elsewhere
        help: start it by a schedule and by hand only
          .github/workflows/b.yml:8:14: production is dumped here
        ");
        assert!(found("pull_request_target", "").contains("can open a pull request"));
        assert!(found("[pull_request]", "    if: github.ref != 'x'\n").contains("error["));
    }

    #[test]
    fn it_stays_quiet_where_the_job_does_not_run_then() {
        for (on, job) in [
            ("[push, workflow_dispatch]", ""),
            ("[pull_request, workflow_dispatch]", "    if: github.event_name == 'schedule'\n"),
            ("[pull_request, workflow_dispatch]", "    if: ${{ github.event_name != 'pull_request' }}\n"),
        ] {
            assert_eq!(found(on, job), "", "{on} {job}");
        }
        let local = "name: backup test\non: [pull_request]\njobs:\n  b:\n    env: {T: \"${{ secrets.T }}\"}\n    steps:\n      - run: pg_dump postgres://postgres:postgres@localhost/x > a\n";
        assert_eq!(check(&RULE, &[(".github/workflows/b.yml", local)]), "", "a database of its own");
        let none =
            "name: backup\non: [pull_request]\njobs:\n  b:\n    steps:\n      - run: pg_dump shop > a\n";
        assert_eq!(check(&RULE, &[(".github/workflows/b.yml", none)]), "", "no secrets");
    }

    #[test]
    fn the_fix_takes_the_event_out() {
        let fixed = fix(&RULE, ".github/workflows/b.yml", &workflow("[pull_request, workflow_dispatch]", ""));
        assert!(fixed.contains("on: [workflow_dispatch]\n"), "{fixed}");
        let on = "\n  pull_request:\n    branches: [main]\n  schedule:\n    - cron: '1 2 * * *'";
        let fixed = fix(&RULE, ".github/workflows/b.yml", &workflow(on, ""));
        assert!(fixed.contains("on: \n  schedule:\n    - cron"), "{fixed}");
    }
}
