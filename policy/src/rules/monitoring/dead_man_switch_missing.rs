use crate::document::Kind;
use crate::finding::{Place, Severity};
use crate::model::{ActionRole, Means, Pipeline, ProbeKind, Role, Set};
use crate::rule::{Findings, rule};

rule! {
    /// Nothing outside notices when the backup stops running at all.
    ///
    /// ## What
    /// A pipeline that makes backups pings no timer elsewhere (healthchecks.io,
    /// Cronitor, an uptime monitor's push address), sends no metric, and no other
    /// schedule looks at how old the newest backup is. Reported once a pipeline.
    ///
    /// ## Why
    /// A step that tells of failures has to run. When the schedule is switched off -
    /// GitHub does it after 60 quiet days in a public repository -, the host is gone or
    /// the crontab was overwritten, nothing fails. Only a timer that expects a ping
    /// sees that there was none.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// aws s3 cp shop.dump s3://shop-backups/daily/
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// aws s3 cp shop.dump s3://shop-backups/daily/
    /// curl -fsS --retry 3 "$HEALTHCHECK_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://healthchecks.io/docs/monitoring_cron_jobs/>
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule>
    "dead-man-switch-missing" in Monitoring,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let watched = set.pipelines.iter().any(|pipeline| watches(set, pipeline));
    for pipeline in &set.pipelines {
        let Some(unit) = set.units.get(pipeline.root) else { continue };
        let Some(at) = place(set, pipeline) else { continue };
        if watched || is_pinged(set, pipeline) {
            continue;
        }
        let hidden = pipeline.may_hide(&["ping", "health", "heartbeat", "monitor", "watch"]);
        let document = unit.kind == Kind::Markdown;
        if hidden && !document {
            continue;
        }
        let workflow = unit.kind == Kind::Workflow;
        let message = if workflow {
            "if this schedule stops, nothing notices: GitHub ends it after 60 quiet days in a public repository"
        } else {
            "if this stops running, nothing notices: a dead host and a lost crontab make no error"
        };
        let report = findings.report(at, message).help(
            "at the end, ping a timer elsewhere that expects it, for instance `curl -fsS https://hc-ping.com/<id>`",
        );
        if hidden || pipeline.helper || (document && is_described(set, pipeline)) {
            report.severity(Severity::Note);
        }
    }
}

/// The dump that a schedule starts; in a document whose scripts lie elsewhere, the
/// schedule.
fn place(set: &Set<'_>, pipeline: &Pipeline) -> Option<Place> {
    if let Some((_, command, _)) = pipeline.scheduled_backup(set) {
        return Some(command.name_at);
    }
    let own: Vec<usize> = set.units_of(pipeline.root).map(|(index, _)| index).collect();
    let mut schedules = set.schedules.iter().filter(|it| own.binary_search(&it.unit).is_ok());
    schedules.find(|schedule| set.makes_backups(schedule)).map(|schedule| schedule.at)
}

fn is_pinged(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    let tells = |means: Means| matches!(means, Means::DeadManSwitch | Means::Metric);
    pipeline.any(set, |role| matches!(role, Role::Notify(notify) if tells(notify.means)))
        || set.units_of(pipeline.root).any(|(index, _)| {
            set.actions_of(index)
                .any(|action| matches!(action.role, ActionRole::Notify(means) if tells(means)))
        })
}

/// A pipeline that looks at the store and makes no backup itself: a freshness check
/// from elsewhere.
fn watches(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    let scheduled = set.schedules.iter().any(|schedule| schedule.unit == pipeline.root);
    let looks = pipeline.commands(set).any(|(_, command)| match &command.role {
        Role::Probe(probe) => {
            probe.kind == ProbeKind::Exists
                && matches!(command.name.as_str(), "aws" | "gsutil" | "gcloud" | "rclone" | "mc" | "s3cmd")
        }
        _ => false,
    });
    let fails = pipeline.commands(set).any(|(_, command)| {
        command.name == "exit" && command.args.first().is_none_or(|status| status.text != "0")
    });
    scheduled && looks && fails && !pipeline.any(set, |role| matches!(role, Role::Dump(_)))
}

/// A document that says in prose that something outside looks.
fn is_described(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    let document = set.units.get(pipeline.root).map(|unit| unit.document);
    set.passages.iter().any(|passage| {
        Some(passage.at.document) == document
            && passage.says(&[
                "uptime",
                "healthcheck",
                "dead man",
                "heartbeat",
                "cronitor",
                "no backup in",
                "no backup file",
            ])
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    const DUMP: &str = "pg_dump shop > a.sql\naws s3 cp a.sql s3://b/\n";

    fn script(more: &str) -> String {
        check(&RULE, &[("b.sh", &format!("{DUMP}{more}"))])
    }

    #[test]
    fn it_is_reported_once_at_the_dump() {
        insta::assert_snapshot!(script("pg_dumpall -g > g.sql\n"), @r"
        b.sh:1:1: warning[dead-man-switch-missing]: if this stops running, nothing notices: a dead host and a lost crontab make no error
        help: at the end, ping a timer elsewhere that expects it, for instance `curl -fsS https://hc-ping.com/<id>`
        ");
        assert!(script("curl -d failed $SLACK_WEBHOOK\n").contains("warning["), "a message is no timer");
    }

    #[test]
    fn it_stays_quiet_where_somebody_waits_for_it() {
        for more in [
            "curl -fsS https://hc-ping.com/x\n",
            "curl -fsS \"$HEALTHCHECK_URL\"\n",
            "cronitor exec key ls\n",
            "echo 'backup 1' | curl --data-binary @- http://pushgateway:9091/metrics/job/backup\n",
            "./after-backup.sh\n",
        ] {
            assert_eq!(script(more), "", "{more}");
        }
        let watch = "name: backup watch\non:\n  schedule: [{cron: '1 9 * * *'}]\njobs:\n  w:\n    steps:\n      - run: aws s3 ls s3://b/ | grep \"$(date +%F)\" || exit 1\n";
        assert_eq!(check(&RULE, &[("b.sh", DUMP), (".github/workflows/watch-backup.yml", watch)]), "");
    }

    #[test]
    fn a_document_is_told_at_its_schedule_with_less_noise() {
        let text = "# Backup\n```cron\n0 2 * * * /opt/backup.sh\n```\n";
        assert!(check(&RULE, &[("a.md", text)]).starts_with("a.md:3:1: note["));
        let text = format!("# Backup\nUptime Robot alerts us.\n```bash\n{DUMP}```\n");
        assert!(check(&RULE, &[("a.md", &text)]).starts_with("a.md:4:1: note["));
    }
}
