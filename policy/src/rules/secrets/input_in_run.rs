use crate::finding::Severity;
use crate::model::Set;
use crate::parse::expression;
use crate::parse::workflow::Workflow;
use crate::rule::{Findings, rule};
use crate::rules::workflow::pasted;

rule! {
    /// Text that somebody typed is put into a script.
    ///
    /// ## What
    /// `${{ inputs.NAME }}`, or a title, a body, a branch or a payload of the event,
    /// inside `run:` of a workflow that makes backups. GitHub replaces it before the
    /// shell reads the script. An input that is a boolean, a number or a choice is a
    /// note: it holds what the workflow lists.
    ///
    /// ## Why
    /// Whoever starts the workflow, opens the issue or names the branch writes a part of
    /// the script: `x; curl …` runs beside the secrets of the database. A variable of
    /// the step's environment is never parsed.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   workflow_dispatch:
    ///     inputs:
    ///       name:
    ///         type: string
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: pg_dump -Fc -f "${{ inputs.name }}.dump" shop
    /// ```
    ///
    /// ## Good
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   workflow_dispatch:
    ///     inputs:
    ///       name:
    ///         type: string
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - env:
    ///           INPUT_NAME: ${{ inputs.name }}
    ///         run: pg_dump -Fc -f "$INPUT_NAME.dump" shop
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/concepts/security/script-injections>
    "input-in-run" in Secrets,
    severity: Warning,
    fix: Sometimes,
    check: Set(check),
}

/// What people outside of the repository write.
const FOREIGN: [&str; 13] = [
    "github.head_ref",
    "github.event.client_payload",
    "github.event.comment.body",
    "github.event.discussion.body",
    "github.event.discussion.title",
    "github.event.head_commit.message",
    "github.event.issue.body",
    "github.event.issue.title",
    "github.event.pull_request.body",
    "github.event.pull_request.head.label",
    "github.event.pull_request.head.ref",
    "github.event.pull_request.title",
    "github.event.review.body",
];

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    pasted::each(set, &mut |found| {
        let expression = expression::parse(found.expression, 0);
        // A comparison or a function gives what the workflow says, not what was typed.
        let is_chosen = !matches!(expression.root, expression::Node::Context(_) | expression::Node::Or(_));
        let typed = |name: &'_ str| typed(found.workflow, name);
        let Some((reference, input, severity)) =
            expression.references.iter().find_map(|(_, name)| typed(name))
        else {
            return;
        };
        if is_chosen {
            return;
        }
        let (what, who) = match &input {
            Some(input) => (format!("'{input}'"), "starts it"),
            None => (format!("'{reference}'"), "writes that text"),
        };
        let variable = match &input {
            Some(input) => format!("INPUT_{input}"),
            None => reference.trim_start_matches("github.event.").replace('.', "_"),
        };
        let variable = variable.replace('-', "_").to_ascii_uppercase();
        let message = match severity {
            Severity::Note => format!("GitHub pastes {what} into the script: only its type keeps code out"),
            _ => format!(
                "GitHub pastes {what} into the script: whoever {who} runs commands beside the secrets"
            ),
        };
        let report = findings
            .report(found.place(), message)
            .severity(severity)
            .help(format!("give it to the step as `env:` and write \"${variable}\""));
        if let Some(fix) = found.fix(&reference, &variable) {
            report.fix(fix);
        }
    });
}

