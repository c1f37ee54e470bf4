use super::clock::{times, zone_in};
use crate::document::Kind;
use crate::finding::{Edit, Fix, Place, Severity};
use crate::fix::line_before;
use crate::model::{Clock, Passage, Schedule, Set};
use crate::rule::{Findings, rule};

rule! {
    /// A time of day is meant in one zone and runs in another.
    ///
    /// ## What
    /// A crontab line or a timer without a zone where the comment beside it, or the
    /// document around it, says UTC; a GitHub schedule - always UTC - whose comment
    /// means the same hour somewhere else. A comment that names an hour and no zone is
    /// a note. Reported once a crontab.
    ///
    /// ## Why
    /// Cron and systemd follow the host's zone. The backup then runs in the middle of
    /// the day of whoever counts on the night, before the job whose result it should
    /// hold, and on two nights a year an hour does not exist or comes twice.
    ///
    /// ## Bad
    /// ```cron crontab
    /// # Daily backup at 2 AM UTC
    /// 0 2 * * * /opt/backup.sh
    /// ```
    /// or
    /// ```ini backup.timer
    /// [Timer]
    /// # 02:00 UTC
    /// OnCalendar=*-*-* 02:00:00
    /// ```
    ///
    /// ## Good
    /// ```cron crontab
    /// CRON_TZ=UTC
    /// # Daily backup at 2 AM UTC
    /// 0 2 * * * /opt/backup.sh
    /// ```
    /// or
    /// ```ini backup.timer
    /// [Timer]
    /// # 02:00 UTC
    /// OnCalendar=*-*-* 02:00:00 UTC
    /// ```
    ///
    /// ## Sources
    /// - <https://man7.org/linux/man-pages/man5/crontab.5.html>
    /// - <https://www.freedesktop.org/software/systemd/man/latest/systemd.time.html>
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule>
    "cron-local-time" in Schedule,
    severity: Warning,
    fix: Sometimes,
    check: Set(check),
}

/// Who says that another zone is meant.
enum Said {
    /// A comment, or a line of the document, with its place.
    Utc(Option<Place>),
    /// An hour without a zone.
    Nothing,
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    if set.schedules.is_empty() {
        return;
    }
    // What the provider does at that hour is another thing.
    let utc: Vec<&Passage> = set
        .passages
        .iter()
        .filter(|passage| zone_in(&passage.text) == Some("UTC") && !passage.is_managed())
        .collect();
    let mut last: Option<(usize, Severity)> = None;
    for schedule in &set.schedules {
        match schedule.clock {
            Clock::Utc => elsewhere(set, schedule, findings),
            Clock::Host => {
                let Some(said) = said(set, schedule, &utc) else { continue };
                let severity = if matches!(said, Said::Utc(_)) { Severity::Warning } else { Severity::Note };
                // Once a crontab; a plain word about UTC is worth more than none.
                if last.is_some_and(|(unit, told)| unit == schedule.unit && told <= severity) {
                    continue;
                }
                last = Some((schedule.unit, severity));
                report(set, schedule, &said, findings);
            }
            Clock::Zone(_) => {}
        }
    }
}

fn report(set: &Set<'_>, schedule: &Schedule, said: &Said, findings: &mut Findings<'_>) {
    let timer = set.units.get(schedule.unit).is_some_and(|unit| unit.kind == Kind::Systemd);
    let who = if timer { "the timer" } else { "cron" };
    match said {
        Said::Utc(place) => {
            let message = format!(
                "{who} follows the host's zone: this runs at that hour of UTC only where the host is set to it"
            );
            let report = findings.report(schedule.at, message);
            let report = match place {
                Some(place) => report.related(*place, "UTC is meant here"),
                None => report,
            };
            let text = set.documents.get(schedule.at.document).map_or("", |document| document.text.as_str());
            if timer {
                let edit = Edit::insert(schedule.at.span.end, " UTC");
                report.help("end it with ` UTC`").fix(Fix::safe("say UTC", vec![edit]));
            } else {
                let edit = line_before(text, schedule.at.span.start, "CRON_TZ=UTC");
                report
                    .help(
                        "put `CRON_TZ=UTC` above it (cronie; Debian's cron knows none: set the host to UTC)",
                    )
                    .fix(Fix::unsafe_("say UTC", vec![edit]));
            }
        }
        Said::Nothing => {
            findings
                .report(
                    schedule.at,
                    format!("{who} follows the host's zone, and nothing says which one is meant"),
                )
                .severity(Severity::Note)
                .help("name the zone beside the hour");
        }
    }
}

/// What is said about the zone beside a schedule.
fn said(set: &Set<'_>, schedule: &Schedule, utc: &[&Passage]) -> Option<Said> {
    let comments = set.comments_near(schedule.at);
    if comments.iter().any(|comment| zone_in(set.text(*comment)) == Some("UTC")) {
        return Some(Said::Utc(None));
    }
    let hours = hours(schedule);
    let same = |text: &str| times(text).iter().any(|time| hours.contains(time));
    let mut here = utc.iter().filter(|passage| passage.at.document == schedule.at.document);
    let meant = here.find(|passage| same(&passage.text));
    if let Some(passage) = meant {
        return Some(Said::Utc(Some(passage.at)));
    }
    let named =
        comments.iter().any(|comment| same(set.text(*comment)) && zone_in(set.text(*comment)).is_none());
    (named && set.makes_backups(schedule)).then_some(Said::Nothing)
}

