use std::cell::LazyCell;
use std::collections::HashSet;

use crate::finding::{Place, Severity};
use crate::model::{DumpTool, Promise, Role, Set, Subject, Tier, Tiers};
use crate::rule::{Findings, rule};
use crate::units::Rounded;

const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;
/// What people round: a month of 30 days, a day of 24 hours.
const SLACK: f64 = 0.03;

rule! {
    /// Backups are made less often than the recovery point objective allows.
    ///
    /// ## What
    /// A document promises how much work may be lost at most (RPO, "maximum data
    /// loss"), and the shortest schedule of the set-up's own backups is as long as that
    /// or longer. What a provider does by itself counts where the document says that it
    /// is switched on.
    ///
    /// ## Why
    /// After a loss everything since the last backup is gone. A daily backup loses up
    /// to a day, and the time that the dump itself takes: it never meets an objective
    /// of one hour, and 24 hours only on a good day.
    ///
    /// ## Bad
    /// ````markdown backups.md
    /// ## Objectives
    /// - RPO: 1 hour
    ///
    /// ## Schedule
    /// ```cron
    /// 17 2 * * * /opt/backup.sh
    /// ```
    /// ````
    ///
    /// ## Good
    /// ````markdown backups.md
    /// ## Objectives
    /// - RPO: 6 hours
    ///
    /// ## Schedule
    /// ```cron
    /// 17 */4 * * * /opt/backup.sh
    /// ```
    /// ````
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/continuous-archiving.html>
    /// - <https://docs.aws.amazon.com/whitepapers/latest/disaster-recovery-workloads-on-aws/disaster-recovery-options-in-the-cloud.html>
    "rpo-schedule-mismatch" in Schedule,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let own = LazyCell::new(|| own(set));
    let mut seen: HashSet<(usize, String)> = HashSet::new();
    let objectives = set.promises.iter().filter(|promise| promise.subject == Subject::Rpo);
    for promise in objectives {
        // A document says the same number in several ways.
        if !seen.insert((promise.at.document, promise.amount.to_string())) {
            continue;
        }
        let Some(allowed) = promise.amount.days().map(|days| days.0 * DAY).filter(|it| it.is_finite()) else {
            continue;
        };
        if promise.managed || is_continuous(set, promise.at.document) {
            continue;
        }
        let Some((gap, place)) = shortest(set, &own, promise) else { continue };
        if gap > allowed * (1.0 + SLACK) {
            let message = format!(
                "the own backups run every {}: up to that much work is lost, and the promise is {}",
                length(gap),
                promise.amount
            );
            findings
                .report(promise.at, message)
                .help("back up more often than the objective, or archive WAL, or promise what is kept")
                .related(place, "the shortest schedule of the own backups");
        } else if gap > allowed * (1.0 - SLACK) {
            let message = format!(
                "a backup every {} leaves nothing over: while the next one runs, the last is older than {}",
                length(gap),
                promise.amount
            );
            findings
                .report(promise.at, message)
                .severity(Severity::Warning)
                .help("back up somewhat more often than the objective, for instance twice in that time")
                .related(place, "the shortest schedule of the own backups");
        }
    }
}

/// Whether WAL is archived, or a provider's recovery to any moment is switched on.
fn is_continuous(set: &Set<'_>, document: usize) -> bool {
    const SURE: [&str; 6] = ["enabled", "switched on", "turned on", "is on", "is active", "purchased"];
    const CONTINUOUS: [&str; 6] =
        ["pitr", "point-in-time", "point in time", "wal archiv", "wal-g", "pgbackrest"];
    let tools = set.commands.iter().any(|command| match &command.role {
        Role::Dump(dump) => matches!(dump.tool, DumpTool::Physical | DumpTool::PgBaseBackup),
        _ => false,
    });
    tools
        || set
            .passages
            .iter()
            .filter(|passage| passage.at.document == document)
            .any(|passage| passage.concerns(&CONTINUOUS) && passage.says(&SURE))
}

/// Seconds between two backups of each schedule that makes some.
fn own(set: &Set<'_>) -> Vec<(f64, Place)> {
    let tiers = Tiers::of(set);
    let own = set.schedules.iter().filter(|schedule| set.makes_backups(schedule));
    #[expect(clippy::cast_precision_loss, reason = "seconds of years at most")]
    own.filter_map(|schedule| Some((tiers.gap(schedule)? as f64, schedule.at))).collect()
}

/// Seconds between two own backups, and where that is said: of the document, else
/// of all the others, else of its prose.
fn shortest(set: &Set<'_>, own: &[(f64, Place)], promise: &Promise) -> Option<(f64, Place)> {
    let gaps = |here: bool| {
        let own = own.iter().filter(|(_, at)| (at.document == promise.at.document) == here);
        own.copied().min_by(|(one, _), (other, _)| one.total_cmp(other))
    };
    gaps(true).or_else(|| gaps(false)).or_else(|| said(set, promise.at.document))
}

