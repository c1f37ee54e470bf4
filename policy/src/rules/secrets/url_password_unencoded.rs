use crate::finding::{Edit, Fix};
use crate::rule::{Alone, Findings, rule};
use crate::secrets;

rule! {
    /// A character of the password is read as a part of the URL.
    ///
    /// ## What
    /// An unencoded `@`, `/`, `#`, `?` or `%` in the password of a connection URL. A note
    /// where the URL is put together with a password from a variable.
    ///
    /// ## Why
    /// The first `@` ends the password for libpq, and what follows is taken for the
    /// host: the dump fails with "could not translate host name", or it connects to
    /// somebody else's server.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// pg_dump "postgresql://shop:Wo@rd7kq2@db.shop-internal.net/shop" -f shop.sql
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// pg_dump "postgresql://shop:Wo%40rd7kq2@db.shop-internal.net/shop" -f shop.sql
    /// ```
    /// or
    /// ```bash backup.sh
    /// pg_dump "$DATABASE_URL" -f shop.sql
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>
    /// - <https://www.rfc-editor.org/rfc/rfc3986#section-2.2>
    "url-password-unencoded" in Secrets,
    severity: Error,
    fix: Sometimes,
    check: Text(check),
}

fn check(alone: &Alone<'_>, findings: &mut Findings<'_>) {
    let found = secrets::url_password_unencoded(alone.secrets());
    let (broken, built): (Vec<_>, Vec<_>) = found.into_iter().partition(|report| !report.edits.is_empty());
    for report in built {
        let at = alone.place(report.span);
        findings.report(at, report.message).severity(report.severity).help(report.help);
    }
    // `credential-in-file` speaks of each line: this is one finding, and one fix.
    let Some(first) = broken.first() else { return };
    let more = match broken.len() {
        1 => String::new(),
        2 => " (and on one more line)".to_owned(),
        count => format!(" (and on {} more lines)", count - 1),
    };
    let edits = broken.iter().flat_map(|report| &report.edits);
    let fix = edits.map(|(span, text)| Edit::replace(*span, *text)).collect();
    findings
        .report(alone.place(first.span), format!("{}{more}", first.message))
        .severity(first.severity)
        .help(first.help)
        .fix(Fix::safe("percent-encode the password", fix));
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn the_fix_encodes_it_wherever_it_stands() {
        let url =
            |password: &str| format!("DATABASE_URL=postgres://shop:{password}@db.shop-internal.net/shop\n");
        let found = check(&RULE, &[(".env", &url("Wo@rd#7kq"))]);
        assert!(found.contains("error[url-password-unencoded]") && !found.contains("7kq"), "{found}");
        assert_eq!(fix(&RULE, ".env", &url("Wo@rd#7kq")), url("Wo%40rd%237kq"));
        let twice = url("Wo@rd#7kq").repeat(3);
        let found = check(&RULE, &[(".env", &twice)]);
        assert!(found.starts_with(".env:1:") && found.contains("(and on 2 more lines)"), "{found}");
        assert_eq!(fix(&RULE, ".env", &twice), url("Wo%40rd%237kq").repeat(3));
    }

    #[test]
    fn a_url_with_a_variable_is_a_note_and_a_whole_one_silent() {
        assert!(
            check(&RULE, &[("b.sh", "psql \"postgres://u:$PW@db.shop.io/shop\"\n")])
                .contains("note[url-password")
        );
        for text in [
            "psql \"$DATABASE_URL\"\n",
            "psql postgres://u@db.shop.io/shop\n",
            "psql postgres://u:p%40w7kq2m@db.shop.io/shop\n",
            "# mail me@shop.io or see https://shop.io/a@b\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }
}
