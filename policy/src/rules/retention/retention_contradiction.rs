use std::collections::BTreeMap;

use crate::finding::{Place, Severity};
use crate::model::{Amount, Passage, Promise, Scheme, Set, Subject, Tier, Tiers};
use crate::rule::{Findings, rule};
use crate::units::Days;

use super::backups::{DeletedTiers, Deletion, deletions};

/// 28 to 31 days are a month, 52 weeks a year.
const SLACK: f64 = 0.04;
/// Promises of one tier that are compared with each other.
const PROMISES: usize = 64;

rule! {
    /// The number that is promised and the number that is executed differ.
    ///
    /// ## What
    /// A table, a list or a sentence says how long backups of a tier are kept, and a
    /// cleanup of the same tier deletes earlier, or later; or two places of one text
    /// promise different lengths for the same tier. Where a bucket's lifecycle deletes
    /// too early, `lifecycle-shorter-than-promise` says so.
    ///
    /// ## Why
    /// Deleted too early, the backup is gone on the day it is asked for. Kept too long,
    /// the data of people who asked to be erased is still there, and is paid for.
    ///
    /// ## Bad
    /// ````markdown backups.md
    /// - Weekly: kept for 30 days
    ///
    /// ```bash
    /// find /backups/weekly -name '*.dump' -mtime +7 -delete
    /// ```
    /// ````
    ///
    /// ## Good
    /// ````markdown backups.md
    /// - Weekly: kept for 30 days
    ///
    /// ```bash
    /// find /backups/weekly -name '*.dump' -mtime +30 -delete
    /// ```
    /// ````
    ///
    /// ## Sources
    /// - <https://gdpr-info.eu/art-5-gdpr/>
    /// - <https://www.gnu.org/software/findutils/manual/html_node/find_html/Age-Ranges.html>
    "retention-contradiction" in Retention,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let promises = kept(set);
    let tiers = Tiers::of(set);
    let mut deleted = DeletedTiers::of(&tiers);
    for deletion in deletions(set) {
        let Some(days) = deletion.delete.age.as_ref().and_then(|age| age.days) else { continue };
        beside_comment(set, &deletion, days, findings);
        let Some(tier) = deleted.tier(deletion) else { continue };
        let local = deletion.delete.targets.iter().all(|target| target.scheme == Scheme::Local);
        let same = promises
            .get(&tier)
            .into_iter()
            .flatten()
            .filter(|kept| kept.environment.is_none() && in_place(kept.promise, local));
        // The one that is nearest: two that differ are reported as such.
        let distance = |kept: &Kept<'_>| (kept.days.0 - days.0).abs();
        let near = same.min_by(|a, b| distance(a).total_cmp(&distance(b)));
        if let Some(kept) = near {
            report(findings, deletion.command.name_at, days, kept.promise, kept.days);
        }
    }
    cleanups_in_words(set, &promises, findings);
    for promises in promises.values() {
        promises_that_differ(promises, findings);
    }
}

/// What the team says of its own backups of one tier.
struct Kept<'s> {
    promise: &'s Promise,
    days: Days,
    environment: Option<&'static str>,
    kind: Option<&'static str>,
}

/// Promises by tier, the first ones of each: nobody writes more by hand.
fn kept<'s>(set: &'s Set<'_>) -> BTreeMap<Tier, Vec<Kept<'s>>> {
    let mut found: BTreeMap<Tier, Vec<Kept<'_>>> = BTreeMap::new();
    for promise in &set.promises {
        if promise.subject != Subject::Retention || promise.managed {
            continue;
        }
        let Some((tier, days)) = promise.tier.zip(promise.amount.days()) else { continue };
        let Some(passage) = set.passages.get(promise.passage) else { continue };
        let kept = found.entry(tier).or_default();
        if kept.len() < PROMISES {
            kept.push(Kept { promise, days, environment: environment(passage), kind: kind(passage) });
        }
    }
    found
}

