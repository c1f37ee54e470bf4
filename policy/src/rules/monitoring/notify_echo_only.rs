use super::alarm::{is_told, printing_steps};
use crate::finding::{Place, Span};
use crate::model::{Choice, Role, Script, Set};
use crate::rule::{Findings, rule};

rule! {
    /// The alert is only printed, or is only a comment.
    ///
    /// ## What
    /// A step with `if: failure()` does nothing but `echo`; a branch of a script says
    /// `# Send alert` and sends none; a monitoring script prints its warning and ends
    /// well. `::error::` is a print as well.
    ///
    /// ## Why
    /// It looks done in review, so nobody adds the real one. What is printed lies in
    /// the log of a run that nobody opens, since nothing told them to.
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
    ///       - name: Notify on failure
    ///         if: failure()
    ///         run: echo "Backup failed!"
    /// ```
    /// or
    /// ```bash check-backup.sh
    /// if ! pg_restore --list "$1" > /dev/null; then
    ///   echo "backup is corrupt"
    ///   # Send alert notification
    ///   exit 1
    /// fi
    /// ```
    ///
    /// ## Good
    /// ```bash check-backup.sh
    /// if ! pg_restore --list "$1" > /dev/null; then
    ///   # Send alert notification
    ///   curl -fsS -d '{"text":"backup is corrupt"}' "$SLACK_WEBHOOK_URL"
    ///   exit 1
    /// fi
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message>
    /// - <https://sre.google/workbook/alerting-on-slos/>
    "notify-echo-only" in Monitoring,
    severity: Error,
    fix: No,
    check: Set(check),
}

const HELP: &str =
    "send it to where people are: `curl -fsS -d '{\"text\":\"…\"}' \"$WEBHOOK_URL\"`, a mail, an issue";

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let steps = printing_steps(set, pipeline);
        let told = !steps.is_empty() && is_told(set, pipeline);
        for step in steps.iter().filter(|_| !told) {
            findings
                .report(*step, "the alert is printed into the log of the run that failed: nobody is told")
                .help(HELP);
        }
        let scripts = pipeline.scripts.iter().filter_map(|index| set.scripts.get(*index));
        for script in scripts {
            // Once is enough for a step.
            let holds = |step: &Place| {
                step.document == script.at.document
                    && script.at.span.start <= step.span.start
                    && step.span.start < script.at.span.end
            };
            if !steps.iter().any(holds) {
                promised(set, script, findings);
            }
        }
    }
}

/// Branches whose comment promises an alert, and warnings of a monitor that end well.
fn promised(set: &Set<'_>, script: &Script, findings: &mut Findings<'_>) {
    let monitors = is_monitor(set, script);
    let mut seen: Vec<Span> = Vec::new();
    for comment in &script.comments {
        let place = script.place(*comment);
        let Some(region) = branch_of(&script.choices, *comment) else { continue };
        if !promises_alert(set.text(place)) || sends(set, script, region) {
            continue;
        }
        seen.push(region);
        findings.report(place, "the alert is a comment: nobody is told").help(HELP);
    }
    for branch in script.choices.iter().filter(|_| monitors).flat_map(|choice| &choice.branches) {
        let commands = set.commands_in(script, branch.body);
        let Some(print) = commands.iter().find(|command| command.role == Role::Print) else { continue };
        let warns = ["WARN", "ERROR", "ALERT", "CRITICAL", "FAIL"]
            .iter()
            .any(|word| print.args.iter().any(|arg| arg.text.to_ascii_uppercase().contains(word)));
        let known =
            seen.iter().any(|region| region.start <= branch.body.start && branch.body.end <= region.end);
        if warns && !known && commands.iter().all(|command| command.role == Role::Print) {
            findings
                .report(print.at, "the warning is printed and the script ends well: nobody is told")
                .help(HELP);
        }
    }
}

/// A script that watches backups, by its name or the heading that it stands under.
fn is_monitor(set: &Set<'_>, script: &Script) -> bool {
    let path = set.units.get(script.unit).and_then(|unit| unit.path.clone());
    let names = path.into_iter().chain(set.context(script.at));
    names.into_iter().any(|name| {
        let lower = name.to_ascii_lowercase();
        ["monitor", "health", "watch", "alert"].iter().any(|word| lower.contains(word))
    })
}

fn promises_alert(comment: &str) -> bool {
    let lower = comment.trim_start_matches(['#', ' ']).to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let what = ["alert", "notif", "email", "e-mail", "slack", "pager", "webhook"];
    (has(&["send", "trigger", "todo", "add your", "insert", "here"]) && has(&what))
        || lower.starts_with("notify")
        || lower.starts_with("alert")
}

