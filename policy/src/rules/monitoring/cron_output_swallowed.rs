use super::alarm::{has_on_failure, is_told};
use crate::document::Kind;
use crate::finding::{Edit, Fix, Place, Severity, Span};
use crate::model::{Called, Command, Fate, Redirect, Role, Schedule, Set};
use crate::parse::shell::RedirectOperator;
use crate::rule::{Findings, rule};

rule! {
    /// What cron or systemd could say about a failure goes where nobody looks.
    ///
    /// ## What
    /// A crontab line about backups sends both output and errors into a file (or to
    /// `/dev/null`) and nothing on the line tells anybody; a service that makes backups
    /// has no `OnFailure=`. Reported once a crontab.
    ///
    /// ## Why
    /// Cron mails what a job prints, and that mail is the only sign of a failure that a
    /// plain crontab has. `>> backup.log 2>&1` switches it off: the error lies in a log
    /// that is read after the restore was needed.
    ///
    /// ## Bad
    /// ```cron crontab
    /// 17 2 * * * /opt/backup.sh >> /var/log/backup.log 2>&1
    /// ```
    /// or
    /// ```ini backup.service
    /// [Unit]
    /// Description=Database backup
    /// [Service]
    /// Type=oneshot
    /// ExecStart=/opt/backup.sh
    /// ```
    ///
    /// ## Good
    /// ```cron crontab
    /// MAILTO=ops@example.com
    /// 17 2 * * * /opt/backup.sh >> /var/log/backup.log
    /// ```
    /// or
    /// ```ini backup.service
    /// [Unit]
    /// Description=Database backup
    /// OnFailure=notify@%n.service
    /// [Service]
    /// Type=oneshot
    /// ExecStart=/opt/backup.sh
    /// ```
    ///
    /// ## Sources
    /// - <https://man7.org/linux/man-pages/man5/crontab.5.html>
    /// - <https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html#OnFailure=>
    "cron-output-swallowed" in Monitoring,
    severity: Warning,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let mut by_unit: Vec<(usize, Vec<(&Schedule, &Command)>)> = Vec::new();
    for schedule in &set.schedules {
        let crontab = set.units.get(schedule.unit).is_some_and(|unit| unit.kind == Kind::Crontab);
        if !crontab || !concerns_backups(set, schedule) || tells(set, schedule) {
            continue;
        }
        let Some(command) = swallowing(set, schedule) else { continue };
        match by_unit.last_mut() {
            Some((unit, found)) if *unit == schedule.unit => found.push((schedule, command)),
            _ => by_unit.push((schedule.unit, vec![(schedule, command)])),
        }
    }
    for (_, found) in by_unit {
        let Some(((schedule, command), rest)) = found.split_first() else { continue };
        let message = "cron mails nothing about a failure: all that this prints goes where nobody looks";
        let mut report = findings.report(schedule.at, message).help(
            "leave out `2>&1` and set MAILTO, put `chronic` before the command, or `|| alert` behind it",
        );
        for (other, _) in rest {
            report = report.related(other.at, "this line as well");
        }
        let edits: Vec<Edit> = found.iter().filter_map(|(_, command)| unredirect(set, command)).collect();
        if edits.len() == found.len() && command.redirects.len() > 1 {
            report.fix(Fix::unsafe_("let cron mail the errors", edits));
        }
    }
    services(set, findings);
}

fn concerns_backups(set: &Set<'_>, schedule: &Schedule) -> bool {
    let named = |text: &str| {
        let lower = text.to_ascii_lowercase();
        ["backup", "dump", "restore", "archive"].iter().any(|word| lower.contains(word))
    };
    set.makes_backups(schedule)
        || schedule.reach.unseen.iter().any(|called| named(&called.arg().text))
        || set.started(schedule).any(|command| matches!(command.role, Role::Restore(_)))
}

/// Whether the line, or a script that it calls, tells somebody.
fn tells(set: &Set<'_>, schedule: &Schedule) -> bool {
    set.started(schedule).any(|command| {
        matches!(command.role, Role::Notify(_))
            || command.wrapper("chronic").is_some()
            || matches!(command.fate, Fate::Handled(_)) && command.script == schedule.scripts.start
    })
}

/// The command of the line whose output and errors both go into a file.
fn swallowing<'s>(set: &'s Set<'_>, schedule: &Schedule) -> Option<&'s Command> {
    let script = set.scripts.get(schedule.scripts.start)?;
    let commands = set.commands.get(script.commands.clone())?;
    commands.iter().find(|command| {
        let stdout = command.output(1).is_some();
        stdout && (command.output(2).is_some() || command.redirects.iter().any(copies_errors))
    })
}

