use std::collections::BTreeMap;

use crate::finding::{Place, Severity};
use crate::model::Set;
use crate::parse::workflow::{Job, Uses, Workflow};
use crate::rule::{Findings, rule};

rule! {
    /// An action is named by a tag or branch that its owner can move.
    ///
    /// ## What
    /// `uses:` without a full commit digest in a workflow that makes backups. GitHub's
    /// own actions are a note; those of others, in a job that is given secrets, and
    /// branches are warnings. Actions of the repository itself are left alone. Each
    /// action is reported once.
    ///
    /// ## Why
    /// Whoever can move the tag runs code beside the database's password and the
    /// backup's key. It has happened: in March 2025 all tags of a widely used action
    /// were moved to a commit that printed the secrets of each run.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - uses: acme/setup-postgres@v2
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    ///         env:
    ///           DATABASE_URL: ${{ secrets.DATABASE_URL }}
    /// ```
    ///
    /// ## Good
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - uses: acme/setup-postgres@2c0ea17b6f9d3b8e05a4c7d1928374650a1b2c3d # v2.1.0
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    ///         env:
    ///           DATABASE_URL: ${{ secrets.DATABASE_URL }}
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/security/secure-use#using-third-party-actions>
    /// - <https://www.cisa.gov/news-events/alerts/2025/03/18/supply-chain-compromise-third-party-tj-actionschanged-files-cve-2025-30066-and-reviewdogaction>
    "action-unpinned" in Workflow,
    severity: Note,
    fix: No,
    check: Set(check),
}

const HELP: &str = "write the commit digest and the version behind it as a comment; Renovate and Dependabot keep both up to date";

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (_, unit, workflow) in set.workflows() {
        let mut own: Vec<(Place, &str)> = Vec::new();
        let mut others: BTreeMap<&str, (Vec<Place>, Severity)> = BTreeMap::new();
        for job in workflow.jobs() {
            for uses in job.uses.into_iter().chain(job.steps().filter_map(|step| step.uses)) {
                if uses.is_local() || uses.is_docker() || uses.is_pinned() || uses.name.contains("${{") {
                    continue;
                }
                let at = unit.place(uses.node.span);
                let owner = uses.name.split('/').next().unwrap_or_default();
                if matches!(owner.to_ascii_lowercase().as_str(), "actions" | "github") {
                    own.push((at, uses.name));
                    continue;
                }
                let name = uses.node.text().unwrap_or_default().trim();
                let severity = severity(&workflow, &job, &uses);
                let entry = others.entry(name).or_insert_with(|| (Vec::new(), severity));
                entry.0.push(at);
                entry.1 = entry.1.min(severity);
            }
        }
        if let Some((first, rest)) = own.split_first() {
            let more = match rest.len() {
                0 => String::new(),
                count => format!(" (the same holds for {count} more of GitHub's actions)"),
            };
            let message = format!("whoever can move this tag runs code in a job that makes backups{more}");
            findings.report(first.0, message).help(HELP);
        }
        for (name, (places, severity)) in others {
            let Some((first, rest)) = places.split_first() else { continue };
            let owner = name.split('/').next().unwrap_or_default();
            let message =
                format!("whoever can move this tag of '{owner}' runs code in a job that makes backups");
            let mut report = findings.report(*first, message).help(HELP).severity(severity);
            for place in rest {
                report = report.related(*place, "used here as well");
            }
        }
    }
}

fn severity(workflow: &Workflow<'_>, job: &Job<'_>, uses: &Uses<'_>) -> Severity {
    let reference = uses.reference.unwrap_or_default();
    let version = reference.trim_start_matches('v');
    let branch = !version.starts_with(|c: char| c.is_ascii_digit());
    let mut secrets = job.secrets.is_some()
        || workflow.environment.iter().any(|it| it.value().is_some_and(|value| value.contains("secrets.")));
    job.node.scalars(&mut |_, scalar| secrets |= scalar.text.contains("secrets."));
    if branch || secrets { Severity::Warning } else { Severity::Note }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(steps: &str) -> String {
        let text = format!(
            "name: backup\non: push\njobs:\n  b:\n    runs-on: u\n    steps:\n      - run: pg_dump x > a\n{steps}"
        );
        check(&RULE, &[(".github/workflows/b.yml", &text)])
    }

    #[test]
    fn each_action_is_reported_once() {
        let steps = "      - uses: actions/checkout@v4\n      - uses: acme/x@v2\n        with: {t: \"${{ secrets.T }}\"}\n      - uses: actions/cache@v4\n      - uses: acme/x@v2\n";
        insta::assert_snapshot!(found(steps), @r"
        .github/workflows/b.yml:8:15: note[action-unpinned]: whoever can move this tag runs code in a job that makes backups (the same holds for 1 more of GitHub's actions)
        help: write the commit digest and the version behind it as a comment; Renovate and Dependabot keep both up to date
        .github/workflows/b.yml:9:15: warning[action-unpinned]: whoever can move this tag of 'acme' runs code in a job that makes backups
        help: write the commit digest and the version behind it as a comment; Renovate and Dependabot keep both up to date
          .github/workflows/b.yml:12:15: used here as well
        ");
    }

    #[test]
    fn branches_are_worse_than_tags() {
        assert!(found("      - uses: acme/x@main\n").contains("warning["));
        assert!(found("      - uses: acme/x\n").contains("warning["));
        assert!(found("      - uses: acme/x@2.1\n").contains("note["));
        assert!(found("      - uses: acme/x@0123abc\n").contains("note["), "a short digest");
    }

    #[test]
    fn it_stays_quiet_on_digests_and_own_actions() {
        for uses in [
            "acme/x@0123456789abcdef0123456789abcdef01234567 # v2",
            "./.github/actions/dump",
            "docker://postgres@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(found(&format!("      - uses: {uses}\n")), "", "{uses}");
        }
        let ci = "name: ci\non: push\njobs:\n  b:\n    runs-on: u\n    steps:\n      - uses: acme/x@v2\n";
        assert_eq!(check(&RULE, &[(".github/workflows/ci.yml", ci)]), "", "no backup");
    }
}
