use super::declare::declare;
use super::keywords::{TOP, TRIGGERS, known_trigger};
use crate::document::Kind;
use crate::finding::{Edit, Fix, Place, Span};
use crate::model::{Set, Unit};
use crate::parse::expression::{condition, within};
use crate::parse::workflow::{Job, Step, Workflow};
use crate::parse::yaml::{self, Entry, Node};
use crate::rule::{Findings, rule};
use crate::schedule::Schedule;

rule! {
    /// GitHub refuses the workflow, or never evaluates a part of it.
    ///
    /// ## What
    /// `secrets` in an `if:`; `env` in the `if:` of a job; a trigger beside `on:`
    /// instead of under it; an empty or impossible cron; a job without `runs-on`; a job
    /// that is needed and not there; `$(…)` in `with:` or `env:`, where no shell reads
    /// it. (A step's own `env:` in its own `if:` works.)
    ///
    /// ## Why
    /// A workflow that GitHub cannot read does not run at all, on no schedule, and the
    /// only sign is a line on a page that nobody opens. A text that is never evaluated
    /// becomes the name of a file that does not exist.
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
    ///       - if: failure() && secrets.HOOK != ''
    ///         run: curl -fsS -d failed "$HOOK"
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
    ///     steps:
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    ///       - if: failure() && env.HOOK != ''
    ///         env:
    ///           HOOK: ${{ secrets.HOOK }}
    ///         run: curl -fsS -d failed "$HOOK"
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#context-availability>
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>
    "workflow-invalid" in Workflow,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (_, unit, workflow) in set.workflows() {
        let check = Check { set, unit, workflow: &workflow };
        check.top(findings);
        for job in workflow.jobs() {
            check.job(&job, findings);
            for step in job.steps() {
                check.step(&step, findings);
            }
        }
    }
    unreadable(set, findings);
}

/// A file among the workflows that is no YAML, and speaks of backups.
fn unreadable(set: &Set<'_>, findings: &mut Findings<'_>) {
    for unit in set.units.iter().filter(|unit| unit.kind == Kind::Workflow && unit.tree.is_none()) {
        let lower = unit.text().to_ascii_lowercase();
        if unit.embedded || !(lower.contains("pg_dump") || lower.contains("backup")) {
            continue;
        }
        if let Err(error) = yaml::parse(unit.text()) {
            let message = format!("GitHub cannot read this file, so it never runs: {}", error.message);
            findings.report(unit.place(error.span), message).help("mend the YAML at this place");
        }
    }
}

fn refused(findings: &mut Findings<'_>, at: Place, why: &str, help: &str) {
    findings
        .report(at, format!("GitHub refuses the whole file, so nothing here ever runs: {why}"))
        .help(help);
}

struct Check<'c, 'd> {
    set: &'c Set<'d>,
    unit: &'c Unit<'d>,
    workflow: &'c Workflow<'c>,
}

impl Check<'_, '_> {
    fn place(&self, node: &Node) -> Place {
        self.unit.place(node.span)
    }

    fn top(&self, findings: &mut Findings<'_>) {
        for entry in self.workflow.root.entries() {
            let Some(key) = entry.key.text().filter(|key| !TOP.contains(key)) else { continue };
            let at = self.place(&entry.key);
            if TRIGGERS.contains(&key) {
                refused(findings, at, &format!("'{key}' stands beside `on:`"), "move it under `on:`");
            } else if key != "true" && !key.starts_with("x-") && !self.unit.embedded {
                let why = format!("there is no '{key}' at the top of a workflow");
                refused(findings, at, &why, "remove it, or put it where it belongs");
            }
        }
        // A block in a document may show a part of a file.
        if self.workflow.on.is_none() && !self.unit.embedded {
            let at = self.unit.place(self.workflow.root.span);
            let first = Place { span: Span::new(at.span.start, at.span.start), ..at };
            refused(findings, first, "nothing says when it runs", "add `on:` with a schedule");
        }
        for trigger in self.workflow.triggers.iter().filter(|it| !known_trigger(it.name)) {
            let why = format!("there is no event '{}'", trigger.name);
            refused(findings, self.place(trigger.node), &why, "name an event, such as `schedule`");
        }
        for cron in &self.workflow.crons {
            let text = cron.text().unwrap_or_default();
            if text.contains(['<', '{']) && self.unit.embedded {
                continue;
            }
            match Schedule::parse(text) {
                Err(_) if text.trim().is_empty() => {
                    refused(findings, self.place(cron), "the cron is empty", "write five fields");
                }
                Err(why) => refused(
                    findings,
                    self.place(cron),
                    &format!("its cron cannot be read: {why}"),
                    "write five fields, for example `17 2 * * *`",
                ),
                Ok(_) => {}
            }
        }
        let schedule = self.workflow.trigger("schedule");
        let empty = schedule.filter(|_| self.workflow.crons.is_empty());
        if let Some(schedule) = empty {
            let why = "its schedule names no cron";
            refused(findings, self.place(schedule.node), why, "add `- cron: \"17 2 * * *\"` under it");
        }
    }

