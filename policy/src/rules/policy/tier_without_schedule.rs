use crate::finding::Severity;
use crate::model::{Set, Tier};
use crate::rule::{Findings, rule};

use super::configs::sound;

/// Names of tiers that are made on request.
const ON_REQUEST: [&str; 11] = [
    "migration",
    "migrate",
    "manual",
    "pre",
    "before",
    "release",
    "deploy",
    "request",
    "adhoc",
    "ad-hoc",
    "final",
];

rule! {
    /// A tier has no schedule, so that nobody makes its backups.
    ///
    /// ## What
    /// A tier whose name says how often (`daily`), or that `trial_restore` names, without
    /// `schedule`. Any other one is a note, unless its name says that it is made on
    /// request (`migration`, `manual`, `release`).
    ///
    /// ## Why
    /// The file reads as if there were monthly backups. There is one for each time that
    /// somebody typed `backstop backup --tier monthly`.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   monthly: { keep: 12 months }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   monthly:   { schedule: "17 0 1 * *", keep: 12 months }
    ///   migration: { keep: 3, at_least: 30 days }
    /// ```
    ///
    /// ## Sources
    /// - <https://man7.org/linux/man-pages/man5/crontab.5.html>
    "tier-without-schedule" in Policy,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    sound(set, |file, config| {
        let trial = config.verify.as_ref().and_then(|verify| verify.trial_restore.as_ref());
        for (name, tier) in config.tiers.iter() {
            let elsewhere = config
                .databases
                .iter()
                .any(|(database, _)| config.tier(database, name).is_some_and(|tier| tier.schedule.is_some()));
            if tier.schedule.is_some() || elsewhere {
                continue;
            }
            let periodic = Tier::only_in(name).is_some();
            let tried = trial.is_some_and(|trial| trial.0.value == *name);
            let on_request = ON_REQUEST.iter().any(|word| name.starts_with(word) || name.ends_with(word));
            let message = match (tried, periodic) {
                (true, _) => {
                    format!("nothing makes {name} backups, and these are the ones that are restored on trial")
                }
                (false, true) => format!("nothing makes {name} backups: the tier has no schedule"),
                (false, false) if on_request => continue,
                (false, false) => format!("{name} backups are made only when somebody asks for one"),
            };
            let report =
                findings.report(file.place(tier.span), message).help("add `schedule: \"17 2 * * *\"`");
            if !periodic && !tried {
                report.severity(Severity::Note);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(rest: &str) -> String {
        check(&RULE, &[("backstop.yml", &format!("version: 1\ndatabases: {{shop: {{}}}}\n{rest}"))])
    }

    #[test]
    fn a_name_that_says_how_often_is_an_error() {
        insta::assert_snapshot!(found("tiers:\n  nightly: { keep: 7 days }\n  cold: { keep: forever }\n"), @r#"
        backstop.yml:4:3: error[tier-without-schedule]: nothing makes nightly backups: the tier has no schedule
        help: add `schedule: "17 2 * * *"`
        backstop.yml:5:3: note[tier-without-schedule]: cold backups are made only when somebody asks for one
        help: add `schedule: "17 2 * * *"`
        "#);
        assert!(
            found("tiers:\n  cold: { keep: 7 days }\nverify: { trial_restore: cold }\n").contains("error[")
        );
    }

    #[test]
    fn it_stays_quiet_where_it_is_made() {
        for rest in [
            "tiers:\n  daily: { schedule: '17 2 * * *' }\n",
            "tiers:\n  migration: { keep: 3, at_least: 30 days }\n",
            "tiers:\n  pre-deploy: { keep: 3 }\n",
            "",
        ] {
            assert_eq!(found(rest), "", "{rest}");
        }
        let by_database = "version: 1\ndatabases: {shop: {tiers: {daily: {schedule: '17 2 * * *'}}}}\ntiers: {daily: {keep: 7 days}}\n";
        assert_eq!(check(&RULE, &[("backstop.yml", by_database)]), "");
    }
}
