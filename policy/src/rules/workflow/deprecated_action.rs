use crate::facts::actions::{RETIRED, retired};
use crate::finding::{Edit, Fix, Severity, Span};
use crate::model::Set;
use crate::parse::workflow::Uses;
use crate::rule::{Findings, rule};

rule! {
    /// An action is used in a version that GitHub has retired.
    ///
    /// ## What
    /// `actions/upload-artifact` and `download-artifact` before v4 and `actions/cache`
    /// before v3, which GitHub refuses; actions that were written for Node 12, which
    /// the runners no longer have (a warning: they may start on a newer one).
    ///
    /// ## Why
    /// The job fails when it starts or when it comes to that step: no backup is made, or
    /// the one that was made is not kept.
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
    ///       - run: pg_dump "$DATABASE_URL" | age -r "$RECIPIENT" > shop.sql.age
    ///       - uses: actions/upload-artifact@v3
    ///         with: { path: shop.sql.age }
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
    ///       - run: pg_dump "$DATABASE_URL" | age -r "$RECIPIENT" > shop.sql.age
    ///       - uses: actions/upload-artifact@v4
    ///         with: { path: shop.sql.age }
    /// ```
    ///
    /// ## Sources
    /// - <https://github.blog/changelog/2024-04-16-deprecation-notice-v3-of-the-artifact-actions/>
    /// - <https://github.blog/changelog/2024-12-05-notice-of-upcoming-releases-and-breaking-changes-for-github-actions/>
    /// - <https://github.blog/changelog/2023-06-13-github-actions-all-actions-will-run-on-node16-instead-of-node12-by-default/>
    "deprecated-action" in Workflow,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (_, unit, workflow) in set.workflows() {
        let steps = workflow.jobs().flat_map(|job| job.steps());
        for uses in steps.filter_map(|step| step.uses) {
            let Some(major) = major(&uses) else { continue };
            let Some(known) = retired(&uses.name.to_ascii_lowercase(), major) else { continue };
            let at = unit.place(uses.node.span);
            let (name, new, as_of) = (known.action, known.below, RETIRED.as_of);
            let report = if known.refused {
                let message = format!("GitHub refuses {name}@v{major}: the job fails here (as of {as_of})");
                findings.report(at, message)
            } else {
                let message = format!(
                    "{name}@v{major} was written for Node 12, which the runners have lost: it may fail any day (as of {as_of})"
                );
                findings.report(at, message).severity(Severity::Warning)
            };
            let report = report.help(format!("use {name}@v{new} or later"));
            let reference = uses.reference.unwrap_or_default();
            let text = set.text(at);
            // A digest has no number to change.
            if let Some(start) = text.rfind(reference).filter(|_| !reference.is_empty()) {
                let span = Span::new(at.span.start + start, at.span.start + start + reference.len());
                report.fix(Fix::safe(format!("use v{new}"), vec![Edit::replace(span, format!("v{new}"))]));
            }
        }
    }
}

/// `3` of `v3.1.0`, `v3-node20` and `3`.
fn major(uses: &Uses<'_>) -> Option<u32> {
    let reference = uses.reference?;
    let digits = reference.strip_prefix('v').unwrap_or(reference);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (number, rest) = digits.split_at(end);
    let is_version = rest.is_empty() || rest.starts_with(['.', '-']);
    (number.len() < 4 && is_version).then(|| number.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn workflow(uses: &str) -> String {
        format!(
            "name: backup\non: push\njobs:\n  b:\n    runs-on: u\n    steps:\n      - run: pg_dump x > a\n      - uses: {uses}\n"
        )
    }

    fn found(uses: &str) -> String {
        check(&RULE, &[(".github/workflows/b.yml", &workflow(uses))])
    }

    #[test]
    fn what_github_refuses_is_reported_with_its_date() {
        insta::assert_snapshot!(found("actions/upload-artifact@v3.1.2"), @r"
        .github/workflows/b.yml:8:15: error[deprecated-action]: GitHub refuses actions/upload-artifact@v3: the job fails here (as of 2026-11)
        help: use actions/upload-artifact@v4 or later
        ");
        for uses in ["actions/cache@v2", "Actions/Download-Artifact@v1", "actions/cache/save@v1"] {
            assert!(found(uses).contains("error["), "{uses}");
        }
        assert!(found("aws-actions/configure-aws-credentials@v1").contains("warning["));
    }

    #[test]
    fn it_stays_quiet_on_what_is_current_or_unknown() {
        for uses in [
            "actions/upload-artifact@v4",
            "actions/upload-artifact@v10",
            "actions/cache@v3",
            "actions/checkout@v4.1.1",
            "acme/upload-artifact@v1",
            "actions/upload-artifact@main",
            "actions/upload-artifact@0123456789abcdef0123456789abcdef01234567",
            "docker://actions/cache:v1",
            "./actions/cache",
        ] {
            assert_eq!(found(uses), "", "{uses}");
        }
    }

    #[test]
    fn the_fix_changes_the_version_alone() {
        assert_eq!(
            fix(&RULE, ".github/workflows/b.yml", &workflow("\"actions/upload-artifact@v3\" # keep")),
            workflow("\"actions/upload-artifact@v4\" # keep")
        );
    }
}