    fn job(&self, job: &Job<'_>, findings: &mut Findings<'_>) {
        if let Some(node) = job.condition {
            const KNOWN: [&str; 4] = ["github", "needs", "vars", "inputs"];
            let Some(text) = node.text() else { return };
            for (range, name) in condition(text).references {
                let context = name.split('.').next().unwrap_or_default();
                let strange = ["secrets", "env", "steps", "matrix", "runner", "job", "strategy"];
                if !KNOWN.contains(&context) && strange.contains(&context) {
                    let at = self.unit.place(node.locate(self.unit.text(), range));
                    let why = format!("the `if:` of a job cannot read '{context}'");
                    refused(findings, at, &why, "ask in a step, whose `if:` can read `env`");
                }
            }
        }
        for need in &job.needs {
            if let Some(name) = need.text().filter(|name| self.workflow.job(name).is_none())
                && !name.contains("${{")
                && !self.unit.embedded
            {
                let why = format!("it needs the job '{name}', which is not there");
                refused(findings, self.place(need), &why, "name a job of this file");
            }
        }
        if job.runs_on.is_none() && job.uses.is_none() && !self.unit.embedded {
            let why = format!("the job '{}' says no `runs-on:`", job.id);
            refused(findings, self.place(job.key), &why, "add `runs-on: ubuntu-24.04`");
        }
        self.inert(&job.environment.iter().map(|it| it.entry).collect::<Vec<_>>(), true, findings);
        if job.uses.is_some() {
            self.inert(&job.with.iter().collect::<Vec<_>>(), false, findings);
        }
    }

    fn step(&self, step: &Step<'_>, findings: &mut Findings<'_>) {
        if let Some(node) = step.condition
            && let Some(text) = node.text()
        {
            for (range, name) in condition(text).references {
                if within(&name, "secrets") {
                    self.secret_in_if(step, node, range, &name, findings);
                }
            }
        }
        let at = || self.place(step.node);
        let start = || Place { span: Span::new(at().span.start, at().span.start), ..at() };
        match (step.uses, step.run) {
            (Some(_), Some(run)) => {
                let why = "a step has both `uses:` and `run:`";
                refused(findings, self.place(run), why, "make two steps of it");
            }
            (None, None) if !self.unit.embedded && !step.node.entries().is_empty() => {
                refused(findings, start(), "a step has neither `uses:` nor `run:`", "add one");
            }
            _ => {}
        }
        self.inert(&step.environment.iter().map(|it| it.entry).collect::<Vec<_>>(), true, findings);
        if step.uses.is_some() {
            self.inert(&step.with.iter().collect::<Vec<_>>(), false, findings);
        }
    }

    /// With the step's own `env:` it can be asked.
    fn secret_in_if(
        &self,
        step: &Step<'_>,
        node: &Node,
        range: std::ops::Range<usize>,
        name: &str,
        findings: &mut Findings<'_>,
    ) {
        let span = node.locate(self.unit.text(), range.clone());
        let at = self.unit.place(span);
        let variable = name.trim_start_matches("secrets.").to_ascii_uppercase();
        let report = findings
            .report(
                at,
                "GitHub refuses the whole file, so no backup ever runs: an `if:` cannot read 'secrets'",
            )
            .help(format!(
                "give the step `env: {variable}: ${{{{ secrets.{variable} }}}}` and ask `env.{variable}`"
            ));
        // Only where the node shows the reference itself.
        if span.end - span.start != range.len() || variable.is_empty() {
            return;
        }
        let value = format!("secrets.{variable}");
        let known = step.environment.iter().find(|it| {
            it.value()
                .is_some_and(|text| text.replace(' ', "").eq_ignore_ascii_case(&format!("${{{{{value}}}}}")))
        });
        let mut edits =
            vec![Edit::replace(at.span, format!("env.{}", known.map_or(variable.as_str(), |it| it.name)))];
        if known.is_none() {
            let Some(edit) = declare(self.set, self.unit, step, &variable, &value) else { return };
            edits.push(edit);
        }
        report.fix(Fix::safe(format!("ask for the step's variable {variable}"), edits));
    }

