use crate::document::Kind;
use crate::finding::Place;
use crate::model::{Passage, Promise, Set, Subject};
use crate::rule::{Findings, rule};

rule! {
    /// The objectives are absent, or contradict what else the document says.
    ///
    /// ## What
    /// A backup strategy that names no recovery point objective (RPO) or no recovery
    /// time objective (RTO); "zero data loss" beside an RPO; a scenario that takes
    /// longer than the longest RTO.
    ///
    /// ## Why
    /// Without a number nobody can tell whether a daily dump is enough or a restore of
    /// four hours is too slow. With two numbers that exclude each other everybody
    /// believes the better one.
    ///
    /// ## Bad
    /// ```markdown backups.md
    /// # Backup strategy
    /// - RPO: 24 hours
    /// - RTO: 1 hour
    ///
    /// ## Scenario: complete loss
    /// **Time to recovery:** 1-4 hours
    /// ```
    ///
    /// ## Good
    /// ```markdown backups.md
    /// # Backup strategy
    /// - RPO: 25 hours
    /// - RTO: 4 hours
    ///
    /// ## Scenario: complete loss
    /// **Time to recovery:** 1-3 hours
    /// ```
    ///
    /// ## Sources
    /// - <https://csrc.nist.gov/pubs/sp/800/34/r1/upd1/final>
    /// - <https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_planning_for_recovery_objective_defined_recovery.html>
    "rto-rpo-conflict" in Docs,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (index, document) in set.documents.iter().enumerate() {
        if document.kind != Kind::Markdown {
            continue;
        }
        let own: Vec<&Promise> = set.promises.iter().filter(|it| it.at.document == index).collect();
        missing(set, index, findings);
        zero(set, index, &own, findings);
        scenarios(set, &own, findings);
    }
}

/// A strategy, by its title, that has no objectives.
fn missing(set: &Set<'_>, index: usize, findings: &mut Findings<'_>) {
    let Some(title) = set.headings(index).first() else { return };
    let lower = title.text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let strategy =
        has(&["strategy", "policy", "plan", "disaster recovery", "backup & recovery", "backup and recovery"])
            && has(&["backup", "recovery", "continuity"]);
    // One line may hold both.
    let says = |subject, words: &[&str]| {
        let here = |promise: &&Promise| promise.at.document == index;
        set.promises.iter().filter(here).any(|promise| {
            promise.subject == subject
                || set.passages.get(promise.passage).is_some_and(|passage| passage.says(words))
        })
    };
    let what = match (says(Subject::Rpo, &["rpo"]), says(Subject::Rto, &["rto"])) {
        (true, true) => return,
        (false, false) => "how much work may be lost (RPO) nor how long a restore may take (RTO)",
        (false, true) => "how much work may be lost (RPO)",
        (true, false) => "how long a restore may take (RTO)",
    };
    if !strategy {
        return;
    }
    let at = Place { document: index, span: title.span };
    let not = if what.contains(" nor ") { "neither" } else { "not" };
    findings
        .report(at, format!("this says {not} {what}: nobody can tell whether the rest is enough"))
        .help("write both as numbers for each database, and measure them in drills");
}

/// "Zero data loss" beside a loss that is allowed.
fn zero(set: &Set<'_>, index: usize, own: &[&Promise], findings: &mut Findings<'_>) {
    let allowed = own.iter().filter(|promise| promise.subject == Subject::Rpo);
    let longest = allowed.max_by(|one, other| days(one).total_cmp(&days(other)));
    let Some(longest) = longest else { return };
    let claims = |passage: &&Passage| {
        passage.at.document == index
            && passage.says(&[
                "zero data loss",
                "no data loss",
                "zero loss",
                "without data loss",
                "without any data loss",
            ])
            && !passage.says(&[
                "not ",
                "cannot",
                "never",
                "near-zero",
                "near zero",
                "verify",
                "check",
                "ensure that",
            ])
    };
    for passage in set.passages.iter().filter(claims) {
        let message =
            format!("no loss is promised here, and a loss of {} is allowed elsewhere", longest.amount);
        findings
            .report(passage.at, message)
            .help("only synchronous replication loses nothing: promise what the backups can keep")
            .related(longest.at, "the objective");
    }
}

