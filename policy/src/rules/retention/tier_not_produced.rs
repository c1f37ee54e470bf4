use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::finding::Place;
use crate::model::{Pipeline, Role, Script, Set, Subject, Tier, Tiers};
use crate::path;
use crate::rule::{Findings, rule};

use super::backups::{Deletion, deletions};

rule! {
    /// A tier is promised, or cleaned up, that no job makes.
    ///
    /// ## What
    /// A retention table or list names monthly or yearly backups, and nothing in the
    /// set-up makes them: no schedule that runs so often, no script, file name or prefix
    /// of that tier. A cleanup of a folder that nobody fills is the same promise in code.
    ///
    /// ## Why
    /// The table is what an auditor and the next person on call believe. When the backup
    /// from last spring is needed, there are only those of the last days.
    ///
    /// ## Bad
    /// ````markdown backups.md
    /// - Daily backups: keep for 7 days
    /// - Yearly backups: keep for 7 years
    ///
    /// ```cron
    /// 17 2 * * * pg_dump -Fc -f /srv/backups/daily/shop.dump shop
    /// ```
    /// ````
    ///
    /// ## Good
    /// ````markdown backups.md
    /// - Daily backups: keep for 7 days
    /// - Yearly backups: keep for 7 years
    ///
    /// ```cron
    /// 17 2 * * * pg_dump -Fc -f /srv/backups/daily/shop.dump shop
    /// 17 4 1 1 * pg_dump -Fc -f /srv/backups/yearly/shop.dump shop
    /// ```
    /// ````
    ///
    /// ## Sources
    /// - <https://www.cisa.gov/sites/default/files/publications/data_backup_options.pdf>
    "tier-not-produced" in Retention,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let dumps = set.commands.iter().any(|command| matches!(command.role, Role::Dump(_)));
    if !dumps && set.schedules.is_empty() {
        return;
    }
    let tiers = Tiers::of(set);
    let mut made = produced(set, &tiers);
    made.extend(promoted(set, &tiers));
    let mut told: HashSet<(usize, Tier)> = HashSet::new();
    for promise in &set.promises {
        let own = promise.subject == Subject::Retention && !promise.managed;
        let Some(tier) = promise.tier.filter(|tier| own && !made.contains(tier)) else { continue };
        if told.insert((promise.at.document, tier)) {
            let word = tier.as_str();
            let message = format!("{word} backups are to stay {}, and nothing makes any", promise.amount);
            findings
                .report(promise.at, message)
                .help(format!("schedule a {word} job, or copy the newest backup into a {word} folder"));
        }
    }
    for Deletion { command, delete, .. } in deletions(set) {
        let mut named = delete.targets.iter().filter_map(|target| Tier::only_in(&target.key));
        let Some(tier) = named.find(|tier| !made.contains(tier)) else { continue };
        if told.insert((command.at.document, tier)) {
            report(findings, command.name_at, tier);
        }
    }
}

fn report(findings: &mut Findings<'_>, at: Place, tier: Tier) {
    let word = tier.as_str();
    findings
        .report(at, format!("cleans up {word} backups, and nothing makes any"))
        .help(format!("schedule a {word} job, or copy the newest backup into a {word} folder"));
}

