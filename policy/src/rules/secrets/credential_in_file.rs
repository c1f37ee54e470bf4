use crate::rule::{Alone, Findings, rule};
use crate::secrets;

rule! {
    /// A password, key or token is written in a file.
    ///
    /// ## What
    /// A credential that opens something: in a connection string of any form, in an
    /// assignment, an argument or a password file, or a token that its shape gives
    /// away. Placeholders of any language or template are none, and what only a
    /// development machine knows is a note. The value itself is never shown.
    ///
    /// ## Why
    /// Whoever has read a file with a password can log in until the password changes,
    /// and a commit stays in every clone: to delete the line does not help.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// pg_dump "postgresql://shop:V7kq2mzRt9@db.shop-internal.net/shop" -f shop.sql
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// : "${DATABASE_URL:?}"
    /// pg_dump "$DATABASE_URL" -f shop.sql
    /// ```
    /// or
    /// ```markdown README.md
    /// Set `DATABASE_URL=postgresql://USER:PASSWORD@HOST:5432/DATABASE` first.
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/code-security/secret-scanning>
    /// - <https://www.postgresql.org/docs/current/libpq-pgpass.html>
    "credential-in-file" in Secrets,
    severity: Error,
    fix: No,
    check: Text(check),
}

fn check(alone: &Alone<'_>, findings: &mut Findings<'_>) {
    for found in secrets::credential_in_file(alone.secrets()) {
        let at = alone.place(found.span);
        findings.report(at, found.message).severity(found.severity).help(found.help);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn the_value_is_never_shown() {
        let text = "DATABASE_URL=postgres://shop:V7kq2mzRt9@db.shop-internal.net/shop\n";
        let found = check(&RULE, &[(".env", text)]);
        assert!(found.starts_with(".env:1:14: error[credential-in-file]: "), "{found}");
        assert!(!found.contains("V7kq2mzRt9"), "{found}");
    }

    #[test]
    fn any_text_is_read_whatever_its_kind() {
        let url = "postgres://shop:V7kq2mzRt9@db.shop-internal.net/shop";
        for (path, text) in [
            ("notes.txt", format!("use {url}\n")),
            ("src/db.ts", format!("const url = '{url}';\n")),
            ("doc.md", format!("# A\n\n```bash\npsql {url}\n```\n")),
            (".github/workflows/ci.yml", format!("env:\n  URL: {url}\n")),
        ] {
            assert_eq!(check(&RULE, &[(path, &text)]).matches("error[").count(), 1, "{path}");
        }
    }

    #[test]
    fn five_lines_are_five_findings() {
        let text = "U=postgres://shop:V7kq2mzRt9@db.shop-internal.net/shop\n".repeat(5);
        assert_eq!(check(&RULE, &[("a.sh", &text)]).matches("error[").count(), 5);
    }

    #[test]
    fn placeholders_are_silent_and_local_databases_notes() {
        assert_eq!(
            check(&RULE, &[("a.sh", "psql postgres://user:your-password@host/db\npsql \"$URL\"\n")]),
            ""
        );
        assert!(
            check(&RULE, &[("a.sh", "psql postgres://postgres:postgres@localhost/db\n")]).contains("note[")
        );
    }
}
