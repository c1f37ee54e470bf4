use crate::finding::Place;
use crate::rule::{Allowed, Findings, rule};
use crate::rules;

rule! {
    /// A suppression does not hold: it lacks its reason, or names no rule.
    ///
    /// ## What
    /// A comment `backstop: allow RULE -- reason` without a reason, without a rule, or
    /// with a rule that does not exist. The finding that it means to allow stays.
    ///
    /// ## Why
    /// Whoever reads the exception a year later has to judge whether it still holds,
    /// which only a reason makes possible.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// # backstop: allow pipefail-missing
    /// pg_dump "$DATABASE_URL" | gzip > shop.sql.gz
    /// ```
    /// or
    /// ```bash backup.sh
    /// # backstop: allow pipe-fail-missing -- the next step reads the archive to its end
    /// pg_dump "$DATABASE_URL" | gzip > shop.sql.gz
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// # backstop: allow pipefail-missing -- the next step reads the archive to its end
    /// pg_dump "$DATABASE_URL" | gzip > shop.sql.gz
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.astral.sh/ruff/linter/#error-suppression>
    "invalid-allow" in Suppression,
    severity: Warning,
    fix: No,
    check: Allows(check),
}

fn check(document: usize, allows: &[Allowed<'_>], findings: &mut Findings<'_>) {
    for Allowed { allow, .. } in allows {
        if allow.rules.is_empty() {
            findings
                .report(Place { document, span: allow.span }, "this comment allows nothing: it names no rule")
                .help("write `backstop: allow RULE -- reason`");
            continue;
        }
        if allow.reason.is_none() {
            findings
                .report(
                    Place { document, span: allow.span },
                    "this comment allows nothing: its reason is missing",
                )
                .help("write `backstop: allow RULE -- reason`, for those who will read it in a year");
        }
        for (id, span) in allow.rules.iter().filter(|(id, _)| rules::find(id).is_none()) {
            let id: String = id.chars().take(60).collect();
            let help = rules::similar(&id).map_or_else(
                || "`backstop explain` lists the rules".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            findings.report(Place { document, span: *span }, format!("no rule is called '{id}'")).help(help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn what_is_missing_is_said() {
        insta::assert_snapshot!(
            check(&RULE, &[("a.sh", "# backstop: allow\n# backstop: allow pipefail-missing\nx # backstop: allow pipefail-mising -- y\nx # backstop: allow nothing-like-it -- y\n")]),
            @r"
        a.sh:1:3: warning[invalid-allow]: this comment allows nothing: it names no rule
        help: write `backstop: allow RULE -- reason`
        a.sh:2:3: warning[invalid-allow]: this comment allows nothing: its reason is missing
        help: write `backstop: allow RULE -- reason`, for those who will read it in a year
        a.sh:3:21: warning[invalid-allow]: no rule is called 'pipefail-mising'
        help: did you mean `pipefail-missing`?
        a.sh:4:21: warning[invalid-allow]: no rule is called 'nothing-like-it'
        help: `backstop explain` lists the rules
        "
        );
    }
}
