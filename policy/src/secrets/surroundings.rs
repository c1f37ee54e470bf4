//! Who logs in where, from what stands around a password: the rest of a connection
//! string, the other lines of a settings block. Looks a few lines far, and no more
//! than a bounded number of times.

use std::ops::Range;

use super::host::Host;
use super::scan::{Scan, is_quote, is_word};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Login<'t> {
    pub user: &'t str,
    pub host: Option<Host>,
    /// Something around speaks of logging in at all.
    pub speaks_of_one: bool,
    /// User or host stand on the same line: `host=… password=…`.
    pub one_string: bool,
}

const REACH: usize = 400;

/// `start..end` is the password with its name.
pub(super) fn login<'t>(scan: &mut Scan<'t>, start: usize, end: usize) -> Login<'t> {
    if !scan.may_look() {
        return Login { speaks_of_one: true, ..Login::default() };
    }
    let line = scan.line_of(start);
    let line = line.start.max(start.saturating_sub(REACH))..line.end.max(end).min(end + REACH);
    let near = fields(scan, line, start);
    if near.host.is_some() || !near.user.is_empty() {
        return Login { one_string: true, speaks_of_one: true, ..near };
    }
    let from = scan.text.ceil_char_boundary(start.saturating_sub(REACH));
    let to = scan.text.floor_char_boundary(scan.text.len().min(end + REACH));
    fields(scan, from..to, start)
}

fn fields<'t>(scan: &Scan<'t>, window: Range<usize>, at: usize) -> Login<'t> {
    const HOSTS: &[&str] =
        &["host", "hostaddr", "hostname", "server", "source", "endpoint", "addr", "address"];
    const USERS: &[&str] = &["user", "username", "uid", "id", "login", "usr", "user_name"];
    const EVIDENCE: &[&str] = &[
        "host", "user", "database", "dbname", "connect", "login", "sql", "postgres", "dsn", "smtp", "redis",
        "mongo",
    ];
    let from = scan.text.ceil_char_boundary(window.start);
    let to = scan.text.floor_char_boundary(window.end);
    let text = scan.part(from..to);
    let lower = text.to_ascii_lowercase();
    let at = at.saturating_sub(from);
    let nearest = |names: &[&str], roots: &[&str]| {
        let mut best: Option<(usize, &'t str)> = None;
        for root in roots {
            for (found, _) in lower.match_indices(root).take(16) {
                let distance = found.abs_diff(at);
                if best.is_none_or(|(nearer, _)| distance < nearer)
                    && let Some(value) = value_at(text, &lower, found, names)
                {
                    best = Some((distance, value));
                }
            }
        }
        best.map(|(_, value)| value)
    };
    Login {
        user: nearest(USERS, &["user", "uid", "login", "usr"]).unwrap_or_default(),
        host: nearest(HOSTS, &["host", "server", "source", "endpoint", "addr"]).map(Host::of),
        speaks_of_one: EVIDENCE.iter().any(|word| lower.contains(word)),
        one_string: false,
    }
}

/// The value of the name that ends in one of `names` and holds `found`.
fn value_at<'t>(text: &'t str, lower: &str, found: usize, names: &[&str]) -> Option<&'t str> {
    let bytes = lower.as_bytes();
    // `PGHOST`, `DB_HOST`, `-host`; but not `localhost` or `superuser`.
    let glued = found > 0 && bytes[found - 1].is_ascii_alphanumeric();
    if glued && !lower.get(..found)?.ends_with("pg") {
        return None;
    }
    let mut end = found + bytes.get(found..)?.iter().take_while(|byte| is_word(**byte)).count();
    if lower.get(end..end + 3) == Some(" id") {
        end += 3;
    }
    let word = lower.get(found..end)?;
    if !names.contains(&word) && word != "user id" {
        return None;
    }
    let rest = lower.get(end..)?;
    let at = end + rest.len() - rest.trim_start_matches(['"', '\'', ']', '\\', ' ', '\t']).len();
    let next = bytes.get(at).copied()?;
    let after = bytes.get(at + 1).copied().unwrap_or(0);
    let start = match (next, after) {
        (b':', b':' | b'/') | (b'=', b'=') => return None,
        (b':' | b'=', b'>' | b'=') => at + 2,
        (b':' | b'=', _) => at + 1,
        // SQL's `OPTIONS (host 'h')`.
        (_, _) if bytes.get(at.checked_sub(1)?) == Some(&b'\'') && word != "user id" => at,
        _ => return None,
    };
    let rest = text.get(start..)?.trim_start_matches([' ', '\t', '\\']);
    let quote = rest.bytes().next().filter(|byte| is_quote(*byte));
    let value = match quote {
        Some(quote) => rest.get(1..)?.split(char::from(quote)).next()?,
        None => rest.split(|c: char| c.is_whitespace() || ";,)}\"'`&".contains(c)).next()?,
    };
    let value = value.trim_end_matches('\\').trim();
    (!value.is_empty() && value.len() <= 128 && !value.contains('\n')).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;

    fn of(text: &str) -> (String, Option<Host>) {
        let at = text.find("pass").unwrap();
        let mut scan = Scan::new(text, Place::default());
        let found = login(&mut scan, at, at + 4);
        (found.user.to_owned(), found.host)
    }

    #[test]
    fn the_user_and_the_host_of_a_password() {
        for (text, user, host) in [
            ("host=db.shop.io user=app password=x", "app", Some(Host::Public)),
            ("Server=localhost;User Id=sa;password=x", "sa", Some(Host::Loopback)),
            ("host: \"10.0.0.1\",\n  user: \"app\",\n  password: \"x\"", "app", Some(Host::Private)),
            ("DB_HOST=localhost\nDB_USER=app\nDB_password=x", "app", Some(Host::Loopback)),
            ("PGHOST=db PGUSER=app pass=x", "app", Some(Host::Service)),
            ("localhost password=x", "", None),
            ("superuser password=x", "", None),
            ("host='db.shop.io' password=x", "", Some(Host::Public)),
        ] {
            assert_eq!(of(text), (user.to_owned(), host), "{text}");
        }
    }
}
