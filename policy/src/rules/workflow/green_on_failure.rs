use super::green::{self, Look};
use crate::model::Set;
use crate::rule::{Findings, rule};

rule! {
    /// A failed or missing backup ends with success.
    ///
    /// ## What
    /// A guard on a missing secret ends with `exit 0`; the branch for a failed dump only
    /// prints; `pg_dump … || true`; `continue-on-error: true`; a script without
    /// `set -e` that prints "completed" whatever has happened before.
    ///
    /// ## Why
    /// The run is green, the timer is happy, the line in the log says success - and
    /// there is no backup. A deleted secret or an expired password goes unnoticed until
    /// somebody needs to restore.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// if [ -z "${DATABASE_URL:-}" ]; then
    ///   echo "DATABASE_URL not set, skipping backup"
    ///   exit 0
    /// fi
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    /// or
    /// ```bash backup.sh
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL" || true
    /// aws s3 cp shop.dump s3://shop-backups/
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// if [ -z "${DATABASE_URL:-}" ]; then
    ///   echo "DATABASE_URL not set" >&2
    ///   exit 1
    /// fi
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnu.org/software/bash/manual/html_node/The-Set-Builtin.html>
    /// - <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepscontinue-on-error>
    "green-on-failure" in Workflow,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        for script in pipeline.scripts.iter().filter_map(|index| set.scripts.get(*index)) {
            Look::at(set, script).report(findings);
        }
    }
    green::continued(set, findings);
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn script(text: &str) -> String {
        check(&RULE, &[("backup.sh", text)])
    }

    #[test]
    fn a_guard_that_ends_well_is_reported_at_its_exit() {
        insta::assert_snapshot!(script("set -e\nif [[ -z $URL ]]; then\n  echo skip\n  exit 0\nfi\npg_dump \"$URL\" > a\n"), @r"
        backup.sh:4:3: error[green-on-failure]: without URL this ends here with success: no backup, and the run is green
        help: `exit 1`: a missing setting is a failed backup
        ");
    }

    #[test]
    fn branches_for_a_failure_that_only_print() {
        for text in [
            "if ! pg_dump x > a; then echo failed; fi\naws s3 cp a s3://b/\n",
            "if pg_dump x > a; then aws s3 cp a s3://b/; else echo \"dump failed\"; fi\n",
            "pg_dump x > a\nif [ $? -ne 0 ]; then echo failed; fi\naws s3 cp a s3://b/\n",
            "pg_dump x > a\nif [ $? -eq 0 ]; then echo ok; else echo failed; fi\n",
            "if [ -n \"$URL\" ]; then pg_dump $URL > a; else echo \"URL not set - skipped database\"; fi\n",
            "pg_dump x > a\nif [ -n \"$B\" ]; then\n if command -v aws; then aws s3 cp a s3://$B/\n else echo \"aws not found, local only\"; fi\nfi\n",
            "set -e\nif command -v pg_dump >/dev/null; then pg_dump x > a; else echo \"pg_dump not installed\"; fi\n",
        ] {
            assert_eq!(script(text).matches("error[").count(), 1, "{text}{}", script(text));
        }
    }

    #[test]
    fn handlers_that_swallow_and_claims_that_are_always_made() {
        assert!(script("set -e\npg_dump x > a || true\n").contains("2:1: error["));
        assert!(
            script("set -eo pipefail\npg_dump x | gzip > a || echo \"dump failed\"\n")
                .contains("2:1: error[")
        );
        assert!(script("set -e\npg_dump x > a\naws s3 cp a s3://b/ || :\n").contains("3:1: error["));
        insta::assert_snapshot!(script("pg_dump x > a\ngzip a\necho \"Backup completed: a.gz\"\n"), @r#"
        backup.sh:3:1: error[green-on-failure]: this is printed, and the script ends well, whether pg_dump has worked or not
        help: put `set -euo pipefail` at the top
          backup.sh:1:1: its failure is forgotten
        "#);
        let text = "name: backup\non: push\njobs:\n  b:\n    steps:\n      - run: pg_dump $URL > a.sql\n        continue-on-error: true\n";
        assert!(check(&RULE, &[(".github/workflows/b.yml", text)]).contains("7:28: error["));
    }

    #[test]
    fn it_stays_quiet_where_a_failure_shows_or_nothing_failed() {
        for text in [
            "set -e\nif [ -z \"$URL\" ]; then echo no; exit 1; fi\npg_dump $URL > a\n",
            "set -e\npg_dump x > a\nif [ -z \"$S3\" ]; then echo local; exit 0; fi\necho bye\n",
            "set -e\nif [ \"$1\" = --help ]; then echo usage; exit 0; fi\npg_dump x > a\n",
            "set -e\npg_dump x > a\nif [ -z \"$(git status --porcelain)\" ]; then echo same; exit 0; fi\ngit add a\n",
            "set -e\npg_dump x > a\nif [ -n \"$S3\" ]; then aws s3 cp a s3://b; else echo \"S3 not set, skipping\"; fi\n",
            "set -e\npg_dump x > a\necho \"Backup completed\"\n",
            "pg_dump x > a || exit 1\necho done\n",
            "pg_dump x > a && echo \"Backup complete\"\n",
            "pg_dump x > a || { echo failed; exit 1; }\n",
            "if ! pg_dump x > a; then echo failed; exit 1; fi\n",
            "if ! pg_dump x > a; then echo failed; STATUS=1; fi\nexit $STATUS\n",
            "set -e\npg_dump x > a\nfind /b -mtime +7 -delete || true\nrm -f t || true\n",
            "set -e\npg_dump x > a\naws s3 cp a s3://b/\nrclone copy a r2:b/ || true\n",
            "echo \"Backup completed\"\npg_dump x > a\n",
            "if [ -f a ]; then echo yes; else echo no; fi\npg_dump x > a\n",
        ] {
            assert_eq!(script(text), "", "{text}");
        }
    }

    #[test]
    fn fixes_let_the_failure_through() {
        let text = "set -e\nif [ -z \"$URL\" ]; then\n  echo no\n  exit 0\nfi\npg_dump $URL > a || true\n";
        insta::assert_snapshot!(fix(&RULE, "backup.sh", text), @r#"
        set -e
        if [ -z "$URL" ]; then
          echo no
          exit 1
        fi
        pg_dump $URL > a
        "#);
    }
}