/// The comment above a cleanup says one number, and the cleanup does another.
fn beside_comment(set: &Set<'_>, deletion: &Deletion<'_>, days: Days, findings: &mut Findings<'_>) {
    let comments = set.comments_above(deletion.command);
    let says = |comment: &&&str| {
        let lower = comment.to_ascii_lowercase();
        ["keep", "retain", "older", "delete", "remove", "retention"].iter().any(|word| lower.contains(word))
    };
    let amounts = comments.iter().filter(says).flat_map(|comment| crate::model::amounts(comment));
    let amounts: Vec<Amount> = amounts.map(|(_, amount)| amount).collect();
    let [amount @ Amount::Period(_)] = amounts.as_slice() else { return };
    let Some(said) = amount.days().filter(|said| *said >= Days(1.0)) else { return };
    // "older than 7 days" and `-mtime +6` are the same.
    if (said.0 - days.0).abs() > 1.0 + said.0 * SLACK {
        let message = format!("deletes after {days} days, and the comment above says {amount}");
        findings
            .report(deletion.command.name_at, message)
            .help("let both be the same number: name it once, in a variable");
    }
}

fn report(findings: &mut Findings<'_>, at: Place, days: Days, promise: &Promise, length: Days) {
    let tier = promise.tier.map_or("", Tier::as_str);
    if days.0 < length.0 * (1.0 - SLACK) {
        let message =
            format!("deletes {tier} backups after {days} days, which are to stay {}", promise.amount);
        findings
            .report(at, message)
            .help("let the script read the number from where it is promised")
            .related(promise.at, format!("{tier} backups are promised for {} here", promise.amount));
    } else if days.0 > length.0 * (1.0 + SLACK) + 1.0 {
        let message = format!("{tier} backups stay for {days} days, though {} are promised", promise.amount);
        findings
            .report(at, message)
            .severity(Severity::Warning)
            .help("delete them when the policy says so, or change the policy")
            .related(promise.at, format!("{tier} backups are promised for {} here", promise.amount));
    }
}

/// Whether a promise is about the place of a deletion.
fn in_place(promise: &Promise, local: bool) -> bool {
    let Some(storage) = promise.storage.as_deref().map(str::to_ascii_lowercase) else { return true };
    let cloud = ["s3", "bucket", "cloud", "gcs", "glacier", "azure", "r2", "b2"];
    if local { storage.contains("local") } else { cloud.iter().any(|place| storage.contains(place)) }
}

/// Staging has numbers of its own.
fn environment(passage: &Passage) -> Option<&'static str> {
    ["staging", "development", "test environment", "preview"]
        .into_iter()
        .find(|word| passage.concerns(&[word]))
}

/// "Cleans up old backups (>7 days)": what a script does, as its document tells it.
fn cleanups_in_words(set: &Set<'_>, promises: &BTreeMap<Tier, Vec<Kept<'_>>>, findings: &mut Findings<'_>) {
    for passage in &set.passages {
        let cleans = passage.says(&["clean", "delete", "remove", "prune", "purge"])
            && passage.says(&["old", "backup"])
            && !passage.concerns(&["monthly", "weekly", "daily", "yearly"]);
        if !cleans || passage.is_managed() {
            continue;
        }
        let amounts = crate::model::amounts(&passage.text);
        let [(_, amount @ Amount::Period(_))] = amounts.as_slice() else { continue };
        let Some(days) = amount.days() else { continue };
        let here = promises.values().flatten().filter(|kept| {
            kept.promise.at.document == passage.at.document
                && kept.environment.is_none()
                && days.0 < kept.days.0 * (1.0 - SLACK)
        });
        let Some(Kept { promise, .. }) = here.min_by_key(|kept| kept.promise.at) else { continue };
        let tier = promise.tier.map_or("", Tier::as_str);
        let message = format!(
            "this cleanup removes {tier} backups after {amount}, which are to stay {}",
            promise.amount
        );
        findings
            .report(passage.at, message)
            .help("keep each tier in a folder of its own, with its own age")
            .related(promise.at, format!("{tier} backups are promised for {} here", promise.amount));
    }
}

