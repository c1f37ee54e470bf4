use crate::finding::{Edit, Fix, Place};
use crate::fix::lines_before;
use crate::model::{ActionRole, Command, Pipeline, Set, Unit};
use crate::parse::yaml::Entry;
use crate::rule::{Findings, rule};

rule! {
    /// The workflow's token may do more than a backup needs.
    ///
    /// ## What
    /// Neither the workflow nor the job says `permissions:`, or it says `write-all`; or
    /// it may write contents and no step pushes, releases or comments.
    ///
    /// ## Why
    /// Where nothing is said, the token has what the repository's settings give: in
    /// older ones that is write access to code, releases and packages. An action that
    /// was taken over, or a script that is fed a bad value, can then change the
    /// repository from inside the backup job.
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
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Good
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    /// permissions:
    ///   contents: read
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions>
    "token-permissions-missing" in Workflow,
    severity: Note,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (pipeline, unit, workflow) in set.workflows() {
        let writes = writes(set, pipeline, unit);
        let all: Vec<&Entry> = workflow
            .permissions
            .into_iter()
            .chain(workflow.jobs().filter_map(|job| job.permissions))
            .collect();
        for entry in all {
            wide(findings, unit, entry, writes);
        }
        let open = workflow.jobs().any(|job| job.permissions.is_none());
        let Some(jobs) = workflow.root.entry("jobs") else { continue };
        if workflow.permissions.is_some() || !open {
            continue;
        }
        let at = unit.place(jobs.key.span);
        let message = "nothing limits the token: where the settings allow it, every step here can change the repository";
        let report = findings.report(at, message);
        if writes {
            report.help("name the scopes that the steps need, such as `contents: write` or `issues: write`");
            continue;
        }
        let report = report.help("add `permissions: {contents: read}`");
        if let Some(edit) = insert(set, unit, at) {
            report.fix(Fix::safe("let the token read only", vec![edit]));
        }
    }
}

/// `write-all`, or write access to contents that nobody uses.
fn wide(findings: &mut Findings<'_>, unit: &Unit<'_>, entry: &Entry, writes: bool) {
    let value = &entry.value;
    if value.text() == Some("write-all") {
        findings
            .report(
                unit.place(value.span),
                "every step here can change code, releases and packages of the repository",
            )
            .help("name the scopes that the steps need");
    } else if let Some(contents) = value.get("contents").filter(|it| it.text() == Some("write") && !writes) {
        findings
            .report(unit.place(contents.span), "no step here pushes or releases, and each of them could")
            .help("`contents: read` is enough")
            .fix(Fix::safe(
                "let the token read only",
                vec![Edit::replace(unit.place(contents.span).span, "read")],
            ));
    }
}

/// Whether a step changes the repository, or opens something in it.
fn writes(set: &Set<'_>, pipeline: &Pipeline, unit: &Unit<'_>) -> bool {
    let index = set.units.iter().position(|other| std::ptr::eq(other, unit)).unwrap_or_default();
    let command = |command: &Command| {
        let has = |word: &str| command.has(word);
        match command.name.as_str() {
            "git" => has("push") || has("tag"),
            "gh" => true,
            "curl" => command.args.iter().any(|arg| arg.text.contains("api.github.com")),
            _ => false,
        }
    };
    // In a document the other blocks are other people's shells.
    let own = |it: &Command| !unit.embedded || set.script_of(it).is_some_and(|script| script.unit == index);
    pipeline.commands(set).any(|(_, it)| own(it) && command(it))
        || (!unit.embedded && pipeline.may_hide(&["git", "push", "release", "commit"]))
        || set.actions_of(index).any(|action| match action.role {
            ActionRole::Commit | ActionRole::Release { .. } | ActionRole::Script => true,
            ActionRole::Notify(_) => action.name().contains("issue"),
            // What nobody here knows may use the token.
            ActionRole::Other | ActionRole::Dump => {
                action.input("github-token").is_some() || action.input("token").is_some()
            }
            _ => false,
        })
}

fn insert(set: &Set<'_>, unit: &Unit<'_>, jobs: Place) -> Option<Edit> {
    // Not where all of it stands on one line.
    let text = &set.documents.get(unit.document)?.text;
    let start = crate::fix::line_start(text, jobs.span.start);
    let alone = text.get(start..jobs.span.start)?.trim().is_empty();
    alone.then(|| lines_before(text, jobs.span.start, &["permissions:", "  contents: read"]))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn workflow(top: &str, steps: &str) -> String {
        format!(
            "name: backup\non: push\n{top}\njobs:\n  b:\n    runs-on: u\n    steps:\n      - run: pg_dump x > a\n{steps}"
        )
    }

    fn found(top: &str, steps: &str) -> String {
        check(&RULE, &[(".github/workflows/b.yml", &workflow(top, steps))])
    }

    #[test]
    fn a_token_without_limits_is_reported_at_the_jobs() {
        insta::assert_snapshot!(found("", ""), @r"
        .github/workflows/b.yml:4:1: note[token-permissions-missing]: nothing limits the token: where the settings allow it, every step here can change the repository
        help: add `permissions: {contents: read}`
        ");
        assert!(found("", "      - run: git push\n").contains("help: name the scopes"));
        assert!(found("permissions: write-all", "").contains("3:14: note["));
        assert!(found("permissions: {contents: write}", "").contains("and each of them could"));
    }

    #[test]
    fn it_stays_quiet_where_the_scopes_are_named_and_used() {
        for (top, steps) in [
            ("permissions: {}", ""),
            ("permissions: read-all", ""),
            ("permissions: {contents: read, id-token: write}", ""),
            ("permissions: {contents: write}", "      - run: git push\n"),
            ("permissions: {contents: write}", "      - uses: softprops/action-gh-release@v2\n"),
            ("permissions: {issues: write}", "      - run: gh issue create\n"),
        ] {
            assert_eq!(found(top, steps), "", "{top} {steps}");
        }
        let job = "name: backup\non: push\njobs:\n  b:\n    runs-on: u\n    permissions: {contents: read}\n    steps:\n      - run: pg_dump x > a\n";
        assert_eq!(check(&RULE, &[(".github/workflows/b.yml", job)]), "");
    }

    #[test]
    fn the_fix_limits_the_token() {
        let fixed = fix(&RULE, ".github/workflows/b.yml", &workflow("", ""));
        assert!(fixed.contains("\npermissions:\n  contents: read\njobs:\n"), "{fixed}");
        let text = workflow("permissions: {contents: write}", "");
        assert!(fix(&RULE, ".github/workflows/b.yml", &text).contains("{contents: read}"));
    }
}
