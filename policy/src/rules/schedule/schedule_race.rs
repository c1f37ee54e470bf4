use crate::model::{Command, Role, Schedule, Scheme, Set};
use crate::rule::{Findings, rule};

/// Minutes after which nobody means "behind it" any more.
const NEAR: u32 = 180;

rule! {
    /// A second cron entry takes the dump after a fixed time, ready or not.
    ///
    /// ## What
    /// One line of a crontab makes the dump, another one uploads the folder a few
    /// minutes later on the same days; neither waits for the other.
    ///
    /// ## Why
    /// The day the dump takes longer than the gap, half a file is uploaded; the day it
    /// fails, yesterday's is uploaded once more and everything looks well.
    ///
    /// ## Bad
    /// ```cron crontab
    /// 0 2 * * * cd /srv/shop && npm run db:backup
    /// 5 2 * * * aws s3 sync /srv/shop/backups/ s3://shop-backups/daily/
    /// ```
    ///
    /// ## Good
    /// ```cron crontab
    /// 0 2 * * * cd /srv/shop && npm run db:backup && aws s3 sync backups/ s3://shop-backups/daily/
    /// ```
    ///
    /// ## Sources
    /// - <https://man7.org/linux/man-pages/man5/crontab.5.html>
    /// - <https://man7.org/linux/man-pages/man1/flock.1.html>
    "schedule-race" in Schedule,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let mut rest = set.schedules.as_slice();
    while let Some(first) = rest.first() {
        let length = rest.iter().take_while(|schedule| schedule.unit == first.unit).count();
        let (unit, after) = rest.split_at(length);
        rest = after;
        let makers: Vec<(&Schedule, Times<'_>)> = unit
            .iter()
            .filter(|schedule| set.makes_backups(schedule))
            .filter_map(|schedule| Some((schedule, Times::of(&schedule.text)?)))
            // A crontab with more backups than that is no crontab.
            .take(64)
            .collect();
        for schedule in unit.iter().filter(|schedule| !set.makes_backups(schedule)) {
            race(set, &makers, schedule, findings);
        }
    }
}

fn race(set: &Set<'_>, makers: &[(&Schedule, Times<'_>)], schedule: &Schedule, findings: &mut Findings<'_>) {
    let Some(times) = Times::of(&schedule.text) else { return };
    let Some((upload, path)) = set.started(schedule).find_map(|command| Some((command, carries(command)?)))
    else {
        return;
    };
    for (maker, begins) in makers {
        let Some(gap) = times.behind(begins) else { continue };
        if !writes(set, maker, path) || (locks(set, maker) && locks(set, schedule)) {
            continue;
        }
        let when = match gap {
            0 => "at the same time as the dump".to_owned(),
            gap => format!("{gap} minutes after the dump has begun"),
        };
        let message =
            format!("{} starts {when}, ended or not: half a file or yesterday's is uploaded", upload.name);
        findings
            .report(schedule.at, message)
            .help("make one line of both: `dump && upload`")
            .related(maker.at, "the dump begins here");
        return;
    }
}

/// Minute of the day, and the fields that choose the day.
#[derive(Debug, PartialEq, Eq)]
struct Times<'t> {
    minute: u32,
    days: Vec<&'t str>,
}

impl<'t> Times<'t> {
    /// None where it is not once a day.
    fn of(text: &'t str) -> Option<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, days @ ..] = fields.as_slice() else { return None };
        let minute = hour.parse::<u32>().ok()? * 60 + minute.parse::<u32>().ok()?;
        (days.len() == 3).then(|| Self { minute, days: days.to_vec() })
    }

    /// Minutes after another, on the same days.
    fn behind(&self, other: &Self) -> Option<u32> {
        let gap = self.minute.checked_sub(other.minute)?;
        (self.days == other.days && gap <= NEAR).then_some(gap)
    }
}

/// The local path that a command carries away.
fn carries(command: &Command) -> Option<&str> {
    let (Role::Upload(transfer) | Role::RemoteCopy(transfer)) = &command.role else { return None };
    let local = transfer.sources.iter().find(|source| source.scheme == Scheme::Local)?;
    Some(&local.key)
}

/// Whether a line may write into that path: it works in a folder above, dumps there,
/// or the path is called after backups.
fn writes(set: &Set<'_>, maker: &Schedule, path: &str) -> bool {
    let inside = |folder: &str| {
        let folder = folder.trim_end_matches('/');
        folder.len() > 1
            && path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let dumped = |command: &Command| {
        let file = match &command.role {
            Role::Dump(dump) => dump.file.as_ref().map(|file| file.text.as_str()),
            _ => None,
        };
        let file = file.or_else(|| command.output(1).map(|arg| arg.text.as_str()));
        file.is_some_and(|file| {
            file == path
                || file.strip_prefix(path.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let works = |command: &Command| {
        dumped(command) || (command.name == "cd" && command.args.first().is_some_and(|arg| inside(&arg.text)))
    };
    let named = ["backup", "dump"].iter().any(|word| path.to_ascii_lowercase().contains(word));
    set.started(maker).any(works) || (named && !maker.reach.unseen.is_empty())
}

fn locks(set: &Set<'_>, schedule: &Schedule) -> bool {
    set.started(schedule).any(|command| command.name == "flock" || command.wrapper("flock").is_some())
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(text: &str) -> String {
        check(&RULE, &[("crontab", text)])
    }

    #[test]
    fn an_upload_that_does_not_wait() {
        insta::assert_snapshot!(found("0 2 * * 0 cd /srv/kul && npm run db:backup\n5 2 * * 0 aws s3 sync /srv/kul/backups/ s3://b/\n"), @r"
        crontab:2:1: error[schedule-race]: aws starts 5 minutes after the dump has begun, ended or not: half a file or yesterday's is uploaded
        help: make one line of both: `dump && upload`
          crontab:1:1: the dump begins here
        ");
        for text in [
            "0 2 * * * pg_dump shop > /b/a.sql\n30 2 * * * rclone copy /b r2:x\n",
            "0 2 * * * /opt/backup.sh\n0 3 * * * rsync -a /var/backups/ nas:/b/\n",
            "0 2 * * * pg_dump shop > /b/a.sql\n0 2 * * * scp /b/a.sql host:/b/\n",
        ] {
            assert_eq!(found(text).matches("error[").count(), 1, "{text}");
        }
    }

    #[test]
    fn it_stays_quiet_where_nothing_is_waited_for_or_both_lock() {
        for text in [
            "0 2 * * * pg_dump shop > /b/a.sql && rclone copy /b r2:x\n",
            "0 2 * * * pg_dump shop > /b/a.sql\n0 12 * * * rclone copy /b r2:x\n",
            "0 2 * * * pg_dump shop > /b/a.sql\n0 3 * * 0 rclone copy /b r2:x\n",
            "30 2 * * * pg_dump shop > /b/a.sql\n0 2 * * * rclone copy /b r2:x\n",
            "0 2 * * * pg_dump shop > /b/a.sql\n30 2 * * * rclone copy /srv/photos r2:x\n",
            "0 2 * * * flock /l pg_dump shop -f /b/a.sql\n30 2 * * * flock /l rclone copy /b r2:x\n",
            "0 2 * * * pg_dump shop > /b/a.sql\n0 3 * * * /opt/check-backup.sh\n",
            "0 2 * * * pg_dump shop > /b/a.sql && aws s3 cp /b/a.sql s3://b/\n30 2 * * * pg_dump blog > /c/b.sql && aws s3 cp /c/b.sql s3://b/\n",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
    }
}