/// Two lengths for one tier.
fn promises_that_differ(all: &[Kept<'_>], findings: &mut Findings<'_>) {
    for (index, kept) in all.iter().enumerate() {
        let differs = all.get(..index).into_iter().flatten().find(|other| {
            other.promise.at.document == kept.promise.at.document
                && other.promise.passage != kept.promise.passage
                && (other.kind, other.environment) == (kept.kind, kept.environment)
                && same_storage(other.promise, kept.promise)
                && (kept.days.0 - other.days.0).abs() > kept.days.0.min(other.days.0) * SLACK + 1.0
        });
        let Some(Kept { promise: other, .. }) = differs else { continue };
        let promise = kept.promise;
        let tier = promise.tier.map_or("", Tier::as_str);
        let message = format!(
            "{tier} backups are kept {} here and {} elsewhere: one of the two is wrong",
            promise.amount, other.amount
        );
        findings
            .report(promise.at, message)
            .severity(Severity::Warning)
            .help("say it once, in one table of tiers")
            .related(other.at, format!("{} here", other.amount));
    }
}

fn same_storage(a: &Promise, b: &Promise) -> bool {
    a.storage.is_none() || b.storage.is_none() || a.storage == b.storage
}

/// Full backups and logs of the same day are not kept alike.
fn kind(passage: &Passage) -> Option<&'static str> {
    let kinds =
        ["incremental", "differential", "transaction log", "wal", "log", "schema", "archive", "snapshot"];
    kinds.into_iter().find(|kind| passage.says(&[kind]))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(prose: &str, script: &str) -> String {
        check(&RULE, &[("b.md", &format!("{prose}\n\n```bash\n{script}\n```\n"))])
    }

    #[test]
    fn both_numbers_are_named() {
        insta::assert_snapshot!(found("## Retention\n\n- Daily: 30 days", "find /b/backups/daily -mtime +7 -delete"), @r"
        b.md:6:1: error[retention-contradiction]: deletes daily backups after 7 days, which are to stay 30 days
        help: let the script read the number from where it is promised
          b.md:3:10: daily backups are promised for 30 days here
        ");
    }

    #[test]
    fn longer_than_promised_is_a_warning() {
        let cron =
            "## Keep\n- Daily: keep for 7 days\n\n```bash\n# crontab\n0 2 * * * /opt/b.sh\n```\n\n**b.sh:**";
        let found = found(cron, "pg_dump -f /b/backup.dump shop\nfind /b -name '*.dump' -mtime +30 -delete");
        assert!(
            found.contains("warning[retention-contradiction]: daily backups stay for 30 days"),
            "{found}"
        );
    }

    #[test]
    fn every_form_of_it_fires() {
        for (prose, script) in [
            (
                "| Tier | Retention |\n|---|---|\n| Weekly | 1 year |",
                "find /backups/weekly -mtime +90 -delete",
            ),
            ("Monthly backups are kept for 12 months.", "find /backups/monthly -mtime +30 -delete"),
            ("- Weekly: keep 4 weeks", "rclone delete r2:backups/weekly --min-age 7d"),
            ("1. Cleans up old backups (>7 days)\n\n## Retention\n- Weekly manual: 30 days", "true"),
            ("- Daily: keep 7 days\n\n## Later\n\n- Daily backups: retained for 30 days", "true"),
            ("### Weekly backups\n\n**Retention**: 90 days", "find /backups -mtime +7 -delete"),
        ] {
            assert!(found(prose, script).contains("[retention-contradiction]"), "{prose}");
        }
    }

    #[test]
    fn it_stays_quiet_where_they_agree_or_are_about_other_things() {
        for (prose, script) in [
            ("- Weekly: keep 30 days", "find /backups/weekly -mtime +31 -delete"),
            ("- Monthly: keep 12 months", "find /backups/monthly -mtime +365 -delete"),
            ("- Daily: keep 7 days", "find /backups/daily -mtime +7 -delete"),
            ("- Daily: keep 30 days", "find /backups/weekly -mtime +7 -delete"),
            ("- Daily: keep 30 days", "find /var/log -mtime +7 -delete"),
            ("## Supabase\n- Daily: retained for 7 days", "find /backups/daily -mtime +30 -delete"),
            ("## Staging\n- Daily: keep 7 days\n\n## Production\n- Daily: keep 30 days", "true"),
            (
                "| Type | Retention | Storage |\n|---|---|---|\n| Daily | 30 days | S3 |",
                "find /backups/daily -mtime +7 -delete",
            ),
            ("- Daily full: keep 30 days\n- Daily incremental: keep 7 days", "true"),
            ("- Daily: keep 30 days", "find /backups/daily -mtime +\"$DAYS\" -delete"),
            ("1. Cleans up old backups (>30 days)\n- Daily: keep 7 days", "true"),
        ] {
            assert_eq!(found(prose, script), "", "{prose}");
        }
    }
}