/// `2>&1`
fn copies_errors(redirect: &Redirect) -> bool {
    redirect.operator == RedirectOperator::CopyOutput && redirect.descriptor == 2
}

fn unredirect(set: &Set<'_>, command: &Command) -> Option<Edit> {
    let redirect = command.redirects.iter().find(|redirect| copies_errors(redirect))?;
    let at = redirect.at;
    let blank = Place { span: Span::new(at.span.start.checked_sub(1)?, at.span.start), ..at };
    let start = if set.text(blank) == " " { blank.span.start } else { at.span.start };
    Some(Edit::replace(Span::new(start, at.span.end), ""))
}

/// Services that make backups, without `OnFailure=`.
fn services(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let told = std::cell::LazyCell::new(|| is_told(set, pipeline));
        for (_, unit) in set.units_of(pipeline.root) {
            if unit.kind != Kind::Systemd || has_on_failure(unit) {
                continue;
            }
            let scripts = set.scripts.get(unit.scripts.clone()).unwrap_or_default();
            let mut commands = scripts.iter().flat_map(|script| set.commands_in(script, script.at.span));
            let makes = |command: &Command| {
                matches!(command.role, Role::Dump(_))
                    || command.called.as_ref().is_some_and(Called::is_backup)
            };
            if !commands.any(makes) || *told {
                continue;
            }
            let Some(start) = unit.systemd.as_ref().and_then(|it| it.get("Service", "ExecStart")) else {
                continue;
            };
            let at = Place { document: unit.document, span: start.span };
            let report = findings
                .report(at, "when this fails, systemd writes it into the journal and tells nobody")
                .help("add `OnFailure=` with a unit that calls a webhook to [Unit]");
            if pipeline.may_hide(&["notif", "alert", "mail"]) {
                report.severity(Severity::Note);
            }
        }
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
    fn lines_that_print_into_a_log_are_one_finding() {
        insta::assert_snapshot!(cron("0 2 * * * /opt/backup.sh >> /var/log/b.log 2>&1\n0 3 * * 0 /opt/archive-backup.sh weekly &> /dev/null\n"), @r"
        crontab:1:1: warning[cron-output-swallowed]: cron mails nothing about a failure: all that this prints goes where nobody looks
        help: leave out `2>&1` and set MAILTO, put `chronic` before the command, or `|| alert` behind it
          crontab:2:1: this line as well
        ");
        assert!(cron("0 2 * * * pg_dump shop > /b/a.sql 2>/dev/null\n").contains("warning["));
    }

    #[test]
    fn it_stays_quiet_where_cron_can_mail_or_somebody_is_told() {
        for text in [
            "0 2 * * * /opt/backup.sh\n",
            "0 2 * * * /opt/backup.sh >> /var/log/b.log\n",
            "0 2 * * * /opt/backup.sh > /dev/null\n",
            "0 2 * * * /opt/backup.sh >> /var/log/b.log 2>&1 || curl -d no $SLACK_WEBHOOK\n",
            "0 2 * * * /opt/backup.sh >> /var/log/b.log 2>&1 && curl -fsS https://hc-ping.com/x\n",
            "0 2 * * * /opt/rotate-logs.sh > /dev/null 2>&1\n",
        ] {
            assert_eq!(cron(text), "", "{text}");
        }
        let script = "pg_dump shop > /b/a || curl -d no $SLACK_WEBHOOK\n";
        let files = [("crontab", "0 2 * * * /opt/backup.sh >> /l 2>&1\n"), ("backup.sh", script)];
        assert_eq!(check(&RULE, &files), "", "the script tells");
    }

    #[test]
    fn a_service_without_on_failure() {
        let unit = "[Unit]\nDescription=x\n[Service]\nExecStart=/opt/backup.sh\n";
        let found = check(&RULE, &[("b.service", unit), ("backup.sh", "pg_dump shop > /b/a\n")]);
        assert!(found.starts_with("b.service:4:1: warning["), "{found}");
        assert!(check(&RULE, &[("b.service", unit)]).contains("note["));
        assert_eq!(check(&RULE, &[("b.service", &unit.replace("=x", "=x\nOnFailure=a.service"))]), "");
        assert_eq!(check(&RULE, &[("b.service", &unit.replace("backup", "web"))]), "");
    }

    #[test]
    fn the_fix_lets_errors_through() {
        assert_eq!(
            fix(&RULE, "crontab", "0 2 * * * /opt/backup.sh >> /l 2>&1\n0 3 * * * /opt/dump.sh > /m 2>&1\n"),
            "0 2 * * * /opt/backup.sh >> /l\n0 3 * * * /opt/dump.sh > /m\n"
        );
    }
}