/// Every tier that something makes: by schedules, and by what commands name.
fn produced(set: &Set<'_>, tiers: &Tiers<'_, '_>) -> HashSet<Tier> {
    let mut made = HashSet::new();
    let mut known: HashMap<Range<usize>, bool> = HashMap::new();
    for schedule in &set.schedules {
        let gap = tiers.gap(schedule);
        let scripts = schedule.scripts.clone();
        // A schedule that only cleans up or checks makes nothing.
        if !*known.entry(scripts.clone()).or_insert_with(|| idle(set, scripts)) {
            made.extend(gap.and_then(Tier::of_gap));
        }
    }
    for command in &set.commands {
        let keeps = |text: &str| text.strip_prefix("--keep-").and_then(Tier::only_in);
        match &command.role {
            Role::Delete(_) => made.extend(command.args.iter().filter_map(|arg| keeps(&arg.text))),
            Role::Print | Role::Probe(_) | Role::Download(_) | Role::Restore(_) => {}
            // Folders, and the drawing of a tree of them.
            _ if command.name == "mkdir" || !command.name.is_ascii() => {}
            _ => {
                let words = command.args.iter().map(|arg| arg.text.as_str()).chain([command.name.as_str()]);
                let files = command.redirects.iter().filter_map(|redirect| redirect.output(1));
                let texts = words.chain(files.map(|arg| arg.text.as_str()));
                let mut tiers = texts.flat_map(Tier::all_in).map(|(_, tier)| tier).peekable();
                if tiers.peek().is_some() && !only_cleans(&command.name) {
                    made.extend(tiers);
                }
            }
        }
    }
    // A case over the day of the week chooses a folder by a variable.
    for script in &set.scripts {
        let values = script.assignments.iter().map(|setting| setting.value.text.as_str());
        let writes = set
            .commands
            .get(script.commands.clone())
            .into_iter()
            .flatten()
            .any(|command| matches!(command.role, Role::Dump(_) | Role::Upload(_) | Role::Transform(_)));
        if writes {
            made.extend(values.flat_map(Tier::all_in).map(|(_, tier)| tier));
            made.extend(said_to_run(set, script));
        }
    }
    for action in &set.actions {
        made.extend(action.with.iter().flat_map(|(_, arg)| Tier::all_in(&arg.text)).map(|(_, tier)| tier));
    }
    made
}

/// `monthly_cleanup.sh`, `weekly-verify.sh` make no backup.
/// `# runs daily by cron`, at the head of a script.
fn said_to_run<'s>(set: &'s Set<'_>, script: &'s Script) -> impl Iterator<Item = Tier> + 's {
    let text = |span| set.text(script.place(span));
    let comments =
        script.comments.iter().take(COMMENTS).map(move |comment| text(*comment).to_ascii_lowercase());
    let runs = |comment: &String| {
        let has = |words: &[&str]| words.iter().any(|word| comment.contains(word));
        has(&["run", "cron", "schedule", "every"])
            && !has(&["keep", "delete", "remove", "older", "retention"])
    };
    comments.filter(runs).flat_map(|comment| Tier::all_in(&comment)).map(|(_, tier)| tier)
}

/// Comments of a script that are read.
const COMMENTS: usize = 16;

fn only_cleans(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let other = ["clean", "prune", "verif", "valid", "monitor", "check", "test", "report", "restore"];
    other.iter().any(|word| lower.contains(word)) && !lower.contains("backup_and")
}

/// Whether all that a schedule starts cleans up or checks.
fn idle(set: &Set<'_>, scripts: Range<usize>) -> bool {
    let scripts = set.scripts.get(scripts).unwrap_or_default();
    let mut commands = scripts
        .iter()
        .flat_map(|script| set.commands.get(script.commands.clone()).unwrap_or_default())
        .peekable();
    commands.peek().is_some()
        && commands.all(|command| {
            only_cleans(&command.name)
                || matches!(command.role, Role::Delete(_) | Role::Probe(_) | Role::Print | Role::Restore(_))
        })
}