/// A context that somebody fills in, in lower case: with the input's name, where it is one.
fn typed(workflow: &Workflow<'_>, reference: &str) -> Option<(String, Option<String>, Severity)> {
    let input = reference.strip_prefix("inputs.").or_else(|| reference.strip_prefix("github.event.inputs."));
    let Some(input) = input else {
        let foreign = FOREIGN.iter().any(|context| expression::within(reference, context));
        return foreign.then(|| (reference.to_owned(), None, Severity::Warning));
    };
    let kinds = ["workflow_dispatch", "workflow_call"].into_iter().filter_map(|trigger| {
        let inputs = workflow.trigger(trigger)?.settings?.get("inputs")?;
        let declared = inputs
            .entries()
            .iter()
            .find(|entry| entry.key.text().is_some_and(|name| name.eq_ignore_ascii_case(input)))?;
        Some(declared.value.get("type").and_then(|kind| kind.text()).unwrap_or("string").to_owned())
    });
    let kinds: Vec<String> = kinds.collect();
    let is_limited = |kind: &String| matches!(kind.as_str(), "boolean" | "number" | "choice" | "environment");
    let severity =
        if !kinds.is_empty() && kinds.iter().all(is_limited) { Severity::Note } else { Severity::Warning };
    Some((reference.to_owned(), Some(input.to_owned()), severity))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn workflow(inputs: &str, run: &str) -> String {
        format!(
            "name: backup\non:\n  workflow_dispatch:\n    inputs:\n      tag: {{{inputs}}}\njobs:\n  b:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: |\n          {run}\n          pg_dump shop > a.sql\n"
        )
    }

    fn found(inputs: &str, run: &str) -> String {
        check(&RULE, &[(".github/workflows/b.yml", &workflow(inputs, run))])
    }

    #[test]
    fn what_somebody_types_is_reported_where_it_stands() {
        insta::assert_snapshot!(found("type: string", "echo \"${{ inputs.tag }}\""), @r#"
        .github/workflows/b.yml:11:17: warning[input-in-run]: GitHub pastes 'tag' into the script: whoever starts it runs commands beside the secrets
        help: give it to the step as `env:` and write "$INPUT_TAG"
        "#);
        insta::assert_snapshot!(found("", "echo ${{ github.event.issue.title }}"), @r#"
        .github/workflows/b.yml:11:16: warning[input-in-run]: GitHub pastes 'github.event.issue.title' into the script: whoever writes that text runs commands beside the secrets
        help: give it to the step as `env:` and write "$ISSUE_TITLE"
        "#);
    }

    #[test]
    fn it_is_found_however_it_is_written() {
        for run in [
            "echo ${{ github.event.inputs.tag }}",
            "echo ${{ inputs['tag'] }}",
            "echo ${{ inputs.tag || 'none' }}",
            "git checkout ${{ github.head_ref }}",
            "echo '${{ github.event.client_payload.name }}'",
        ] {
            assert!(found("", run).contains("warning[input-in-run]"), "{run}");
        }
    }

    #[test]
    fn a_type_that_lists_values_makes_it_a_note() {
        for inputs in ["type: boolean", "type: number", "type: choice, options: [a, b]"] {
            assert!(found(inputs, "echo ${{ inputs.tag }}").contains("note[input-in-run]"), "{inputs}");
        }
    }

    #[test]
    fn it_stays_quiet_elsewhere() {
        for run in [
            "echo $TAG # ${{ inputs.tag }}",
            "echo ${{ github.event.schedule }} ${{ github.event_name }} ${{ github.run_id }}",
            "echo ${{ inputs.tag == 'x' }}",
            "echo ${{ github.event.pull_request.number }} ${{ vars.TAG }} ${{ env.TAG }}",
        ] {
            assert_eq!(found("", run), "", "{run}");
        }
        let other = "on: push\njobs:\n  b:\n    steps:\n      - run: deploy ${{ inputs.tag }}\n";
        assert_eq!(check(&RULE, &[(".github/workflows/ci.yml", other)]), "", "no backup");
    }

    #[test]
    fn the_fix_makes_a_variable() {
        let fixed = fix(&RULE, ".github/workflows/b.yml", &workflow("", "echo \"${{ inputs.tag }}\""));
        insta::assert_snapshot!(fixed, @r#"
        name: backup
        on:
          workflow_dispatch:
            inputs:
              tag: {}
        jobs:
          b:
            runs-on: ubuntu-24.04
            steps:
              - env:
                  INPUT_TAG: ${{ inputs.tag }}
                run: |
                  echo "$INPUT_TAG"
                  pg_dump shop > a.sql
        "#);
    }
}
