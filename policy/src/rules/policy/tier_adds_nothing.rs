use crate::config::Tier;
use crate::model::Set;
use crate::rule::{Findings, rule};

use super::configs::{kept, longest_gap, sound, spoken};

rule! {
    /// A rarer tier is kept no longer than a more frequent one.
    ///
    /// ## What
    /// Two tiers of the same content in the same stores, of which the one with more time
    /// between its backups is pruned sooner than the other, or at the same age.
    ///
    /// ## Why
    /// A weekly backup is there to outlive the daily ones. Kept for 7 days beside daily
    /// ones that stay 30, it is never the one that is needed; most often the two numbers
    /// were swapped.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   daily:  { schedule: "17 2 * * *", keep: 30 days }
    ///   weekly: { schedule: "17 1 * * 0", keep: 14 days }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// tiers:
    ///   daily:  { schedule: "17 2 * * *", keep: 14 days }
    ///   weekly: { schedule: "17 1 * * 0", keep: 3 months }
    /// ```
    ///
    /// ## Sources
    /// - <https://restic.readthedocs.io/en/stable/060_forget.html>
    "tier-adds-nothing" in Policy,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    sound(set, |file, config| {
        let gap = |tier: &Tier| longest_gap(&[tier.schedule.as_deref()?]);
        for (name, tier) in config.tiers.iter() {
            let Some((rare, stays)) = gap(tier).zip(kept(tier)) else { continue };
            let longer = config.tiers.iter().find(|(_, other)| {
                let as_long = kept(other).map_or(other.keep.is_some(), |other| other >= stays);
                tier.content == other.content
                    && stores(tier) == stores(other)
                    && gap(other).is_some_and(|often| often < rare)
                    && as_long
            });
            let (Some((other, longer)), Some(keep)) = (longer, &tier.keep) else { continue };
            let until =
                kept(longer).map_or("for ever".to_owned(), |seconds| format!("for {}", spoken(seconds)));
            let message = format!(
                "{name} backups add nothing: they go after {}, and {other} ones stay {until}",
                spoken(stays)
            );
            let report = findings
                .report(file.place(keep.span), message)
                .help(format!("keep {name} backups longer than {other} ones, or drop the tier"));
            if let Some(keep) = &longer.keep {
                report.related(file.place(keep.span), format!("{other} backups stay {until}"));
            }
        }
    });
}

/// By name, in one order.
fn stores(tier: &Tier) -> Vec<&str> {
    let mut names: Vec<&str> = tier.stores.iter().map(|store| store.0.value.as_str()).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(tiers: &str) -> String {
        let stores = "stores: {a: {url: 's3://one'}, b: {url: 's3://two'}}";
        check(
            &RULE,
            &[("backstop.yml", &format!("version: 1\ndatabases: {{shop: {{}}}}\n{stores}\ntiers:\n{tiers}"))],
        )
    }

    #[test]
    fn both_tiers_are_named() {
        insta::assert_snapshot!(found("  daily: { schedule: '17 2 * * *', keep: 30 days }\n  weekly: { schedule: '17 1 * * 0', keep: 2 }\n"), @r"
        backstop.yml:6:43: warning[tier-adds-nothing]: weekly backups add nothing: they go after 14 days, and daily ones stay for 30 days
        help: keep weekly backups longer than daily ones, or drop the tier
          backstop.yml:5:42: daily backups stay for 30 days
        ");
    }

    #[test]
    fn it_stays_quiet_where_each_adds_something() {
        for tiers in [
            "  daily: { schedule: '17 2 * * *', keep: 7 days }\n  weekly: { schedule: '17 1 * * 0', keep: 4 weeks }\n",
            "  daily: { schedule: '17 2 * * *', keep: 30 days, stores: [a] }\n  weekly: { schedule: '17 1 * * 0', keep: 2, stores: [b] }\n",
            "  daily: { schedule: '17 2 * * *', keep: 30 days }\n  weekly: { schedule: '17 1 * * 0' }\n",
            "  daily: { schedule: '17 2 * * *', keep: 30 days }\n  schema: { schedule: '17 1 * * 0', keep: 2, content: schema }\n",
            "  daily: { schedule: '17 2 * * *', keep: 30 days }\n  migration: { keep: 3 }\n",
        ] {
            assert_eq!(found(tiers), "", "{tiers}");
        }
    }
}
