use crate::config::{Config, Tier};
use crate::finding::Severity;
use crate::manifest::Content;
use crate::model::Set;
use crate::rule::{Findings, rule};
use crate::schedule::Schedule;

use super::configs::{longest_gap, sound, spoken};

rule! {
    /// The schedules cannot keep the recovery point objective.
    ///
    /// ## What
    /// `objectives.rpo` is shorter than the longest time between two full backups of a
    /// database, over all its tiers; or nothing is scheduled at all. A note where the two
    /// are equal: a backup is ready only some time after it was begun.
    ///
    /// ## Why
    /// The objective is missed on every single day, by the plan itself. After a loss, more
    /// work is gone than was promised.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   daily: { schedule: "17 2 * * *", keep: 7 days }
    /// objectives: { rpo: 1 hour }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   daily: { schedule: "17 2 * * *", keep: 7 days }
    /// objectives: { rpo: 25 hours }
    /// ```
    ///
    /// ## Sources
    /// - <https://csrc.nist.gov/glossary/term/recovery_point_objective>
    "rpo-unreachable" in Policy,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    sound(set, |file, config| {
        let Some(rpo) = config.objectives.as_ref().and_then(|objectives| objectives.rpo.as_ref()) else {
            return;
        };
        let Ok(allowed) = i64::try_from(rpo.nominal_seconds()) else { return };
        let mut told = false;
        for database in config.databases.keys() {
            let tiers = full(config, database);
            let schedules: Vec<&Schedule> =
                tiers.iter().filter_map(|tier| tier.schedule.as_deref()).collect();
            let whose = if config.databases.len() > 1 { format!(" of {database}") } else { String::new() };
            let at = file.place(rpo.span);
            // One finding for the objective, with the first database that misses it.
            if told {
                break;
            }
            told = true;
            match longest_gap(&schedules) {
                None => {
                    findings
                        .report(
                            at,
                            format!(
                                "no full backup{whose} is scheduled, so at most {} can never hold",
                                rpo.value
                            ),
                        )
                        .help("give a tier a `schedule`");
                }
                Some(gap) if gap > allowed => {
                    let message = format!(
                        "up to {} pass between two backups{whose}: more is lost than {}",
                        spoken(gap),
                        rpo.value
                    );
                    findings
                        .report(at, message)
                        .help("back up more often, or promise what the schedules can hold");
                }
                Some(gap) if gap == allowed => {
                    let message = format!(
                        "backups{whose} come every {}: one that starts or ends late misses it",
                        spoken(gap)
                    );
                    findings
                        .report(at, message)
                        .severity(Severity::Note)
                        .help("leave an hour for the backup itself");
                }
                Some(_) => told = false,
            }
        }
    });
}

/// Tiers of a database that hold all of it.
fn full(config: &Config, database: &str) -> Vec<Tier> {
    let tiers = config.tiers.keys().filter_map(|name| config.tier(database, name));
    tiers.filter(|tier| tier.content.is_none_or(|content| content == Content::Full)).collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(rest: &str) -> String {
        check(&RULE, &[("backstop.yml", &format!("version: 1\ndatabases: {{shop: {{}}}}\n{rest}"))])
    }

    #[test]
    fn both_times_are_named() {
        insta::assert_snapshot!(found("tiers: {weekly: {schedule: '17 1 * * 0'}}\nobjectives: { rpo: 24 hours }\n"), @r"
        backstop.yml:4:20: error[rpo-unreachable]: up to 7 days pass between two backups: more is lost than 24 hours
        help: back up more often, or promise what the schedules can hold
        ");
    }

    #[test]
    fn every_form_of_it_fires() {
        for (rest, word) in [
            ("tiers: {migration: {keep: 3}}\nobjectives: {rpo: 1 day}\n", "no full backup is scheduled"),
            (
                "tiers: {daily: {schedule: '17 1 * * *', content: schema}}\nobjectives: {rpo: 1 day}\n",
                "no full backup",
            ),
            ("tiers: {daily: {schedule: '17 1 * * *'}}\nobjectives: {rpo: 24 hours}\n", "note["),
            (
                "tiers: {daily: {schedule: '17 1 * * 1-5'}}\nobjectives: {rpo: 25 hours}\n",
                "up to 3 days pass",
            ),
        ] {
            assert!(found(rest).contains(word), "{rest}: {}", found(rest));
        }
    }

    #[test]
    fn it_stays_quiet_where_the_plan_holds() {
        for rest in [
            "tiers: {daily: {schedule: '17 1 * * *'}}\nobjectives: {rpo: 25 hours}\n",
            "tiers: {a: {schedule: '0 0 * * *'}, b: {schedule: '0 12 * * *'}}\nobjectives: {rpo: 13 hours}\n",
            "tiers: {weekly: {schedule: '17 1 * * 0'}}\nobjectives: {rto: 1 hour}\n",
        ] {
            assert_eq!(found(rest), "", "{rest}");
        }
    }
}
