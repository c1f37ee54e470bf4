use crate::manifest::Level;
use crate::model::Set;
use crate::rule::{Findings, rule};

use super::configs::sound;

rule! {
    /// No backup is ever restored on trial.
    ///
    /// ## What
    /// Neither does `verify: trial_restore:` name a tier, nor does `after_backup` reach
    /// `restored`.
    ///
    /// ## Why
    /// Whether a backup restores is known when it was restored. Reading it to its end
    /// finds damage; it does not find the extension, the owner or the table that is not
    /// there.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   daily: { schedule: "17 2 * * *", keep: 7 days }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   daily: { schedule: "17 2 * * *", keep: 7 days }
    /// verify: { trial_restore: daily }
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/backup-dump.html>
    "trial-restore-missing" in Policy,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    sound(set, |file, config| {
        let verify = config.verify.as_ref();
        let tried = verify.is_some_and(|verify| {
            verify.trial_restore.is_some() || verify.after_backup == Some(Level::Restored)
        });
        let scheduled = config.tiers.iter().find(|(_, tier)| tier.schedule.is_some());
        let Some((name, _)) = scheduled.filter(|_| !tried) else { return };
        findings
            .report(
                file.key(&["verify"]).unwrap_or_else(|| file.at(&["tiers"])),
                "no backup is ever restored: whether one can be will be known when it has to",
            )
            .help(format!("add `verify: {{ trial_restore: {name} }}`"));
    });
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(rest: &str) -> String {
        let tiers = "tiers: {daily: {schedule: '17 2 * * *'}}";
        check(&RULE, &[("backstop.yml", &format!("version: 1\ndatabases: {{shop: {{}}}}\n{tiers}\n{rest}"))])
    }

    #[test]
    fn it_is_reported_where_verification_is_said() {
        insta::assert_snapshot!(found("verify: {after_backup: contents}\n"), @r"
        backstop.yml:4:1: warning[trial-restore-missing]: no backup is ever restored: whether one can be will be known when it has to
        help: add `verify: { trial_restore: daily }`
        ");
        assert!(found("").starts_with("backstop.yml:3:1: warning["));
    }

    #[test]
    fn it_stays_quiet_where_one_is_restored() {
        assert_eq!(found("verify: {trial_restore: daily}\n"), "");
        assert_eq!(found("verify: {after_backup: restored}\n"), "");
        assert_eq!(check(&RULE, &[("backstop.yml", "version: 1\ndatabases: {shop: {}}\n")]), "");
    }
}
