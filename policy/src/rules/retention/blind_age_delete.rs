use std::collections::HashMap;

use crate::finding::{Edit, Fix, Place};
use crate::model::{Command, Delete, DeleteTool, Location, Role, Scheme, Set};
use crate::rule::{Findings, Reported, rule};
use crate::units::Days;

use super::backups::{Deletion, deletions};
use super::by_age::{Before, loops, scripts_of_actions};

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
    let mut before: HashMap<usize, Before> = HashMap::new();
    for Deletion { command, delete, script } in deletions(set) {
        let before = before.entry(command.script).or_insert_with(|| Before::of(set, script));
        let by_age = delete.age.is_some() || before.compares_dates(command);
        if !by_age || delete.keeps_newest.is_some() || before.asks_first(command) {
            continue;
        }
        let days = delete.age.as_ref().and_then(|age| age.days);
        let report = report(findings, command.name_at, days);
        if let Some(fix) = fix(command, delete) {
            report.fix(fix);
        }
    }
    for script in &set.scripts {
        let commands = set.commands.get(script.commands.clone()).unwrap_or_default();
        if commands.iter().any(|it| it.nesting.in_loop && matches!(it.role, Role::Delete(_))) {
            for at in loops(set, script, &Before::of(set, script)) {
                report(findings, at, None);
            }
        }
    }
    for at in scripts_of_actions(set) {
        report(findings, at, None);
    }
}

fn report<'f, 'd>(findings: &'f mut Findings<'d>, at: Place, days: Option<Days>) -> Reported<'f, 'd> {
    let after = match days.and_then(Days::whole) {
        Some(days) => format!("{days} days after the last backup arrived"),
        None => "once no new backup arrives for that long".to_owned(),
    };
    findings
        .report(at, format!("deletes by age alone: {after} it has deleted every one there is"))
        .help("keep the newest N whatever their age, and delete only behind a backup that was verified")
}

/// `find DIR -name PATTERN -mtime +N -delete` in one folder.
fn fix(command: &Command, delete: &Delete) -> Option<Fix> {
    let simple = delete.tool == DeleteTool::Find
        && command.name == "find"
        && !delete.folders
        && command.pipe.length == 1;
    let [Location { scheme: Scheme::Local, arg: root, .. }] = delete.targets.as_slice() else { return None };
    let days = delete.age.as_ref()?.days?.whole().filter(|days| *days >= 1)?;
    let pattern = delete.pattern.as_ref()?;
    let plain = pattern.text.chars().all(|c| c.is_ascii_alphanumeric() || "*?._-".contains(c));
    (simple && plain).then(|| {
        let line = format!(
            "ls -1t {}/{} | tail -n +{} | xargs -r rm --",
            root.raw.trim_end_matches('/'),
            pattern.text,
            days + 1
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
            "find /backups -name 'a_*' -mtime +7 -print0 | while IFS= read -r -d '' f; do rm -f \"$f\"; done\n",
            "while read -r f; do\n rm \"$f\"\ndone < <(find /srv/backup -mtime +\"$KEEP\")\n",
            "cut=\"$(date -u -d \"-$N days\" +%s)\"\nkeys=$(jq --argjson c \"$cut\" x list.json)\nfor k in $keys; do aws s3 rm s3://b-backups/$k; done\n",
            "find /tmp/shop-backups -name '*.gz' -mtime +7 -delete\n",
            "OLD=$(date -d '30 days ago' +%s)\naws s3 ls s3://b-backups/ | while read -r d f; do\n if [[ $(date -d \"$d\" +%s) -lt $OLD ]]; then aws s3 rm s3://b-backups/$f; fi\ndone\n",
        ] {
            assert!(check(&RULE, &[("b.sh", text)]).contains("blind-age-delete"), "{text}");
        }
    }

    #[test]
    fn it_stays_quiet_where_something_stays() {
        for text in [
            "find /tmp -name 'backup.*' -mtime +7 -delete\n",
            "for f in /srv/backups/*.tmp; do rm \"$f\"; done\n",
            "find /srv/backups -mtime +7 | while read -r f; do echo \"$f\"; done\n",
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
    fn a_script_of_an_action_is_read_too() {
        let text = |body: &str| {
            format!(
                "name: backup\non: push\njobs:\n  b:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: pg_dump \"$U\" > a.sql\n      - uses: actions/github-script@v8\n        with:\n          script: |\n            const old = new Date(); old.setDate(old.getDate() - 14);\n            const backups = await list();\n            {body}\n"
            )
        };
        let found = |body: &str| check(&RULE, &[(".github/workflows/b.yml", &text(body))]);
        let found_at = found(
            "for (const b of backups) if (b.date < old) await github.rest.repos.deleteRelease({ id: b.id });",
        );
        assert!(found_at.starts_with(".github/workflows/b.yml:13:"), "{found_at}");
        assert_eq!(
            found("for (const b of backups.slice(7)) await github.rest.repos.deleteRelease({ id: b.id });"),
            ""
        );
    }

    #[test]
    fn the_fix_keeps_the_newest() {
        assert_eq!(
            fix(&RULE, "b.sh", "find \"$D/backups\" -type f -name '*.gz' -mtime +7 -delete\n"),
            "ls -1t \"$D/backups\"/*.gz | tail -n +8 | xargs -r rm --\n"
        );
    }
}