    /// `$(date)` where no shell reads it.
    fn inert(&self, entries: &[&Entry], environment: bool, findings: &mut Findings<'_>) {
        const SCRIPTS: [&str; 12] = [
            "script",
            "run",
            "command",
            "cmd",
            "args",
            "entrypoint",
            "shell",
            "options",
            "code",
            "sql",
            "message",
            "query",
        ];
        for entry in entries {
            let (Some(key), Some(text)) = (entry.key.text(), entry.value.text()) else { continue };
            let lower = key.to_ascii_lowercase();
            let Some(start) = text.find("$(").filter(|_| !SCRIPTS.iter().any(|word| lower.contains(word)))
            else {
                continue;
            };
            let Some(length) = text.get(start..).and_then(|rest| rest.find(')')) else { continue };
            if text.lines().count() > 1 && !matches!(key, "path" | "files") {
                continue;
            }
            let command = text.get(start..=start + length).unwrap_or_default();
            let at = self.unit.place(entry.value.locate(self.unit.text(), start..start + length + 1));
            let what = if environment { "the variable" } else { "the input" };
            findings
                .report(at, format!("no shell reads this: {what} '{key}' is the text '{command}' itself"))
                .help(
                    "compute it in a step, write it to $GITHUB_OUTPUT, and name `steps.<id>.outputs.<name>`",
                );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    const HEAD: &str = "name: backup\non:\n  schedule:\n    - cron: '1 2 * * *'\n";

    fn found(text: &str) -> String {
        check(&RULE, &[(".github/workflows/b.yml", text)])
    }

    fn job(more: &str) -> String {
        format!(
            "{HEAD}jobs:\n  b:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: pg_dump $URL > a.sql\n{more}"
        )
    }

    #[test]
    fn a_secret_in_an_if_is_reported_where_it_stands() {
        insta::assert_snapshot!(found(&job("      - name: tell\n        if: failure() && secrets.HOOK != ''\n        run: ls\n")), @r"
        .github/workflows/b.yml:11:26: error[workflow-invalid]: GitHub refuses the whole file, so no backup ever runs: an `if:` cannot read 'secrets'
        help: give the step `env: HOOK: ${{ secrets.HOOK }}` and ask `env.HOOK`
        ");
    }

    #[test]
    fn what_github_refuses() {
        let run = "jobs:\n  b:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: pg_dump $URL > a.sql\n";
        for (text, wanted) in [
            (format!("name: backup\non: push\nschedule:\n  - cron: '1 2 * * *'\n{run}"), "beside `on:`"),
            (format!("name: backup\non:\n  schedule:\n    - cron: ''\n{run}"), "cron is empty"),
            (format!("name: backup\non:\n  schedule:\n    - cron: '0 25 * * *'\n{run}"), "'25' is no hour"),
            (format!("name: backup\non: [cron]\n{run}"), "no event 'cron'"),
            (format!("name: backup\n{run}"), "when it runs"),
            (format!("{HEAD}jobs:\n  b:\n    steps:\n      - run: pg_dump $URL > a\n"), "no `runs-on:`"),
            (
                format!(
                    "{HEAD}jobs:\n  b:\n    needs: [x]\n    runs-on: u\n    steps:\n      - run: pg_dump $URL > a\n"
                ),
                "needs the job 'x'",
            ),
            (
                job("  c:\n    if: env.X != ''\n    runs-on: u\n    steps:\n      - run: ls\n"),
                "cannot read 'env'",
            ),
            (
                job("  c:\n    if: ${{ secrets.X != '' }}\n    runs-on: u\n    steps:\n      - run: ls\n"),
                "cannot read 'secrets'",
            ),
            (job("      - name: nothing\n"), "neither"),
            ("name: backup\non: [\njobs: pg_dump\n".to_owned(), "cannot read this file"),
        ] {
            let found = found(&text);
            assert!(found.contains(wanted) && found.matches("error[").count() == 1, "{text}\n{found}");
        }
    }

    #[test]
    fn what_no_shell_evaluates() {
        let with = "      - uses: actions/upload-artifact@v4\n        with:\n          path: backup-$(date +%F).sql\n";
        insta::assert_snapshot!(found(&job(with)), @r"
        .github/workflows/b.yml:12:24: error[workflow-invalid]: no shell reads this: the input 'path' is the text '$(date +%F)' itself
        help: compute it in a step, write it to $GITHUB_OUTPUT, and name `steps.<id>.outputs.<name>`
        ");
        assert!(found(&job("      - env: {D: $(date +%F)}\n        run: ls\n")).contains("the variable 'D'"));
    }

    #[test]
    fn it_stays_quiet_on_what_works() {
        for more in [
            "      - if: env.HOOK != ''\n        env: {HOOK: \"${{ secrets.HOOK }}\"}\n        run: ls\n",
            "      - if: failure() && vars.HOOK != ''\n        run: ls\n",
            "      - if: steps.a.outcome == 'success' && matrix.x\n        run: ls\n",
            "      - uses: appleboy/ssh-action@v1\n        with: {script: \"ls $(date +%F)\"}\n",
            "  c:\n    if: needs.b.result == 'failure' && github.ref == 'x'\n    needs: b\n    runs-on: u\n    steps:\n      - run: ls\n",
            "  c:\n    uses: ./.github/workflows/x.yml\n    secrets: inherit\n",
            "      - run: echo \"$(date)\" # if: secrets.X\n",
        ] {
            assert_eq!(found(&job(more)), "", "{more}");
        }
        let part = "# Doc\n```yaml\njobs:\n  backup:\n    steps:\n      - name: Dump\n        run: pg_dump shop > a.sql\n```\n";
        assert_eq!(check(&RULE, &[("a.md", part)]), "", "a part of a workflow");
    }

    #[test]
    fn the_fix_uses_the_variable_that_is_there() {
        let text = job(
            "      - if: secrets.HOOK != ''\n        env:\n          H: ${{ secrets.HOOK }}\n        run: ls\n",
        );
        assert!(
            fix(&RULE, ".github/workflows/b.yml", &text)
                .contains("- if: env.H != ''\n        env:\n          H:")
        );
    }
}
