use super::declare::declare;
use crate::finding::{Edit, Fix, Place, Safety, Span};
use crate::model::{Set, Unit};
use crate::parse::shell::{self, Heredoc, Part, PartKind, Quote, Visitor, Word};
use crate::parse::workflow::{Step, Workflow};
use crate::rule::{Findings, rule};

rule! {
    /// A secret is put into the text of a script.
    ///
    /// ## What
    /// `${{ secrets.NAME }}` inside `run:`. GitHub replaces it before the shell reads
    /// the script.
    ///
    /// ## Why
    /// The secret becomes code: a quote, a `$` or a backtick in a password ends a
    /// string or starts a command, and the script is written to the runner's disk with
    /// the password in it. A variable of the step's environment is never parsed.
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
    ///       - run: pg_dump -Fc -f shop.dump "${{ secrets.DATABASE_URL }}"
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
    ///       - env:
    ///           DATABASE_URL: ${{ secrets.DATABASE_URL }}
    ///         run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/reference/security/secure-use#use-an-intermediate-environment-variable>
    "secret-in-run" in Workflow,
    severity: Warning,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (_, unit, workflow) in set.workflows() {
        for job in &workflow.jobs {
            for step in &job.steps {
                let Some(run) = step.run.filter(|_| workflow.flags_of(job, step).is_some()) else { continue };
                let source = run.source(unit.text()).into_owned().within(&unit.source);
                let script = shell::parse_in(&source);
                let mut uses = Uses::default();
                shell::walk(&script, &mut uses);
                for found in uses.found {
                    let Some(name) = secret(&found.expression) else { continue };
                    let at = Place { document: unit.document, span: found.span };
                    let message = format!(
                        "GitHub pastes the value of '{name}' into the script: a quote or '$' in it breaks or runs as code"
                    );
                    let report = findings
                        .report(at, message)
                        .help(format!("give it to the step as `env:` and write \"${name}\""));
                    if let Some(fix) = fix(set, unit, &workflow, step, &found, &name) {
                        report.fix(fix);
                    }
                }
            }
        }
    }
}

/// The variable that a secret would have: `secrets.DB_URL` and `secrets['DB_URL']`.
fn secret(expression: &str) -> Option<String> {
    let at = expression
        .find("secrets.")
        .map(|at| at + 8)
        .or_else(|| expression.find("secrets['").map(|at| at + 9))?;
    let rest = expression.get(at..)?;
    let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then(|| name.to_ascii_uppercase())
}

/// `${{ … }}` in words that run; comments are none.
#[derive(Default)]
struct Uses {
    found: Vec<Use>,
    /// Here-documents in which the shell expands nothing.
    quoted: Vec<Span>,
}

struct Use {
    span: Span,
    expression: String,
    quote: Quote,
    /// Where a variable would not be expanded.
    fixed: bool,
}

impl<'s> Visitor<'s> for Uses {
    fn word(&mut self, word: &'s Word) {
        for Part { span, quote, kind } in &word.parts {
            if let PartKind::Github(expression) = kind {
                let inside =
                    self.quoted.iter().any(|heredoc| heredoc.start <= span.start && span.end <= heredoc.end);
                let fixed = inside || matches!(quote, Quote::Single | Quote::Dollar | Quote::Escape);
                self.found.push(Use { span: *span, expression: expression.clone(), quote: *quote, fixed });
            }
        }
    }

    fn heredoc(&mut self, heredoc: &'s Heredoc) {
        if heredoc.quoted {
            self.quoted.push(heredoc.span);
        }
    }
}

