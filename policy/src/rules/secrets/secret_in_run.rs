use crate::model::Set;
use crate::parse::expression;
use crate::rule::{Findings, rule};
use crate::rules::workflow::pasted;

rule! {
    /// A secret is put into the text of a script.
    ///
    /// ## What
    /// `${{ secrets.NAME }}` inside `run:`, or the output of a step that is called a
    /// password. GitHub replaces it before the shell reads the script.
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
    "secret-in-run" in Secrets,
    severity: Warning,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    pasted::each(set, &mut |found| {
        let expression = expression::parse(found.expression, 0);
        let Some((reference, name)) = expression.references.iter().find_map(|(_, name)| secret(name)) else {
            return;
        };
        let message = format!(
            "GitHub pastes the value of '{name}' into the script: a quote or '$' in it breaks or runs as code"
        );
        let report = findings
            .report(found.place(), message)
            .help(format!("give it to the step as `env:` and write \"${name}\""));
        if let Some(fix) = found.fix(reference, &name) {
            report.fix(fix);
        }
    });
}

/// A context that is secret, and the variable that it would have: of the repository's
/// secrets, or what a step hands on under the name of one.
fn secret(reference: &str) -> Option<(&str, String)> {
    let parts: Vec<&str> = reference.split('.').collect();
    let name = match parts.as_slice() {
        ["secrets", name] => name,
        ["steps", _, "outputs", name] if SECRET_WORDS.iter().any(|word| name.contains(word)) => name,
        _ => return None,
    };
    Some((reference, name.replace('-', "_").to_ascii_uppercase()))
}

/// In names of outputs, in lower case.
const SECRET_WORDS: [&str; 5] = ["password", "passphrase", "secret", "database_url", "connection_string"];

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
            "      - run: pg_dump shop > \"${{ steps.name.outputs.file }}\"\n",
        ] {
            assert_eq!(found(steps), "", "{steps}");
        }
        let other = "name: ci\non: push\njobs:\n  b:\n    steps:\n      - run: deploy ${{ secrets.TOKEN }}\n";
        assert_eq!(check(&RULE, &[(".github/workflows/ci.yml", other)]), "", "no backup");
    }

    #[test]
    fn it_is_found_however_it_is_written() {
        for run in [
            "pg_dump ${{ secrets['DB_URL'] }} > a.sql",
            "pg_dump '${{secrets.db_url}}' > a.sql",
            "PGPASSWORD=${{ secrets.A || secrets.B }} pg_dump shop > a.sql",
            "pg_dump \"postgres://u:${{ steps.vault.outputs.db_password }}@h/d\" > a.sql",
        ] {
            assert_ne!(found(&format!("      - run: {run:?}\n")), "", "{run}");
        }
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
