use crate::finding::Severity;
use crate::model::Set;
use crate::rule::{Findings, rule};

use super::configs::sound;

rule! {
    /// Alarms are defined, and nobody is told.
    ///
    /// ## What
    /// `alerts:` with thresholds and without `notify`. A note where backups are scheduled
    /// and there is no `alerts:` at all.
    ///
    /// ## Why
    /// A backup that shrank to nothing is noticed, written to a log, and read when it is
    /// too late.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// alerts: { size_change: 20%, min_size: 1 MB }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// alerts: { size_change: 20%, min_size: 1 MB, notify: [slack] }
    /// ```
    ///
    /// ## Sources
    /// - <https://sre.google/sre-book/monitoring-distributed-systems/>
    "alert-without-receiver" in Policy,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    sound(set, |file, config| {
        let help = "add `notify: [slack]` (or discord, email, webhook, github-issue)";
        match &config.alerts {
            Some(alerts) if alerts.notify.is_empty() => {
                findings
                    .report(file.at(&["alerts"]), "these alarms reach nobody: there is no `notify`")
                    .help(help);
            }
            None if config.tiers.values().any(|tier| tier.schedule.is_some()) => {
                findings
                    .report(
                        file.at(&["tiers"]),
                        "nobody is told when a scheduled backup fails, or is much too small",
                    )
                    .severity(Severity::Note)
                    .help("add `alerts: { size_change: 20%, notify: [slack] }`");
            }
            _ => {}
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
    fn thresholds_without_a_receiver_are_reported() {
        insta::assert_snapshot!(found("alerts: {quota: 50 GB}\n"), @r"
        backstop.yml:3:1: warning[alert-without-receiver]: these alarms reach nobody: there is no `notify`
        help: add `notify: [slack]` (or discord, email, webhook, github-issue)
        ");
        assert!(found("tiers: {daily: {schedule: '17 2 * * *'}}\n").contains("note["));
    }

    #[test]
    fn it_stays_quiet_where_somebody_is_told() {
        assert_eq!(found("alerts: {notify: [email]}\ntiers: {daily: {schedule: '17 2 * * *'}}\n"), "");
        assert_eq!(found("tiers: {migration: {keep: 3}}\n"), "");
    }
}