fn days(promise: &Promise) -> f64 {
    promise.amount.days().map_or(0.0, |days| days.0)
}

/// A recovery that takes longer than the longest objective.
fn scenarios(set: &Set<'_>, own: &[&Promise], findings: &mut Findings<'_>) {
    let (mut objectives, mut takes) = (Vec::new(), Vec::new());
    for promise in own.iter().filter(|promise| promise.subject == Subject::Rto) {
        let Some(passage) = set.passages.get(promise.passage) else { continue };
        match kind(passage) {
            Some(true) => objectives.push(*promise),
            Some(false) => takes.push(*promise),
            None => {}
        }
    }
    let Some(objective) = objectives.into_iter().max_by(|one, other| days(one).total_cmp(&days(other)))
    else {
        return;
    };
    let mut last = None;
    for promise in takes.into_iter().filter(|it| days(it) > days(objective) * 1.01) {
        if last.replace(promise.passage) == Some(promise.passage) {
            continue;
        }
        let message = format!(
            "this recovery takes up to {}, and the longest objective is {}",
            promise.amount, objective.amount
        );
        findings
            .report(promise.at, message)
            .help("measure it in a drill, and raise the objective or shorten the way")
            .related(objective.at, "the objective");
    }
}

/// Whether a line is an objective; or how long something takes. Steps of an
/// objective ("time to detect") are neither.
fn kind(passage: &Passage) -> Option<bool> {
    let under = passage.context.iter().rev().take(2).any(|context| {
        let lower = context.to_ascii_lowercase();
        lower.contains("rto") || lower.contains("recovery time objective")
    });
    let step = passage.says(&["time to", "detect", "assess"]);
    match (passage.says(&["rto", "recovery time objective", "target"]) || (under && !step), under) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => passage
            .says(&["time to recover", "recovery time", "time to restore", "restore time"])
            .then_some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(text: &str) -> String {
        check(&RULE, &[("a.md", text)])
    }

    const OBJECTIVES: &str = "# Backup strategy\n### RTO\n**Target:** 1 hour\n- Time to detect: 3 hours\n### RPO\n**Target:** 24 hours\n";

    #[test]
    fn a_strategy_without_objectives() {
        insta::assert_snapshot!(found("# Database Backup Strategy\n- Measure recovery time (RTO)\n"), @r"
        a.md:1:1: warning[rto-rpo-conflict]: this says neither how much work may be lost (RPO) nor how long a restore may take (RTO): nobody can tell whether the rest is enough
        help: write both as numbers for each database, and measure them in drills
        ");
        assert!(found("# Disaster recovery plan\nRPO: 1 hour\n").contains("says not how long"));
    }

    #[test]
    fn a_scenario_that_takes_longer_than_the_objective() {
        let found = found(&format!("{OBJECTIVES}### Scenario\n**Time to Recovery:** 1-4 hours\n"));
        assert!(found.contains("a.md:8:25: warning[") && found.contains("up to 4 hours"), "{found}");
        assert_eq!(found.matches("warning[").count(), 1, "{found}");
    }

    #[test]
    fn no_loss_beside_an_objective() {
        let found =
            found(&format!("{OBJECTIVES}## Goals\n- **Protection**: Zero data loss in case of failures\n"));
        assert!(found.contains("a.md:8:3: warning[") && found.contains("a loss of 24 hours"), "{found}");
    }

    #[test]
    fn it_stays_quiet_on_what_agrees_and_on_other_documents() {
        for text in [
            OBJECTIVES.to_owned(),
            format!("{OBJECTIVES}## Scenario\n**Time to Recovery:** 30-60 minutes\n"),
            format!("{OBJECTIVES}We cannot promise zero data loss.\n"),
            "# Runbook: restore one table\nRecovery time: 4 hours\n".to_owned(),
            "# How to deploy\nNo data loss here.\n".to_owned(),
            "# Backup strategy\nRPO: 1 hour, RTO: 2 hours\n".to_owned(),
        ] {
            assert_eq!(found(&text), "", "{text}");
        }
    }
}