/// The step gets a variable, and the script names it. Only where the expression is
/// the secret alone.
fn fix(
    set: &Set<'_>,
    unit: &Unit<'_>,
    workflow: &Workflow<'_>,
    step: &Step<'_>,
    found: &Use,
    name: &str,
) -> Option<Fix> {
    let alone = found.expression.trim().eq_ignore_ascii_case(&format!("secrets.{name}"));
    if found.fixed || !alone {
        return None;
    }
    let value = |variable: &crate::parse::workflow::Variable<'_>| {
        variable.value().unwrap_or_default().replace(' ', "")
    };
    let wanted = format!("${{{{{}}}}}", found.expression.replace(' ', ""));
    let known =
        step.environment.iter().chain(&workflow.environment).find(|variable| value(variable) == wanted);
    let taken = step.environment.iter().any(|variable| variable.name == name);
    let mut edits = Vec::new();
    let variable = match known {
        Some(variable) => variable.name,
        None if taken => return None,
        None => {
            edits.push(declare(set, unit, step, name, &found.expression)?);
            name
        }
    };
    let quoted = found.quote == Quote::Double;
    let next = set.documents.get(unit.document)?.text.get(found.span.end..)?.chars().next();
    let reference = if next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '_') {
        format!("${{{variable}}}")
    } else {
        format!("${variable}")
    };
    edits.push(Edit::replace(found.span, if quoted { reference } else { format!("\"{reference}\"") }));
    // Without quotes its value was split into words, and perhaps had to be.
    let safety = if quoted { Safety::Safe } else { Safety::Unsafe };
    Some(Fix { title: format!("give the step the variable {variable}"), safety, edits })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn workflow(steps: &str) -> String {
        format!(
            "name: backup\non:\n  schedule:\n    - cron: '1 2 * * *'\njobs:\n  b:\n    runs-on: ubuntu-24.04\n    steps:\n{steps}"
        )
    }

    fn found(steps: &str) -> String {
        check(&RULE, &[(".github/workflows/b.yml", &workflow(steps))])
    }

    #[test]
    fn a_secret_in_a_script_is_reported_where_it_stands() {
        insta::assert_snapshot!(found("      - run: |\n          set -e\n          pg_dump \"${{ secrets.DB_URL }}\" > a.sql\n"), @r#"
        .github/workflows/b.yml:11:20: warning[secret-in-run]: GitHub pastes the value of 'DB_URL' into the script: a quote or '$' in it breaks or runs as code
        help: give it to the step as `env:` and write "$DB_URL"
        "#);
    }

    #[test]
    fn it_stays_quiet_elsewhere() {
        for steps in [
            "      - env:\n          DB: ${{ secrets.DB }}\n        run: pg_dump \"$DB\" > a.sql\n",
            "      - run: pg_dump shop > a.sql # ${{ secrets.DB }}\n",
            "      - run: pg_dump \"${{ vars.DB }}\" -f ${{ github.run_id }}.sql\n",
            "      - uses: acme/backup@v1\n        with: {url: \"${{ secrets.DB }}\"}\n",
            "      - if: secrets.DB != ''\n        run: pg_dump shop > a.sql\n",
        ] {
            assert_eq!(found(steps), "", "{steps}");
        }
        let other = "name: ci\non: push\njobs:\n  b:\n    steps:\n      - run: deploy ${{ secrets.TOKEN }}\n";
        assert_eq!(check(&RULE, &[(".github/workflows/ci.yml", other)]), "", "no backup");
    }

    #[test]
    fn the_fix_makes_a_variable() {
        insta::assert_snapshot!(fix(&RULE, ".github/workflows/b.yml", &workflow("      - name: Dump\n        run: |\n          pg_dump \"${{ secrets.DB_URL }}\" > a.sql\n          psql ${{ secrets.OTHER }} -c 'select 1'\n")), @r#"
        name: backup
        on:
          schedule:
            - cron: '1 2 * * *'
        jobs:
          b:
            runs-on: ubuntu-24.04
            steps:
              - name: Dump
                env:
                  OTHER: ${{ secrets.OTHER }}
                  DB_URL: ${{ secrets.DB_URL }}
                run: |
                  pg_dump "$DB_URL" > a.sql
                  psql "$OTHER" -c 'select 1'
        "#);
    }

    #[test]
    fn a_variable_that_is_there_is_used() {
        let text = workflow(
            "      - env:\n          URL: ${{ secrets.DB }}\n        run: pg_dump \"${{ secrets.DB }}\" > a.sql\n",
        );
        let fixed = fix(&RULE, ".github/workflows/b.yml", &text);
        assert!(
            fixed.ends_with("          URL: ${{ secrets.DB }}\n        run: pg_dump \"$URL\" > a.sql\n"),
            "{fixed}"
        );
    }

    #[test]
    fn single_quotes_have_no_fix() {
        let text = workflow("      - run: |\n          pg_dump '${{ secrets.DB }}' > a.sql\n");
        assert!(
            found("      - run: |\n          pg_dump '${{ secrets.DB }}' > a.sql\n")
                .contains("secret-in-run")
        );
        assert_eq!(fix(&RULE, ".github/workflows/b.yml", &text), text);
    }
}
