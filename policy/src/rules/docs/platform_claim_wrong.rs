use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::facts::plans::{self, PLANS, Plan};
use crate::finding::Severity;
use crate::model::{Amount, Passage, Set, amounts};
use crate::rule::{Findings, rule};
use crate::units::{Days, Rounded};

rule! {
    /// The document counts on backups that the provider's plan does not have.
    ///
    /// ## What
    /// A retention that is said of a plan of Supabase or Neon and is longer than what
    /// that plan keeps; recovery to any moment as a part of a plan that sells it extra.
    /// The finding says as of when the provider's page was read: check the page.
    ///
    /// ## Why
    /// It is read on the day of the loss: "30 days on the Pro plan", and the page shows
    /// seven; "recovery to any point", and the button asks to buy it from now on.
    ///
    /// ## Bad
    /// ```markdown backups.md
    /// # Backups on Supabase
    /// - **Retention**: 7 days (free tier) / 30 days (Pro tier)
    /// ```
    ///
    /// ## Good
    /// ```markdown backups.md
    /// # Backups on Supabase
    /// - **Retention**: 7 days (Pro), 14 days (Team)
    /// - Free projects export their own dumps with the workflow below
    /// - PITR: bought as an add-on, 7 days
    /// ```
    ///
    /// ## Sources
    /// - <https://supabase.com/docs/guides/platform/backups>
    /// - <https://neon.com/docs/introduction/history-window>
    "platform-claim-wrong" in Docs,
    severity: Error,
    fix: No,
    check: Set(check),
}

const ANY_MOMENT: [&str; 5] = ["pitr", "point-in-time", "point in time", "any point", "any moment"];

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let mut sold: HashSet<usize> = HashSet::new();
    let mut only: HashMap<usize, Option<&'static str>> = HashMap::new();
    for passage in &set.passages {
        let Some(provider) = provider(set, passage, &mut only) else { continue };
        if !passage.concerns(&["backup", "retention", "retain", "recover", "restore", "pitr", "history"]) {
            continue;
        }
        let known: Vec<Plan> = plans::of(provider).collect();
        let wrong = wrong(set, passage, &known);
        if !wrong.is_empty() {
            let message =
                format!("check the plan: with {provider}, {} (as of {})", wrong.join(", "), PLANS.as_of);
            findings.report(passage.at, message).help(format!(
                "plan own backups for what the provider does not keep; see {}",
                plans::source(provider)
            ));
        } else if let Some(what) = sold_extra(passage, &known)
            && sold.insert(passage.at.document)
        {
            findings
                .report(passage.at, format!("check the plan: {what} (as of {})", PLANS.as_of))
                .severity(Severity::Warning)
                .help(format!(
                    "say whether it was bought, and for how many days; see {}",
                    plans::source(provider)
                ));
        }
    }
}

/// Of the line or what it stands under; of the document, where it names only one.
fn provider(
    set: &Set<'_>,
    passage: &Passage,
    only: &mut HashMap<usize, Option<&'static str>>,
) -> Option<&'static str> {
    const OTHERS: [&str; 7] = ["rds", "aurora", "cloud sql", "render", "railway", "heroku", "planetscale"];
    let own = PROVIDERS.iter().find(|(word, _)| passage.concerns(&[word]));
    if let Some((_, name)) = own {
        return Some(name);
    }
    let document = passage.at.document;
    let only = *only.entry(document).or_insert_with(|| only_provider(&set.documents.get(document)?.text));
    only.filter(|_| !passage.concerns(&OTHERS))
}

const PROVIDERS: [(&str, &str); 2] = [("supabase", "Supabase"), ("neon", "Neon")];

/// The one that a whole document speaks of, where it is one.
fn only_provider(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let mut named = PROVIDERS.iter().filter(|(word, _)| text.contains(word));
    named.next().filter(|_| named.next().is_none()).map(|(_, name)| *name)
}

/// What is kept in truth, for each length of time that is said of a plan and too long.
fn wrong(set: &Set<'_>, passage: &Passage, known: &[Plan]) -> Vec<String> {
    let text = set.text(passage.at);
    let lengths = amounts(text);
    let names = names(text, known);
    let mut found: Vec<String> = Vec::new();
    for (index, (range, amount)) in lengths.iter().enumerate() {
        let Amount::Period(_) = amount else { continue };
        let Some(Days(days)) = amount.days() else { continue };
        let before = index.checked_sub(1).and_then(|at| lengths.get(at)).map_or(0, |(range, _)| range.end);
        let after = lengths.get(index + 1).map_or(text.len(), |(range, _)| range.start);
        let Some(plan) = plan_of(range, before, after, &names, text).or_else(|| plan_above(passage, known))
        else {
            continue;
        };
        let moment = is_any_moment(passage);
        let kept = if moment { plan.any_moment } else { plan.daily };
        if days <= kept + 0.5 {
            continue;
        }
        let said = match (kept, moment) {
            (kept, true) if kept <= 0.0 => format!("the {} plan has no recovery to any moment", plan.name),
            (kept, false) if kept <= 0.0 => format!("the {} plan has nothing to restore", plan.name),
            (kept, _) if kept < 1.0 => format!("the {} plan keeps {} hours", plan.name, Rounded(kept * 24.0)),
            (kept, true) if plan.extra => {
                format!(
                    "the {} plan keeps at most {} days, and only as a paid add-on",
                    plan.name,
                    Rounded(kept)
                )
            }
            (kept, _) => format!("the {} plan keeps {} days", plan.name, Rounded(kept)),
        };
        if !found.contains(&said) {
            found.push(said);
        }
    }
    found
}

