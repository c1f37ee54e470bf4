use crate::config::StorageClass;
use crate::facts::RETRIEVAL_HOURS;
use crate::finding::Severity;
use crate::model::Set;
use crate::rule::{Findings, rule};

use super::configs::sound;

rule! {
    /// Backups lie in an archive that takes longer to open than a restore may.
    ///
    /// ## What
    /// A tier moves its backups to `GLACIER` or `DEEP_ARCHIVE`, and its own `rto` is
    /// shorter than the hours that such an object takes to come back. A note where only
    /// the objective for all of them says so.
    ///
    /// ## Why
    /// The object has to be asked for, and cannot be downloaded for hours. The clock of
    /// the recovery time runs all the while.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   weekly: { schedule: "17 1 * * 0", keep: 12 months, rto: 1 hour, archive: { after: 30 days, class: GLACIER } }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   weekly: { schedule: "17 1 * * 0", keep: 12 months, rto: 1 hour, archive: { after: 30 days, class: GLACIER_IR } }
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html>
    "archive-misses-rto" in Policy,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    sound(set, |file, config| {
        let objective = config.objectives.as_ref().and_then(|objectives| objectives.rto.as_ref());
        for (name, tier) in config.tiers.iter() {
            let Some(rto) = tier.rto.as_ref().or(objective) else { continue };
            for step in &tier.archive.0 {
                let Some((class, hours)) = retrieval(step.class) else { continue };
                if rto.nominal_seconds() >= hours * 3_600 {
                    continue;
                }
                let message = format!(
                    "a {name} backup older than {} takes up to {hours} hours to come out of {class} (S3, {}), though a \
                     restore may take {}",
                    step.after.value, RETRIEVAL_HOURS.as_of, rto.value
                );
                let report = findings
                    .report(file.place(step.after.span), message)
                    .help(format!("use GLACIER_IR, or give the tier `rto: {} hours`", hours + 1))
                    .related(file.place(rto.span), "the time that a restore may take");
                if tier.rto.is_none() {
                    report.severity(Severity::Note);
                }
                break;
            }
        }
    });
}

fn retrieval(class: StorageClass) -> Option<(&'static str, u64)> {
    let name = match class {
        StorageClass::Glacier => "GLACIER",
        StorageClass::DeepArchive => "DEEP_ARCHIVE",
        _ => return None,
    };
    RETRIEVAL_HOURS.value.iter().find(|(known, _)| *known == name).copied()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(tier: &str, rest: &str) -> String {
        check(
            &RULE,
            &[(
                "backstop.yml",
                &format!(
                    "version: 1\ndatabases: {{shop: {{}}}}\ntiers:\n  weekly: {{schedule: '17 1 * * 0', {tier}}}\n{rest}"
                ),
            )],
        )
    }

    #[test]
    fn the_hours_and_their_month_are_named() {
        insta::assert_snapshot!(found("rto: 2 hours, archive: {after: 30 days, class: DEEP_ARCHIVE}", ""), @r"
        backstop.yml:4:67: error[archive-misses-rto]: a weekly backup older than 30 days takes up to 12 hours to come out of DEEP_ARCHIVE (S3, 2026-11), though a restore may take 2 hours
        help: use GLACIER_IR, or give the tier `rto: 13 hours`
          backstop.yml:4:41: the time that a restore may take
        ");
    }

    #[test]
    fn the_common_objective_is_a_note() {
        let found = found("archive: {after: 30 days, class: GLACIER}", "objectives: {rto: 1 hour}\n");
        assert!(found.contains("note[archive-misses-rto]"), "{found}");
    }

    #[test]
    fn it_stays_quiet_where_there_is_time() {
        for (tier, rest) in [
            ("rto: 2 days, archive: {after: 30 days, class: DEEP_ARCHIVE}", "objectives: {rto: 1 hour}\n"),
            ("rto: 1 hour, archive: {after: 30 days, class: GLACIER_IR}", ""),
            ("rto: 1 hour, archive: {after: 30 days, class: STANDARD_IA}", ""),
            ("archive: {after: 30 days, class: GLACIER}", ""),
            ("rto: 1 hour", ""),
        ] {
            assert_eq!(found(tier, rest), "", "{tier}");
        }
    }
}
