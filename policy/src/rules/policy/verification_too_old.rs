use crate::manifest::Level;
use crate::model::Set;
use crate::rule::{Findings, rule};

use super::configs::{longest_gap, sound, spoken};

rule! {
    /// The newest backup that counts is older than the objective allows.
    ///
    /// ## What
    /// `counts_as: restored`, while only one tier is restored on trial and its backups
    /// come more rarely than `objectives.rpo` says; or `counts_as` asks for a level that
    /// no backup is brought to.
    ///
    /// ## Why
    /// What is measured against the objective is the age of the newest backup that has
    /// reached this level. It is missed for most of every week, so that the alarm is
    /// either always on or soon ignored.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   daily:  { schedule: "17 2 * * *", keep: 7 days }
    ///   weekly: { schedule: "17 1 * * 0", keep: 4 weeks }
    /// objectives: { rpo: 25 hours }
    /// verify: { after_backup: contents, trial_restore: weekly, counts_as: restored }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   daily:  { schedule: "17 2 * * *", keep: 7 days }
    ///   weekly: { schedule: "17 1 * * 0", keep: 4 weeks }
    /// objectives: { rpo: 25 hours }
    /// verify: { after_backup: contents, trial_restore: weekly, counts_as: contents }
    /// ```
    ///
    /// ## Sources
    /// - <https://csrc.nist.gov/glossary/term/recovery_point_objective>
    "verification-too-old" in Policy,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    sound(set, |file, config| {
        let Some(verify) = &config.verify else { return };
        let Some(counts) = verify.counts_as else { return };
        let at = file.at(&["verify", "counts_as"]);
        let reached = verify.after_backup.unwrap_or(Level::Stored);
        if reached >= counts {
            return;
        }
        let Some(trial) = &verify.trial_restore else {
            let message =
                format!("no backup counts: they are brought to '{reached}', and only '{counts}' counts");
            findings
                .report(at, message)
                .help(format!("write `after_backup: {counts}`, or `counts_as: {reached}`"));
            return;
        };
        let rpo = config.objectives.as_ref().and_then(|objectives| objectives.rpo.as_ref());
        let schedule = config.tiers.get(&trial.0.value).and_then(|tier| tier.schedule.as_deref());
        let Some((rpo, gap)) = rpo.zip(schedule.and_then(|schedule| longest_gap(&[schedule]))) else {
            return;
        };
        if i64::try_from(rpo.nominal_seconds()).is_ok_and(|allowed| gap > allowed) {
            let name = &trial.0.value;
            let message = format!(
                "the newest backup that counts is up to {} old, though {} are allowed: only {name} ones are restored",
                spoken(gap),
                rpo.value
            );
            findings
                .report(at, message)
                .help(format!(
                    "write `counts_as: {reached}`, or restore a tier on trial that comes often enough"
                ))
                .related(file.place(rpo.span), "the objective");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(verify: &str) -> String {
        let tiers = "tiers: {daily: {schedule: '17 2 * * *'}, weekly: {schedule: '17 1 * * 0'}}";
        check(
            &RULE,
            &[(
                "backstop.yml",
                &format!(
                    "version: 1\ndatabases: {{shop: {{}}}}\n{tiers}\nobjectives: {{rpo: 25 hours}}\nverify: {verify}\n"
                ),
            )],
        )
    }

    #[test]
    fn ages_are_named() {
        insta::assert_snapshot!(found("{after_backup: contents, trial_restore: weekly, counts_as: restored}"), @r"
        backstop.yml:5:57: warning[verification-too-old]: the newest backup that counts is up to 7 days old, though 25 hours are allowed: only weekly ones are restored
        help: write `counts_as: contents`, or restore a tier on trial that comes often enough
          backstop.yml:4:19: the objective
        ");
        assert!(found("{after_backup: readable, counts_as: contents}").contains("no backup counts"));
    }

    #[test]
    fn it_stays_quiet_where_each_day_has_one() {
        for verify in [
            "{after_backup: contents, trial_restore: daily, counts_as: restored}",
            "{after_backup: contents, trial_restore: weekly, counts_as: contents}",
            "{after_backup: restored, counts_as: restored}",
            "{trial_restore: weekly}",
        ] {
            assert_eq!(found(verify), "", "{verify}");
        }
    }
}
