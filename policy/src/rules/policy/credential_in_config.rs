use std::collections::HashSet;

use crate::finding::{Lines, Severity};
use crate::model::Set;
use crate::rule::{Findings, rule};
use crate::secrets::{self, Place};

use super::configs::all;

rule! {
    /// A password or pass phrase is written out in backstop.yml.
    ///
    /// ## What
    /// `password:` or `passphrase:` that is no single `${VARIABLE}`, or a URL with a
    /// password in it, even one that looks like a placeholder. What is a leaked
    /// credential by itself is `credential-in-file`.
    ///
    /// ## Why
    /// backstop refuses the file, so no backup is made; and the file is committed, so
    /// whoever reads the repository has the value.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { host: db.shop.internal, user: backup, password: changeme }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { host: db.shop.internal, user: backup, password: "${PGPASSWORD}" }
    /// ```
    ///
    /// ## Sources
    /// - <https://12factor.net/config>
    "credential-in-config" in Policy,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for file in all(set) {
        let mut found =
            file.parsed.findings.iter().filter(|found| found.rule == "credential-in-file").peekable();
        if found.peek().is_none() {
            continue;
        }
        let text = file.unit.text();
        // Each of these lines is reported as a leak already.
        let lines = Lines::new(text);
        let leaked: HashSet<usize> = secrets::find(text, Place::of("backstop.yml"))
            .iter()
            .filter(|secret| secret.severity() == Severity::Error)
            .map(|secret| lines.number(secret.span.start))
            .collect();
        for found in found {
            if leaked.contains(&lines.number(found.span.start)) {
                continue;
            }
            let message =
                format!("{}: backstop refuses the file, and whoever reads it has the value", found.message);
            let report = findings.report(file.place(found.span), message);
            if let Some(help) = &found.help {
                report.help(help.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(database: &str) -> String {
        check(&RULE, &[("backstop.yml", &format!("version: 1\ndatabases:\n  shop: {database}\n"))])
    }

    #[test]
    fn a_literal_is_reported_without_its_value() {
        let text = found("{ host: db, password: changeme }");
        assert!(
            text.starts_with("backstop.yml:3:") && text.contains("use `password: ${PGPASSWORD}`"),
            "{text}"
        );
        assert!(!text.contains("changeme"), "{text}");
        assert!(found("{ host: db, password: 12345 }").contains("error[credential-in-config]"));
    }

    #[test]
    fn a_variable_is_none_and_a_leak_is_reported_once() {
        assert_eq!(found("{ host: db, password: \"${PGPASSWORD}\" }"), "");
        assert_eq!(found("{ url: \"postgres://shop:V7kq2mzRt9@db.shop-internal.net/shop\" }"), "");
    }
}