/// The part of the innermost `if` that a comment stands in: up to the next branch.
fn branch_of(choices: &[Choice], comment: Span) -> Option<Span> {
    let inside = |choice: &&Choice| choice.span.start <= comment.start && comment.end <= choice.span.end;
    let choice = choices.iter().filter(inside).max_by_key(|choice| choice.span.start)?;
    let starts: Vec<usize> = choice
        .branches
        .iter()
        .map(|branch| branch.condition.map_or(branch.body.start, |condition| condition.end))
        .collect();
    // A comment right behind `else` stands before its first statement.
    let index = choice.branches.iter().rposition(|branch| match branch.condition {
        Some(condition) => condition.end <= comment.start,
        None => branch.body.start <= comment.end + 1,
    })?;
    let start = starts.get(index)?;
    let end = choice
        .branches
        .get(index + 1)
        .map_or(choice.span.end, |next| next.condition.map_or(next.body.start, |condition| condition.start));
    Some(Span::new((*start).min(comment.start), end))
}

fn sends(set: &Set<'_>, script: &Script, region: Span) -> bool {
    set.commands_in(script, region)
        .iter()
        .any(|command| matches!(command.role, Role::Notify(_)) || command.called.is_some())
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn workflow(more: &str) -> String {
        let text = format!(
            "name: backup\non:\n  schedule:\n    - cron: '1 2 * * *'\njobs:\n  b:\n    steps:\n      - run: pg_dump \"$URL\" > a.sql\n{more}"
        );
        check(&RULE, &[(".github/workflows/b.yml", &text)])
    }

    fn script(text: &str) -> String {
        check(&RULE, &[("verify-backup.sh", text)])
    }

    #[test]
    fn a_step_that_only_prints_is_reported() {
        insta::assert_snapshot!(workflow("      - if: failure()\n        run: |\n          # Send notification\n          echo \"::error::failed\"\n          exit 1\n"), @r#"
        .github/workflows/b.yml:12:11: error[notify-echo-only]: the alert is printed into the log of the run that failed: nobody is told
        help: send it to where people are: `curl -fsS -d '{"text":"…"}' "$WEBHOOK_URL"`, a mail, an issue
        "#);
    }

    #[test]
    fn comments_that_promise_an_alert_are_reported() {
        for text in [
            "if ! pg_restore -l a; then\n  echo bad\n  # Send alert (email, Slack, PagerDuty, etc.)\n  exit 1\nfi\n",
            "if pg_restore -l a; then\n  echo ok\nelse\n  # TODO: notify the team via Slack\n  exit 1\nfi\n",
            "if pg_dump x > a; then\n  echo ok\nelse\n  echo bad # send alert here\nfi\n",
        ] {
            let found = script(text);
            assert_eq!(found.matches("the alert is a comment").count(), 1, "{text}{found}");
        }
        let monitor = "SIZE=$(stat -c%s /b/a.gz)\nif [ $SIZE -lt 9 ]; then\n  echo \"WARNING: small\"\nfi\n";
        let found = check(&RULE, &[("backup_monitor.sh", monitor)]);
        assert!(found.starts_with("backup_monitor.sh:3:3: error["), "{found}");
    }

    #[test]
    fn it_stays_quiet_where_somebody_is_told() {
        for more in [
            "      - if: failure()\n        run: |\n          echo failed\n          curl -d no $SLACK_WEBHOOK\n",
            "      - if: failure()\n        run: echo failed\n      - if: failure()\n        uses: 8398a7/action-slack@v3\n",
            "      - if: always()\n        run: echo \"size $(du -h a.sql)\"\n",
            "      - if: failure()\n        run: docker compose logs\n",
            "      - run: echo done\n",
        ] {
            assert_eq!(workflow(more), "", "{more}");
        }
        for text in [
            "if ! pg_restore -l a; then\n  # Send alert\n  curl -d no $SLACK_WEBHOOK\nfi\n",
            "# Send alert when it fails\npg_restore -l a || exit 1\n",
            "if ! pg_restore -l a; then\n  # the archive is broken\n  exit 1\nfi\n",
            "if ! pg_restore -l a; then\n  # notify\n  ./notify.sh\nfi\n",
            "if [ $SIZE -lt 9 ]; then\n  echo \"WARNING: small\"\nfi\npg_restore -l a\n",
        ] {
            assert_eq!(script(text), "", "{text}");
        }
    }
}
