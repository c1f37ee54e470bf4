use crate::finding::{Edit, Fix};
use crate::model::{Command, Delete, DeleteTool, Location, Scheme, Script, Set};
use crate::rule::{Findings, rule};

use super::backups::deletions;

rule! {
    /// Backups are deleted by their age alone.
    ///
    /// ## What
    /// A cleanup removes every backup that is older than some days and asks nothing
    /// else: `find -mtime +7 -delete`, `rclone delete --min-age`, a loop that compares
    /// dates.
    ///
    /// ## Why
    /// Backups stop arriving long before anybody notices: a password changes, a disk
    /// is full, a cron job is lost with its server. The cleanup goes on, and after as
    /// many days as it keeps it has deleted the last good backup. A rule that keeps
    /// the newest N never can.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -e
    /// pg_dump -Fc -f "/srv/dumps/shop-$(date +%F).dump" shop
    /// find /srv/dumps -name '*.dump' -mtime +10 -delete
    /// ```
    /// or
    /// ```bash cleanup.sh
    /// rclone delete r2:shop-backups/daily --min-age 30d
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -e
    /// pg_dump -Fc -f "/srv/dumps/shop-$(date +%F).dump" shop
    /// ls -1t /srv/dumps/*.dump | tail -n +11 | xargs -r rm --
    /// ```
    ///
    /// ## Sources
    /// - <https://pgbackrest.org/configuration.html#section-repository/option-repo-retention-full>
    /// - <https://www.gnu.org/software/findutils/manual/html_node/find_html/Age-Ranges.html>
    "blind-age-delete" in Retention,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (command, delete, script) in deletions(set) {
        let by_age = delete.age.is_some() || compares_dates(set, script, command);
        if !by_age || delete.keeps_newest.is_some() || asks_first(set, script, command) {
            continue;
        }
        let after = match delete.age.as_ref().and_then(|age| age.days) {
            Some(days) if days.fract() == 0.0 => format!("{days} days after the last backup arrived"),
            _ => "once no new backup arrives for that long".to_owned(),
        };
        let message = format!("deletes by age alone: {after} it has deleted every one there is");
        let report = findings
            .report(command.name_at, message)
            .help("keep the newest N whatever their age, and delete only behind a backup that was verified");
        if let Some(fix) = fix(command, delete) {
            report.fix(fix);
        }
    }
}

/// A loop that deletes what is older than a date it has computed.
fn compares_dates(set: &Set<'_>, script: &Script, command: &Command) -> bool {
    if !command.nesting.in_loop || !command.nesting.branch {
        return false;
    }
    let cutoff = |text: &str| text.contains("date") && (text.contains(" ago") || text.contains("-v-"));
    let computed =
        script.assignments.iter().any(|setting| cutoff(&setting.value.text) && setting.value.at < command.at);
    let compared = set.commands.get(script.commands.clone()).into_iter().flatten().any(|test| {
        matches!(test.name.as_str(), "[" | "[[")
            && test.at < command.at
            && test.args.iter().any(|arg| matches!(arg.text.as_str(), "-lt" | "-le" | "<" | "-gt" | ">"))
    });
    computed && compared
}

/// Whether the script has looked for a fresh backup, or counted what is there.
fn asks_first(set: &Set<'_>, script: &Script, delete: &Command) -> bool {
    let before = set
        .commands
        .get(script.commands.clone())
        .into_iter()
        .flatten()
        .take_while(|command| command.at < delete.at);
    before.into_iter().any(|command| {
        let fresh = command.name == "find"
            && command.args.windows(2).any(|pair| {
                matches!(pair, [flag, value] if matches!(flag.text.as_str(), "-mtime" | "-mmin" | "-newermt") && (value.text.starts_with('-') || flag.text == "-newermt"))
            });
        let counts = command.name == "wc" && command.has("-l") && command.nesting.substitution && delete.nesting.branch;
        fresh || counts
    })
}

/// `find DIR -name PATTERN -mtime +N -delete` in one folder.
fn fix(command: &Command, delete: &Delete) -> Option<Fix> {
    let simple = delete.tool == DeleteTool::Find
        && command.name == "find"
        && !delete.folders
        && command.pipe.length == 1;
    let [Location { scheme: Scheme::Local, arg: root, .. }] = delete.targets.as_slice() else { return None };
    let days = delete.age.as_ref()?.days.filter(|days| days.fract() == 0.0 && *days >= 1.0)?;
    let pattern = delete.pattern.as_ref()?;
    let plain = pattern.text.chars().all(|c| c.is_ascii_alphanumeric() || "*?._-".contains(c));
    (simple && plain).then(|| {
        let line = format!(
            "ls -1t {}/{} | tail -n +{} | xargs -r rm --",
            root.raw.trim_end_matches('/'),
            pattern.text,
            days + 1.0
        );
        Fix::unsafe_(format!("keep the newest {days} instead"), vec![Edit::replace(command.at.span, line)])
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn deleting_by_age_is_reported_with_its_days() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", "D=/srv/backups\nfind $D -name '*.gz' -mtime +7 -delete\n")]), @r"
        b.sh:2:1: error[blind-age-delete]: deletes by age alone: 7 days after the last backup arrived it has deleted every one there is
        help: keep the newest N whatever their age, and delete only behind a backup that was verified
        ");
    }

    #[test]
    fn every_form_of_it_fires() {
        for text in [
            "find /backups -type d -mtime +30 -exec rm -rf {} \\;\n",
            "find /srv/backup -mmin +2880 -print0 | xargs -0 rm -f\n",
            "find /srv/x -mtime +\"$KEEP\" -name '*.dump' -delete\n",
            "pg_dump -f /data/db/a.txt shop\nfind /data/db -mtime +3 -delete\n",
            "OLD=$(date -d '30 days ago' +%s)\naws s3 ls s3://b-backups/ | while read -r d f; do\n if [[ $(date -d \"$d\" +%s) -lt $OLD ]]; then aws s3 rm s3://b-backups/$f; fi\ndone\n",
        ] {
            assert!(check(&RULE, &[("b.sh", text)]).contains("blind-age-delete"), "{text}");
        }
    }

    #[test]
    fn it_stays_quiet_where_something_stays() {
        for text in [
            "find /var/log/app -name '*.log' -mtime +7 -delete\n",
            "find /srv/backups -name '*.gz' -mtime -1 -delete\n",
            "find /srv/backups -name '*.gz' -mtime +7 -print\n",
            "ls -1t /srv/backups/*.gz | tail -n +8 | xargs -r rm --\n",
            "find /srv/backups -mtime -1 | grep -q . || exit 1\nfind /srv/backups -mtime +7 -delete\n",
            "if [ \"$(ls /srv/backups | wc -l)\" -gt 7 ]; then find /srv/backups -mtime +7 -delete; fi\n",
            "rm -f /srv/backups/tmp.sql\n",
            "find /home -mtime +7 -delete\n",
            "restic forget --keep-daily 7 --prune\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }

    #[test]
    fn the_fix_keeps_the_newest() {
        assert_eq!(
            fix(&RULE, "b.sh", "find \"$D/backups\" -type f -name '*.gz' -mtime +7 -delete\n"),
            "ls -1t \"$D/backups\"/*.gz | tail -n +8 | xargs -r rm --\n"
        );
    }
}