/// GitHub's hour is UTC; the comment names the same one of somewhere else.
fn elsewhere(set: &Set<'_>, schedule: &Schedule, findings: &mut Findings<'_>) {
    let hours = hours(schedule);
    for comment in set.comments_near(schedule.at) {
        let text = set.text(comment);
        let Some(zone) = zone_in(text).filter(|zone| *zone != "UTC") else { continue };
        if times(text).iter().any(|time| hours.contains(time)) {
            findings
                .report(
                    schedule.at,
                    format!("this hour is UTC, and the comment means {zone}: it runs hours away from that"),
                )
                .help("write the hour of UTC into the cron")
                .related(comment, "meant here");
            return;
        }
    }
}

/// Hour and minute of a cron that names one, or of an `OnCalendar=`.
fn hours(schedule: &Schedule) -> Vec<(u32, u32)> {
    let fields: Vec<&str> = schedule.text.split_whitespace().collect();
    match fields.as_slice() {
        [minute, hour, _, _, _] => match (hour.parse(), minute.parse()) {
            (Ok(hour), Ok(minute)) => vec![(hour, minute)],
            _ => Vec::new(),
        },
        _ => times(&schedule.text),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn cron(text: &str) -> String {
        check(&RULE, &[("crontab", text)])
    }

    #[test]
    fn utc_in_a_comment_is_reported_once() {
        insta::assert_snapshot!(cron("# Daily at 2 AM UTC\n0 2 * * * /opt/backup.sh\n# Weekly at 3:00 UTC\n0 3 * * 0 /opt/backup.sh\n"), @r"
        crontab:2:1: warning[cron-local-time]: cron follows the host's zone: this runs at that hour of UTC only where the host is set to it
        help: put `CRON_TZ=UTC` above it (cronie; Debian's cron knows none: set the host to UTC)
        ");
    }

    #[test]
    fn utc_in_the_document_counts_at_the_same_hour() {
        let text =
            "# Backups\n**Schedule**: Every day at 2:00 AM UTC\n```cron\n0 2 * * * /opt/backup.sh\n```\n";
        let found = check(&RULE, &[("a.md", text)]);
        assert!(found.contains("a.md:4:1: warning[") && found.contains("a.md:2:1: UTC is meant"), "{found}");
        assert_eq!(check(&RULE, &[("a.md", &text.replace("2:00 AM", "5:00 AM"))]), "");
    }

    #[test]
    fn an_hour_without_a_zone_is_a_note() {
        assert!(cron("# runs daily at 2 AM\n0 2 * * * /opt/backup.sh\n").contains("note["));
        let timer = "[Timer]\n# 02:00 UTC\nOnCalendar=02:00\n";
        assert!(check(&RULE, &[("b.timer", timer)]).starts_with("b.timer:3:12: warning["));
        let github = "name: backup\non:\n  schedule:\n    # 2 AM EST\n    - cron: '0 2 * * *'\njobs:\n  b:\n    steps:\n      - run: pg_dump x > a\n";
        assert!(check(&RULE, &[(".github/workflows/b.yml", github)]).contains("the comment means EST"));
    }

    #[test]
    fn it_stays_quiet_where_the_zone_is_named_or_none_is_meant() {
        for text in [
            "CRON_TZ=UTC\n# 2 AM UTC\n0 2 * * * /opt/backup.sh\n",
            "# daily backup\n0 2 * * * /opt/backup.sh\n",
            "# every 6 hours\n0 */6 * * * /opt/backup.sh\n",
            "# 2 AM\n0 2 * * * /opt/report.sh\n",
        ] {
            assert_eq!(cron(text), "", "{text}");
        }
        for comment in ["# 2 AM UTC", "# 9 PM EST", "# nightly 2 AM UTC (9 PM Central)", "# 10 AM Beijing"] {
            let github = format!(
                "name: backup\non:\n  schedule:\n    - cron: '0 2 * * *' {comment}\njobs:\n  b:\n    steps:\n      - run: pg_dump x > a\n"
            );
            assert_eq!(check(&RULE, &[(".github/workflows/b.yml", &github)]), "", "{comment}");
        }
    }

    #[test]
    fn fixes_name_the_zone() {
        assert_eq!(
            fix(&RULE, "crontab", "# 2 AM UTC\n0 2 * * * /opt/backup.sh\n"),
            "# 2 AM UTC\nCRON_TZ=UTC\n0 2 * * * /opt/backup.sh\n"
        );
        assert_eq!(
            fix(&RULE, "b.timer", "[Timer]\n# 02:00 UTC\nOnCalendar=02:00\n"),
            "[Timer]\n# 02:00 UTC\nOnCalendar=02:00 UTC\n"
        );
    }
}