/// Names of plans in a text, as words of their own.
fn names<'k>(text: &str, known: &'k [Plan]) -> Vec<(Range<usize>, &'k Plan)> {
    let lower = text.to_ascii_lowercase();
    let word = |at: usize, name: &str| {
        let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !letter(lower.get(..at).and_then(|it| it.chars().next_back()))
            && !letter(lower.get(at + name.len()..).and_then(|it| it.chars().next()))
    };
    let mut found: Vec<_> = known
        .iter()
        .flat_map(|plan| {
            lower
                .match_indices(plan.name)
                .map(move |(at, name)| (at..at + name.len(), plan))
                .collect::<Vec<_>>()
        })
        .filter(|(range, plan)| word(range.start, plan.name))
        .collect();
    found.sort_by_key(|(range, _)| range.start);
    found
}

/// `7 days (Pro)`, `7 days for the free tier`; else `Pro: 7 days`.
fn plan_of<'k>(
    length: &Range<usize>,
    before: usize,
    after: usize,
    names: &[(Range<usize>, &'k Plan)],
    text: &str,
) -> Option<&'k Plan> {
    let behind = names.iter().find(|(name, _)| length.end <= name.start && name.end <= after);
    let tied = behind.filter(|(name, _)| {
        let gap = text.get(length.end..name.start).unwrap_or_default();
        gap.len() < 24 && !gap.contains([',', ';', '/'])
    });
    let names_it = |gap: &str| {
        gap.len() < 40
            && !gap.contains("every")
            && (gap.contains([':', '|', '(', '=', '\u{2013}', '\u{2014}'])
                || gap.contains("plan")
                || gap.contains("tier"))
    };
    let ahead = || {
        let near = |name: &Range<usize>| {
            before <= name.start
                && name.end <= length.start
                && names_it(text.get(name.end..length.start).unwrap_or_default())
        };
        names.iter().rev().find(|(name, _)| near(name))
    };
    tied.or_else(ahead).map(|(_, plan)| *plan)
}

/// `**Free Plan:**` above.
fn plan_above<'k>(passage: &Passage, known: &'k [Plan]) -> Option<&'k Plan> {
    passage.context.iter().rev().find_map(|context| {
        let found = names(context, known);
        let named = context.to_ascii_lowercase();
        match found.as_slice() {
            [(_, plan)] if named.contains("plan") || named.contains("tier") => Some(*plan),
            _ => None,
        }
    })
}

fn is_any_moment(passage: &Passage) -> bool {
    passage.says(&ANY_MOMENT)
        || (!passage.says(&["daily"])
            && passage.context.iter().rev().take(2).any(|context| {
                let lower = context.to_ascii_lowercase();
                ANY_MOMENT.iter().any(|word| lower.contains(word))
            }))
}

/// Recovery to any moment, said as if it came with the plan.
fn sold_extra(passage: &Passage, known: &[Plan]) -> Option<String> {
    const BOUGHT: [&str; 8] = ["add-on", "addon", "add on", "extra", "paid", "bought", "purchase", "not "];
    let extra = known.iter().any(|plan| plan.extra && plan.any_moment > 0.0);
    let names = names(&passage.text, known);
    let automatic = passage.says(&["automatic", "included", "provides"])
        || !names.is_empty()
        || passage.says(&["type:", "type"]);
    let claims = passage.says(&["pitr", "point-in-time", "point in time"]) && automatic;
    (extra && claims && !passage.concerns(&BOUGHT)).then(|| {
        let provider = known.first().map_or("", |plan| plan.provider);
        format!("{provider} sells recovery to any moment as an add-on of its paid plans")
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(text: &str) -> String {
        check(&RULE, &[("a.md", &format!("# Backups with Supabase\n{text}\n"))])
    }

    #[test]
    fn a_retention_that_the_plan_does_not_have() {
        insta::assert_snapshot!(found("- **Retention**: 7 days for free tier, 30 days for Pro tier"), @r"
        a.md:2:3: error[platform-claim-wrong]: check the plan: with Supabase, the free plan has nothing to restore, the pro plan keeps 7 days (as of 2026-11)
        help: plan own backups for what the provider does not keep; see https://supabase.com/docs/guides/platform/backups
        ");
        for text in [
            "- Retention: 7 days (Pro), 30 days (Team), 90 days (Enterprise)",
            "**Free Plan:**\n- Daily backups retained for 7 days",
            "**Pro Plan:**\n- Point-in-time recovery: Last 30 days",
            "| Plan | Backup retention |\n|---|---|\n| Team | 30 days |",
        ] {
            assert!(found(text).contains("error["), "{text}");
        }
        let neon = "# Restore\nNeon keeps a history of 7 days on the free plan for a restore.\n";
        assert!(check(&RULE, &[("a.md", neon)]).contains("with Neon, the free plan keeps 6 hours"));
    }

    #[test]
    fn recovery_to_any_moment_is_sold_extra() {
        assert!(found("Supabase provides automatic Point-in-Time Recovery (PITR)").contains("warning["));
        assert!(found("- **Point-in-time recovery**: available for Pro plan and above").contains("warning["));
    }

    #[test]
    fn it_stays_quiet_on_what_is_so_or_is_not_about_plans() {
        for text in [
            "- Retention: 7 days (Pro), 14 days (Team), 30 days (Enterprise)",
            "- Daily backups: keep for 30 days in our own bucket",
            "- PITR is a paid add-on: 7 days (Pro)",
            "- Test the restore in a free project every 30 days",
            "- The pro team restores within 2 days",
            "- Go to Database > Backups and select a point in time",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
        let other = "# Backups on RDS\n- Retention: 30 days (pro tier)\n";
        assert_eq!(check(&RULE, &[("a.md", other)]), "", "another provider");
    }
}