/// "Frequency: daily" in prose that is about own backups.
fn said(set: &Set<'_>, document: usize) -> Option<(f64, Place)> {
    let own = set.passages.iter().filter(|passage| {
        passage.at.document == document
            && !passage.is_managed()
            && passage.says(&["schedule", "frequency", "full backup", "every"])
            && passage.concerns(&["backup", "dump"])
            && !passage.concerns(&["test", "drill", "check", "review", "verif"])
    });
    let gap = |tier| match tier {
        Tier::Hourly => HOUR,
        Tier::Daily => DAY,
        Tier::Weekly => 7.0 * DAY,
        Tier::Monthly => 30.0 * DAY,
        Tier::Quarterly => 91.0 * DAY,
        Tier::Yearly => 365.0 * DAY,
    };
    own.filter_map(|passage| Some((gap(passage.tier()?), passage.at)))
        .min_by(|(one, _), (other, _)| one.total_cmp(other))
}

fn length(seconds: f64) -> String {
    let days = seconds / DAY;
    match () {
        () if days >= 360.0 => "year".to_owned(),
        () if (28.0..=31.0).contains(&days) => "month".to_owned(),
        () if days > 1.5 && days.fract() == 0.0 => format!("{} days", Rounded(days)),
        () if seconds >= HOUR => format!("{} hours", Rounded((seconds / HOUR).round())),
        () => format!("{} minutes", Rounded((seconds / 60.0).round())),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(objective: &str, cron: &str) -> String {
        let text = format!("# Backups\n## Objectives\n{objective}\n\n## Schedule\n```cron\n{cron}\n```\n");
        check(&RULE, &[("a.md", &text)])
    }

    #[test]
    fn an_objective_that_the_schedule_cannot_meet() {
        insta::assert_snapshot!(found("- Target data loss: 1 hour", "0 2 * * * /opt/backup.sh"), @r"
        a.md:3:21: error[rpo-schedule-mismatch]: the own backups run every 24 hours: up to that much work is lost, and the promise is 1 hour
        help: back up more often than the objective, or archive WAL, or promise what is kept
          a.md:7:1: the shortest schedule of the own backups
        ");
    }

    #[test]
    fn as_long_as_the_objective_is_too_long() {
        let found = found("**RPO**: 24 hours", "0 2 * * * /opt/backup.sh");
        assert!(found.starts_with("a.md:3:10: warning["), "{found}");
    }

    #[test]
    fn it_fires_on_every_way_to_say_it() {
        for (objective, cron) in [
            ("RPO: 15 minutes", "0 * * * * /opt/backup.sh"),
            ("| Database | RPO |\n|---|---|\n| shop | 4 hours |", "0 */6 * * * pg_dump shop > a"),
            ("Maximum data loss: 24 hours", "0 2 * * 0 cd /app && npm run db:backup"),
            ("### Recovery Point Objective\n**Target:** 24 hours", "@weekly /opt/backup.sh"),
            ("RPO: 1 hour\n\n- Full backup frequency: daily", "0 7 * * * /opt/report.sh"),
        ] {
            assert!(found(objective, cron).contains("error["), "{objective} {cron}");
        }
        let workflow = "name: backup\non:\n  schedule:\n    - cron: '0 2 * * *'\njobs:\n  b:\n    steps:\n      - run: pg_dump x > a\n";
        let files = [("a.md", "# Backups\nRPO: 1 hour\n"), (".github/workflows/b.yml", workflow)];
        assert!(check(&RULE, &files).contains("b.yml:4:"), "another document's schedule");
    }

    #[test]
    fn it_stays_quiet_where_the_promise_can_hold() {
        for (objective, cron) in [
            ("RPO: 25 hours", "0 2 * * * /opt/backup.sh"),
            ("RPO: 24 hours", "0 */6 * * * /opt/backup.sh"),
            ("RPO: 1 hour\n\nPITR is enabled (Pro plan add-on).", "0 2 * * * /opt/backup.sh"),
            ("RPO: 1 hour", "0 2 * * * /opt/verify-backup.sh"),
            ("RPO: 1 hour", "0 2 * * * pgbackrest --stanza=main backup"),
            ("RTO: 1 hour", "0 2 * * * /opt/backup.sh"),
            ("We measure the RPO in drills.", "0 2 * * * /opt/backup.sh"),
        ] {
            assert_eq!(found(objective, cron), "", "{objective} {cron}");
        }
    }
}
