use crate::finding::Place;
use crate::rule::{Allowed, Findings, rule};
use crate::rules;

rule! {
    /// A suppression allows something that is not there any more.
    ///
    /// ## What
    /// A comment `backstop: allow RULE -- reason` where the rule finds nothing.
    ///
    /// ## Why
    /// It tells readers of a fault that was mended, and hides the next one in its place.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// # backstop: allow pipefail-missing -- the next step reads the archive to its end
    /// pg_dump -Fc "$DATABASE_URL" -f shop.dump
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// # backstop: allow pipefail-missing -- the next step reads the archive to its end
    /// pg_dump "$DATABASE_URL" | gzip > shop.sql.gz
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.astral.sh/ruff/rules/unused-noqa/>
    "stale-allow" in Suppression,
    severity: Note,
    fix: No,
    check: Allows(check),
}

fn check(document: usize, allows: &[Allowed<'_>], findings: &mut Findings<'_>) {
    for Allowed { allow, used } in allows.iter().filter(|allowed| allowed.allow.reason.is_some()) {
        for ((id, span), _) in allow.rules.iter().zip(used).filter(|(_, used)| !**used) {
            if rules::find(id).is_some() {
                findings
                    .report(
                        Place { document, span: *span },
                        format!("nothing of '{id}' is found here: this comment would hide the next one"),
                    )
                    .help("remove it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn each_rule_of_a_comment_counts_for_itself() {
        let text = "# backstop: allow pipefail-missing, verify-missing -- why\npg_dump a | gzip > b\n";
        insta::assert_snapshot!(check(&RULE, &[("a.sh", &text.replace("verify-missing", "blind-age-delete"))]), @r"
        a.sh:1:37: note[stale-allow]: nothing of 'blind-age-delete' is found here: this comment would hide the next one
        help: remove it
        ");
        assert_eq!(check(&RULE, &[("a.sh", &text.replace(", verify-missing", ""))]), "");
        // Without a reason it never held.
        assert_eq!(check(&RULE, &[("a.sh", "ls # backstop: allow pipefail-missing\n")]), "");
    }
}
