use crate::config::{Keep, Tier};
use crate::finding::{Severity, Span};
use crate::model::Set;
use crate::rule::{Findings, rule};

use super::configs::{longest_gap, sound, spoken};

rule! {
    /// A backup is pruned before the next one of its tier is made.
    ///
    /// ## What
    /// `keep` is shorter than the longest time between two backups of the tier's own
    /// schedule, and no `at_least` holds the last ones back. A warning where the two are
    /// equal: one run that fails is enough.
    ///
    /// ## Why
    /// For a part of every period the tier is empty. That part is when somebody asks for
    /// last month's backup.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   monthly: { schedule: "17 0 1 * *", keep: 2 weeks }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   monthly: { schedule: "17 0 1 * *", keep: 12 months }
    /// ```
    ///
    /// ## Sources
    /// - <https://pgbackrest.org/user-guide.html#retention>
    "keep-shorter-than-schedule" in Policy,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    sound(set, |file, config| {
        let overridden = config
            .databases
            .iter()
            .flat_map(|(database, entry)| entry.tiers.0.keys().map(move |tier| (database, tier)))
            .filter_map(|(database, tier)| Some((tier.clone(), config.tier(database, tier)?)));
        let own = config.tiers.iter().map(|(name, tier)| (name.clone(), tier.value.clone()));
        let mut told: Vec<Span> = Vec::new();
        for (name, tier) in own.chain(overridden) {
            let Some((span, kept, gap)) = too_short(&tier) else { continue };
            if told.contains(&span) {
                continue;
            }
            told.push(span);
            let (kept_for, every) = (spoken(kept), spoken(gap));
            let report = if kept < gap {
                let message = format!(
                    "each {name} backup is gone after {kept_for}, but the next one comes after up to {every}"
                );
                findings.report(file.place(span), message)
            } else {
                let message =
                    format!("each {name} backup goes when the next one is due: one failed run leaves none");
                findings.report(file.place(span), message).severity(Severity::Warning)
            };
            report.help("keep it longer, or add `at_least: 2`");
        }
    });
}

/// Where `keep` stands, how long it is and how long until the next backup.
fn too_short(tier: &Tier) -> Option<(Span, i64, i64)> {
    let keep = tier.keep.as_ref().filter(|_| tier.at_least.is_none())?;
    let Keep::For(period) = keep.value else { return None };
    let kept = i64::try_from(period.nominal_seconds()).ok()?;
    let gap = longest_gap(&[tier.schedule.as_deref()?])?;
    (kept <= gap).then_some((keep.span, kept, gap))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(tiers: &str) -> String {
        check(&RULE, &[("backstop.yml", &format!("version: 1\ndatabases: {{shop: {{}}}}\ntiers:\n{tiers}"))])
    }

    #[test]
    fn both_times_are_named() {
        insta::assert_snapshot!(found("  weekly: { schedule: '17 1 * * 0', keep: 3 days }\n"), @r"
        backstop.yml:4:43: error[keep-shorter-than-schedule]: each weekly backup is gone after 3 days, but the next one comes after up to 7 days
        help: keep it longer, or add `at_least: 2`
        ");
    }

    #[test]
    fn the_last_day_is_a_warning() {
        assert!(found("  daily: { schedule: '17 1 * * *', keep: 1 day }\n").contains("warning["));
    }

    #[test]
    fn it_stays_quiet_where_something_stays() {
        for tier in [
            "daily: { schedule: '17 1 * * *', keep: 2 days }",
            "monthly: { schedule: '17 0 1 * *', keep: 2 weeks, at_least: 1 }",
            "monthly: { schedule: '17 0 1 * *', keep: 1 }",
            "yearly: { schedule: '17 0 1 1 *', keep: forever }",
            "migration: { keep: 1 day }",
            "daily: { schedule: '17 1 * * *' }",
        ] {
            assert_eq!(found(&format!("  {tier}\n")), "", "{tier}");
        }
    }

    #[test]
    fn a_database_may_make_it_too_short() {
        let text = "version: 1\ndatabases: {shop: {tiers: {weekly: {keep: 3 days}}}}\ntiers:\n  weekly: {schedule: '17 1 * * 0', keep: 4 weeks}\n";
        assert!(check(&RULE, &[("backstop.yml", text)]).starts_with("backstop.yml:2:43: error["));
    }
}
