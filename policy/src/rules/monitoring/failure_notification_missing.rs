use super::alarm::{is_told, printing_steps};
use crate::document::Kind;
use crate::finding::{Place, Severity};
use crate::model::{Command, Host, Pipeline, Set};
use crate::parse::workflow::job_at;
use crate::rule::{Findings, rule};

rule! {
    /// Nobody is told when a backup fails.
    ///
    /// ## What
    /// A pipeline that makes backups has no step that runs on failure and tells
    /// somebody: no `if: failure()` with a webhook, no `trap`, no `|| alert`, no mail,
    /// no ping that is missed when it does not come.
    ///
    /// ## Why
    /// A backup that fails for a month is found on the day of the restore. GitHub's own
    /// mail goes to whoever last changed the schedule, who may have left; cron's goes to
    /// a mailbox of the host that nobody reads.
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
    ///       - run: |
    ///           pg_dump -Fc -f shop.dump "$DATABASE_URL"
    ///           aws s3 cp shop.dump s3://shop-backups/daily/
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
    ///       - run: |
    ///           pg_dump -Fc -f shop.dump "$DATABASE_URL"
    ///           aws s3 cp shop.dump s3://shop-backups/daily/
    ///       - if: failure()
    ///         run: curl -fsS -d '{"text":"backup failed"}' "$SLACK_WEBHOOK_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/expressions#status-check-functions>
    /// - <https://docs.github.com/en/actions/concepts/workflows-and-actions/notifications-for-workflow-runs>
    "failure-notification-missing" in Monitoring,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let Some((_, dump, _)) = pipeline.scheduled_backup(set) else { continue };
        if is_told(set, pipeline)
            || pipeline.may_hide(&["notif", "alert", "mail", "slack"])
            // An alert that is only printed is the other rule's.
            || !printing_steps(set, pipeline).is_empty()
        {
            continue;
        }
        let (at, help) = match job_of(set, dump) {
            Some(job) => (
                job,
                "add a step with `if: failure()` that calls a webhook: GitHub's mail goes to one person only",
            ),
            None => (dump.name_at, "call a webhook from `trap … ERR`, or from `|| alert` behind the script"),
        };
        let report = findings.report(at, "when this fails, nobody is told").help(help);
        if pipeline.helper || is_documented(set, pipeline) {
            report.severity(Severity::Note);
        }
    }
}

/// The key of the job that a command is a part of.
fn job_of(set: &Set<'_>, command: &Command) -> Option<Place> {
    let script = set.script_of(command)?;
    let Host::Step { job, .. } = script.host else { return None };
    let unit = set.units.get(script.unit)?;
    Some(unit.place(job_at(unit.tree.as_ref()?, job)?.key.span))
}

/// A document that says in prose who is told.
fn is_documented(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    let Some(unit) = set.units.get(pipeline.root).filter(|unit| unit.kind == Kind::Markdown) else {
        return false;
    };
    set.passages.iter().any(|passage| {
        passage.at.document == unit.document
            && passage.says(&["alert", "notif"])
            && passage.says(&["slack", "pagerduty", "opsgenie", "email", "e-mail", "uptime", "sns"])
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn workflow(more: &str) -> String {
        format!(
            "name: backup\non:\n  schedule:\n    - cron: '1 2 * * *'\njobs:\n  b:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: pg_dump \"$URL\" > a.sql && aws s3 cp a.sql s3://b/\n{more}"
        )
    }

    fn found(more: &str) -> String {
        check(&RULE, &[(".github/workflows/b.yml", &workflow(more))])
    }

    fn script(text: &str) -> String {
        check(&RULE, &[("b.sh", &format!("set -e\npg_dump shop > a.sql\naws s3 cp a.sql s3://b/\n{text}"))])
    }

    #[test]
    fn it_is_reported_once_at_the_job() {
        insta::assert_snapshot!(found(""), @r"
        .github/workflows/b.yml:6:3: warning[failure-notification-missing]: when this fails, nobody is told
        help: add a step with `if: failure()` that calls a webhook: GitHub's mail goes to one person only
        ");
    }

    #[test]
    fn what_only_tells_of_success_does_not_count() {
        for more in [
            "      - run: curl -d done $SLACK_WEBHOOK\n",
            "      - if: success()\n        run: curl -d done $SLACK_WEBHOOK\n",
            "      - if: always()\n        uses: actions/upload-artifact@v4\n        with: {path: log}\n",
            "      - if: always()\n        run: rm -f a.sql\n",
        ] {
            assert!(found(more).contains("nobody is told"), "{more}");
        }
        assert!(script("curl -d done $SLACK_WEBHOOK\n").starts_with("b.sh:2:1: warning["));
        assert!(script("echo done\n").contains("nobody is told"));
    }

    #[test]
    fn it_stays_quiet_where_somebody_hears_of_it() {
        for more in [
            "      - if: failure()\n        run: curl -d no $SLACK_WEBHOOK\n",
            "      - if: ${{ always() && job.status != 'success' }}\n        run: gh issue create -t x -b y\n",
            "      - if: failure()\n        uses: actions/github-script@v7\n",
            "      - if: failure()\n        uses: 8398a7/action-slack@v3\n",
            "      - run: curl -fsS https://hc-ping.com/uuid\n",
            "      - if: failure()\n        run: ./scripts/notify.sh\n",
            "  tell:\n    needs: b\n    if: failure()\n    runs-on: ubuntu-24.04\n    steps:\n      - run: curl $WEBHOOK_URL\n",
            "      - if: failure()\n        run: echo failed\n",
        ] {
            assert_eq!(found(more), "", "{more}");
        }
        for text in [
            "trap 'curl $WEBHOOK_URL' ERR\n",
            "fail() { curl -d no $WEBHOOK_URL; }\ntrap fail ERR\n",
            "test -s a.sql || mail -s failed ops@example.test\n",
            "if [ ! -s a.sql ]; then slack chat send no; fi\n",
            "./scripts/after.sh\n",
        ] {
            assert_eq!(script(text), "", "{text}");
        }
    }

    #[test]
    fn a_crontab_that_mails_and_a_unit_with_on_failure_tell() {
        let cron = "0 2 * * * pg_dump shop > /b/a.sql\n";
        assert!(check(&RULE, &[("crontab", cron)]).contains("nobody is told"));
        assert_eq!(check(&RULE, &[("crontab", &format!("MAILTO=ops@example.test\n{cron}"))]), "");
        let unit = "[Unit]\nDescription=x\nOnFailure=tell@%n.service\n[Service]\nExecStart=pg_dump shop -f /b/a.sql\n";
        assert_eq!(check(&RULE, &[("b.service", unit)]), "");
    }

    #[test]
    fn a_helper_and_a_document_with_a_plan_are_notes() {
        assert!(check(&RULE, &[("d.sh", "pg_dump shop > \"$1\"\n")]).contains("note["));
        let document =
            "# Backup\nAlerts go to Slack.\n```bash\npg_dump shop > a.sql\naws s3 cp a.sql s3://b/\n```\n";
        assert!(check(&RULE, &[("a.md", document)]).contains("note["));
    }
}
