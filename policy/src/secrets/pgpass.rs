//! libpq's password file, and what writes one: `host:port:database:user:password`,
//! with `\:` and `\\` for the two characters that mean something.

use std::ops::Range;

use super::host::Host;
use super::judge::Login;
use super::scan::{Scan, is_quote};
use super::{Kind, Verdict, assign};

/// The text is such a file: every line.
pub(super) fn file(scan: &mut Scan<'_>) {
    let mut at = 0;
    for line in scan.text.split_inclusive('\n') {
        let text = line.trim_end_matches(['\n', '\r']);
        if !text.starts_with('#') {
            entry(scan, at..at + text.len());
        }
        at += line.len();
    }
}

/// PgBouncer's file: every line has a name and a password, or a hash of it.
pub(super) fn userlist(scan: &mut Scan<'_>) {
    let mut at = 0;
    for line in scan.text.split_inclusive('\n') {
        let parts: Vec<&str> = line.split('"').collect();
        if let ["", user, " ", password, _] = parts.as_slice() {
            let start = at + user.len() + 4;
            let hash = assign::is_hash(password);
            let login = Login { user, password, host: None, creates: false };
            let verdict = if hash { Some(Verdict::Doubtful) } else { login.verdict() };
            if let Some(verdict) = verdict {
                scan.add(
                    at..start + password.len() + 1,
                    start..start + password.len(),
                    Kind::Password,
                    verdict,
                );
            }
        }
        at += line.len();
    }
}

/// Something like `:5432:` was found: the entry around it, in a quote or a word.
pub(super) fn line_around(scan: &mut Scan<'_>, at: usize) {
    if at < scan.entries_past {
        return;
    }
    let start = scan.run_start(at, 256, |byte| byte > b' ' && !is_quote(byte) && byte != b'>');
    let quote = Some(scan.before(start)).filter(|byte| is_quote(*byte));
    let end = scan.run_end(at, 512, |byte| match quote {
        Some(quote) => byte != quote && byte != b'\n',
        None => byte > b' ' && !is_quote(byte),
    });
    // One look at a word is enough, however many ports stand in it.
    scan.entries_past = end;
    let text = scan.part(start..end);
    // What printf and JSON write for the end of a line.
    let end = start + text.find("\\n").unwrap_or(text.len());
    if entry(scan, start..end) {
        scan.skip_to(end);
    }
}

/// The name of a password file stands at `at`: what is written to it, on this line or
/// in the here-document that follows.
pub(super) fn near(scan: &mut Scan<'_>, at: usize) {
    if !scan.may_look() {
        return;
    }
    let line = scan.line_of(at);
    let text = scan.part(line.clone());
    for quote in ['"', '\''] {
        let mut start = line.start;
        for piece in text.split(quote) {
            entry(scan, start..start + piece.len());
            start += piece.len() + 1;
        }
    }
    if !text.contains("<<") {
        return;
    }
    let mut start = line.end + 1;
    for _ in 0..20 {
        let end = scan.run_end(start, 512, |byte| byte != b'\n');
        let length = scan.part(start..end).trim_end().len();
        let indent = scan.run_end(start, 80, |byte| byte == b' ' || byte == b'\t') - start;
        if length == 0
            || !entry(scan, start + indent..start + length.max(indent))
                && !scan.part(start..end).contains(':')
        {
            return;
        }
        start = end + 1;
    }
}

/// Whether it is an entry at all, placeholder or not.
fn entry(scan: &mut Scan<'_>, range: Range<usize>) -> bool {
    let Some([host, port, _, user, password]) = fields(scan.part(range.clone())) else { return false };
    let text = scan.text;
    let field_of = |field: &Range<usize>| {
        text.get(range.start + field.start..range.start + field.end).unwrap_or_default()
    };
    let is_port = field_of(&port) == "*" || field_of(&port).bytes().all(|byte| byte.is_ascii_digit());
    let is_host =
        field_of(&host).bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_*/${}".contains(&byte));
    if !is_port
        || !is_host
        || field_of(&password).contains(char::is_whitespace)
        || field_of(&password).starts_with("*:")
    {
        return false;
    }
    let host = if field_of(&host) == "*" { None } else { Some(Host::of(field_of(&host))) };
    let login = Login { user: field_of(&user), password: field_of(&password), host, creates: false };
    if let Some(verdict) = login.verdict() {
        let value = range.start + password.start..range.start + password.end;
        scan.add(range, value, Kind::Pgpass, verdict);
    }
    true
}

fn fields(line: &str) -> Option<[Range<usize>; 5]> {
    let bytes = line.as_bytes();
    let mut fields: [Range<usize>; 5] = std::array::from_fn(|_| 0..0);
    let (mut number, mut start, mut at) = (0, 0, 0);
    while at < bytes.len() && number < 4 {
        match bytes[at] {
            b'\\' => at += 1,
            b':' => {
                fields[number] = start..at;
                number += 1;
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    fields[4] = start..bytes.len();
    (number == 4 && fields.iter().all(|field| field.start < field.end)).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::super::{Place, find};
    use crate::finding::Severity;

    fn values(text: &str, path: &str) -> Vec<String> {
        let found = find(text, Place::of(path));
        found
            .iter()
            .flat_map(|secret| &secret.values)
            .map(|value| text[value.start..value.end].to_owned())
            .collect()
    }

    #[test]
    fn every_line_of_a_password_file() {
        let text = "# host:5432:db:user:pw\ndb.shop.io:5432:shop:app:v7Kq\\:2mzR\n*:*:*:repl:Qm4tt81x\ndb:5432:d:u:$PW\n";
        assert_eq!(values(text, ".pgpass"), ["v7Kq\\:2mzR", "Qm4tt81x"]);
    }

    #[test]
    fn what_a_script_writes_into_one() {
        for (text, wanted) in [
            ("echo \"db.shop.io:5432:shop:app:v7Kq2mzR\" > ~/.pgpass", "v7Kq2mzR"),
            ("echo db.shop.io:5433:shop:app:v7Kq2mzR >> ~/.pgpass", ""),
            ("echo 'db.shop.io:5433:shop:app:v7Kq2mzR' >> ~/.pgpass", "v7Kq2mzR"),
            ("printf '%s\\n' '*:*:*:app:v7Kq2mzR' > ~/.pgpass", "v7Kq2mzR"),
            ("cat > ~/.pgpass <<EOF\ndb.shop.io:5433:shop:app:v7Kq2mzR\nEOF\n", "v7Kq2mzR"),
        ] {
            assert_eq!(values(text, "x.sh").concat(), wanted, "{text}");
        }
    }

    #[test]
    fn users_of_a_pooler() {
        let text =
            "; users\n\"app\" \"v7Kq2mzR\"\n\"old\" \"md50123456789abcdef0123456789abcdef\"\n\"x\" \"\"\n";
        assert_eq!(
            values(text, "etc/pgbouncer/userlist.txt"),
            ["v7Kq2mzR", "md50123456789abcdef0123456789abcdef"]
        );
        assert_eq!(find(text, Place::of("userlist.txt"))[1].severity(), Severity::Warning);
    }

    #[test]
    fn ports_and_examples_are_no_entries() {
        for text in [
            "ports: [\"0.0.0.0:5432:5432\"]",
            "# hostname:port:database:username:password in ~/.pgpass",
            "echo \"$HOST:5432:$DB:$USER:$PGPASSWORD\" > ~/.pgpass",
            "127.0.0.1:5432: connection refused",
        ] {
            assert_eq!(values(text, "x.sh"), Vec::<String>::new(), "{text}");
        }
    }
}