/// Tiers into which code that nobody can see here, and that runs often, may copy a daily
/// backup.
fn promoted(set: &Set<'_>, tiers: &Tiers<'_, '_>) -> Vec<Tier> {
    let often = || set.schedules.iter().filter(|it| tiers.gap(it).is_some_and(|gap| gap <= 2 * 86_400));
    // A workflow with many schedules starts the same by each.
    let starts: HashSet<Range<usize>> = often().map(|schedule| schedule.scripts.clone()).collect();
    let scripts: HashSet<usize> = starts.into_iter().flatten().collect();
    let documents: HashSet<usize> = often().map(|schedule| schedule.at.document).collect();
    let may_hold = |pipeline: &Pipeline, tier: Tier| {
        let here = set.units.get(pipeline.root).is_some_and(|unit| documents.contains(&unit.document));
        let scheduled = here || pipeline.scripts.iter().any(|script| scripts.contains(script));
        let rotates = [tier.as_str(), "rotat", "archive", "promot", "tier"];
        let named = |called: &crate::model::Called| {
            let name = called.arg().text.to_ascii_lowercase();
            let name = path::name(&name);
            !only_cleans(name)
                && (rotates.iter().any(|word| name.contains(word))
                    || scheduled && Tier::only_in(name).is_none())
        };
        pipeline.unseen.iter().any(named)
            || (!pipeline.unseen.is_empty() && set.schedules.is_empty() && pipeline.may_hide(&["backup"]))
    };
    let any = |tier: &Tier| set.pipelines.iter().any(|pipeline| may_hold(pipeline, *tier));
    Tier::ALL.into_iter().filter(any).collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(prose: &str, blocks: &str) -> String {
        check(&RULE, &[("b.md", &format!("{prose}\n\n{blocks}\n"))])
    }

    const DAILY: &str = "```cron\n17 2 * * * pg_dump -Fc -f /srv/backups/shop.dump shop\n```";

    #[test]
    fn each_tier_is_reported_where_it_is_promised() {
        insta::assert_snapshot!(found("## Retention\n\n- Daily: 7 days\n- Weekly: 4 weeks\n- Yearly: keep indefinitely", DAILY), @r"
        b.md:4:11: error[tier-not-produced]: weekly backups are to stay 4 weeks, and nothing makes any
        help: schedule a weekly job, or copy the newest backup into a weekly folder
        b.md:5:16: error[tier-not-produced]: yearly backups are to stay for ever, and nothing makes any
        help: schedule a yearly job, or copy the newest backup into a yearly folder
        ");
    }

    #[test]
    fn every_form_of_it_fires() {
        for (prose, blocks) in [
            ("| Tier | Retention |\n|---|---|\n| Monthly | 5 years |", DAILY),
            ("Monthly backups are kept for 12 months.", "```bash\npg_dump -f a.dump shop\n```"),
            (
                "Backups.",
                "```bash\npg_dump -f /backups/daily/a.dump shop\nfind /backups/monthly -mtime +365 -delete\n```",
            ),
            ("- Monthly: keep 1 year", "```cron\n0 2 * * 0 npm run db:backup\n```"),
            (
                "- Monthly: keep 1 year",
                "```cron\n0 2 * * * pg_dump -f a shop\n0 4 1 * * /scripts/monthly_cleanup.sh\n```",
            ),
        ] {
            assert!(found(prose, blocks).contains("error[tier-not-produced]"), "{prose}");
        }
    }

    #[test]
    fn it_stays_quiet_where_something_makes_it() {
        for (prose, blocks) in [
            ("- Daily: keep 7 days", DAILY),
            ("- Weekly: keep 4 weeks", "```cron\n0 2 * * 0 /opt/backup.sh\n```"),
            ("- Monthly: keep 1 year", "```cron\n0 3 * * 0 /opt/archive-backup.sh monthly\n```"),
            (
                "- Monthly: keep 1 year",
                "```bash\npg_dump -f a.dump shop\n[ \"$(date +%d)\" = 01 ] && cp a.dump /backups/monthly/\n```",
            ),
            (
                "- Monthly: keep 1 year",
                "```bash\npg_dump -f a.dump shop\naws s3 cp a.dump s3://b/monthly/\n```",
            ),
            (
                "- Monthly: keep 1 year",
                "```bash\npg_dump shop | restic backup --stdin\nrestic forget --keep-monthly 12\n```",
            ),
            ("## Supabase\n- Monthly: retained for 1 year", DAILY),
            ("- Monthly: keep 1 year", "```cron\n17 2 * * * /opt/backup.sh\n```"),
            ("- Monthly: keep 1 year", "No code."),
            ("- Monthly: keep 1 year", "```bash\n./scripts/backup.sh\n```"),
            ("Our monthly review is kept short.", DAILY),
        ] {
            assert_eq!(found(prose, blocks), "", "{prose} {blocks}");
        }
    }
}
