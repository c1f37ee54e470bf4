//! Where the user, the password and the host of a URL lie, by its structure and not
//! by what a password may hold.
//!
//! People write `@`, `/`, `#` and `?` in passwords without encoding them. So the
//! userinfo ends at an `@` that something follows which can be a host: a name or an
//! address, perhaps a port, and then a path, a query or the end.

use std::ops::Range;

/// How much to believe that what looks like a path may belong to a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// A database's URL: `@` in a path is rarer than in a password.
    Database,
    /// RFC 3986: the authority ends at the first `/`, `?` or `#`.
    Strict,
    /// The same, but a password with a `/` in it is found too: for a value that is
    /// a URL and nothing else.
    Lenient,
}

/// Offsets from the start of the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Userinfo {
    pub user: Range<usize>,
    pub password: Range<usize>,
    /// All hosts with their ports.
    pub hosts: Range<usize>,
}

/// `url` starts at its authority and ends where the URL ends.
pub(super) fn userinfo(url: &str, reading: Reading) -> Option<Userinfo> {
    let colon = url.find(':')?;
    // `host/path:x@y` holds no password.
    if url.get(..colon)?.contains(['/', '?', '#', '\\']) {
        return None;
    }
    let at = match reading {
        Reading::Database => last_at(url, colon)?,
        Reading::Strict | Reading::Lenient => {
            let authority = url.find(['/', '?', '#', '\\']).unwrap_or(url.len());
            match url.get(..authority)?.rfind('@') {
                Some(at) => at,
                None if reading == Reading::Lenient && !is_port(url.get(colon + 1..authority)?) => {
                    url.rfind('@').filter(|at| hosts_end(url, at + 1).is_some())?
                }
                None => return None,
            }
        }
    };
    // `user@host:5432` holds none, and neither does `user:@host`.
    if at <= colon + 1 {
        return None;
    }
    let hosts = hosts_end(url, at + 1).unwrap_or_else(|| {
        url.get(at + 1..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(url.len(), |end| at + 1 + end)
    });
    Some(Userinfo { user: 0..colon, password: colon + 1..at, hosts: at + 1..hosts })
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A password has a few of them at most, and each costs a look at all that follows.
const MOST_ATS: usize = 16;

/// The `@` before the hosts of a database's URL.
fn last_at(url: &str, colon: usize) -> Option<usize> {
    let mut best: Option<usize> = None;
    let mut fallback = None;
    for (at, _) in url.match_indices('@').take(MOST_ATS) {
        if at > colon + 1 {
            fallback = Some(at);
        }
        let Some(end) = hosts_end(url, at + 1) else { continue };
        // A host may be left out once; it never corrects a reading that has one.
        let empty = end == at + 1;
        match best {
            None if at < colon => return None,
            // `u:@h`: an empty password, unless a later `@` ends one that starts with it.
            None if at == colon + 1 => {}
            None => best = Some(at),
            Some(earlier) => {
                let between = url.get(hosts_end(url, earlier + 1)?..at).unwrap_or_default();
                let in_query = between.split_once('?').is_some_and(|(_, query)| query.contains('='));
                if !empty && !in_query {
                    best = Some(at);
                }
            }
        }
    }
    let at = best.or(fallback)?;
    // `host:5432/path?user=me@x`: all before the `@` is an address.
    let inside = url.get(colon + 1..at)?;
    if let Some(end) = inside.find(['/', '?', '#']) {
        let (port, rest) = inside.split_at(end);
        let query = rest.split_once('?').is_some_and(|(_, query)| query.contains('='));
        if is_port(port) && (query || !rest.starts_with('/')) {
            return None;
        }
    }
    Some(at)
}

/// The end of `host[:port][,host[:port]…]`, if that is what is at `start` and a path,
/// a query, a fragment, a closing mark or the end follows it.
fn hosts_end(url: &str, start: usize) -> Option<usize> {
    let bytes = url.as_bytes();
    let mut at = start;
    loop {
        at = host_end(bytes, at)?;
        if bytes.get(at) == Some(&b':') {
            at = port_end(bytes, at + 1)?;
        }
        if bytes.get(at) == Some(&b',')
            && bytes.get(at + 1).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'[')
        {
            at += 1;
            continue;
        }
        return match bytes.get(at) {
            None => (at > start).then_some(at),
            Some(b'/' | b'?' | b'#' | b'\\') => Some(at),
            Some(byte) if b")]}>,;|&*\"'`".contains(byte) || byte.is_ascii_whitespace() => {
                (at > start).then_some(at)
            }
            Some(_) => None,
        };
    }
}

/// A name, an address in brackets, or holes of templates, in any mixture.
fn host_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'%' => at + 1,
            byte if !byte.is_ascii() => at + 1,
            b'*' if bytes.get(at + 1) == Some(&b'*') || bytes.get(at.wrapping_sub(1)) == Some(&b'*') => {
                at + 1
            }
            b'[' => closing(bytes, at, b']')?,
            b'<' => closing(bytes, at, b'>')?,
            b'{' => closing(bytes, at, b'}')?,
            b'$' | b'#' if bytes.get(at + 1) == Some(&b'{') => closing(bytes, at + 1, b'}')?,
            b'$' if bytes.get(at + 1) == Some(&b'(') => closing(bytes, at + 1, b')')?,
            b'$' if bytes.get(at + 1).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_') => {
                at + 1
            }
            _ => break,
        };
    }
    Some(at)
}

/// Past the bracket that closes the one at `open`, doubled brackets as one.
pub(super) fn closing(bytes: &[u8], open: usize, close: u8) -> Option<usize> {
    let inner = bytes.get(open..bytes.len().min(open + 128))?;
    let doubled = inner.len() > 1 && inner[0] == inner[1];
    let end = inner.iter().position(|byte| *byte == close)?;
    if inner.get(..end)?.contains(&b'@') {
        return None;
    }
    let after = open + end + 1;
    Some(if doubled && bytes.get(after) == Some(&close) { after + 1 } else { after })
}

fn port_end(bytes: &[u8], start: usize) -> Option<usize> {
    match bytes.get(start)? {
        b'0'..=b'9' => {
            let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            (digits <= 5).then_some(start + digits)
        }
        b'$' | b'{' | b'<' | b'[' | b'#' | b'%' => host_end(bytes, start).filter(|end| *end > start),
        b'p' | b'P' => {
            let word = bytes.get(start..start + 4)?;
            word.eq_ignore_ascii_case(b"port").then_some(start + 4)
        }
        // `@host:` with the port left out.
        b'/' => Some(start),
        _ => None,
    }
}

/// The bytes of a URL that starts at `start` (its authority), in running text: up to
/// a blank, a quote that encloses it, or the next URL. At most [`LONGEST`].
pub(super) fn extent(text: &str, start: usize, quote: Option<u8>) -> usize {
    let bytes = text.as_bytes();
    let limit = bytes.len().min(start.saturating_add(LONGEST));
    let mut at = start;
    let mut seen_at = false;
    while at < limit {
        let next = bytes.get(at + 1).copied().unwrap_or(0);
        at = match bytes[at] {
            byte if byte <= b' ' => break,
            byte if Some(byte) == quote => break,
            // A quote inside a word: it belongs to a password if an `@` is still to come.
            b'"' | b'\'' if quote.is_none() && !seen_at && at_ahead(&bytes[at + 1..limit]) => at + 1,
            b'"' | b'\'' | b'`' if quote.is_none() => break,
            b'@' => {
                seen_at = true;
                at + 1
            }
            b'\\' if next != b'/' && (super::scan::is_quote(next) || b"nrtu".contains(&next)) => break,
            b':' if bytes[at + 1..].starts_with(b"//") || bytes[at + 1..].starts_with(b"\\/\\/") => break,
            b'<' => match closing(bytes, at, b'>') {
                Some(end) if is_hint(&bytes[at + 1..end - 1]) => end,
                _ => break,
            },
            b'[' => match closing(bytes, at, b']') {
                Some(end) if is_hint(&bytes[at + 1..end - 1]) => end,
                _ => at + 1,
            },
            b'$' | b'#' if next == b'{' => closing(bytes, at + 1, b'}').unwrap_or(at + 1),
            b'$' if next == b'(' => closing(bytes, at + 1, b')').unwrap_or(at + 1),
            b'{' if next == b'{' => closing(bytes, at, b'}').unwrap_or(at + 1),
            b'>' => break,
            _ => at + 1,
        };
    }
    text.floor_char_boundary(at.min(limit))
}

fn at_ahead(rest: &[u8]) -> bool {
    let word = rest.iter().take(48).take_while(|byte| **byte > b' ' && **byte != b'/');
    word.into_iter().any(|byte| *byte == b'@')
}

/// Longer than any URL with a password that a person wrote.
const LONGEST: usize = 2048;

fn is_hint(inner: &[u8]) -> bool {
    inner.len() <= 60
        && inner
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b" _-.:".contains(byte) || !byte.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(url: &str) -> Option<(&str, &str, &str)> {
        let found = userinfo(url, Reading::Database)?;
        Some((&url[found.user], &url[found.password], &url[found.hosts]))
    }

    #[test]
    fn userinfo_ends_at_the_at_before_a_host() {
        for (url, wanted) in [
            ("u:pw@h:5432/d", Some(("u", "pw", "h:5432"))),
            (
                "postgres.ref:Wo@rd12@aws-1.pooler.supabase.com:6543/d",
                Some(("postgres.ref", "Wo@rd12", "aws-1.pooler.supabase.com:6543")),
            ),
            ("u:@pw@h/d", Some(("u", "@pw", "h"))),
            ("u:a@b@c@h", Some(("u", "a@b@c", "h"))),
            ("u:a/b@h/d", Some(("u", "a/b", "h"))),
            ("u:a@b/c@h/d", Some(("u", "a@b/c", "h"))),
            ("u:Abc#12@h:5432/d", Some(("u", "Abc#12", "h:5432"))),
            ("u:Word1617?@h/d", Some(("u", "Word1617?", "h"))),
            ("u:12/ab@h/d", Some(("u", "12/ab", "h"))),
            ("u:p:w@h/d", Some(("u", "p:w", "h"))),
            (
                "me@server:pw@server.postgres.database.azure.com/d",
                Some(("me@server", "pw", "server.postgres.database.azure.com")),
            ),
            (":pw@h", Some(("", "pw", "h"))),
            ("u:pw@a:1,b:2,[::1]:3/d", Some(("u", "pw", "a:1,b:2,[::1]:3"))),
            ("u:pw@[2001:db8::1]:5432/d", Some(("u", "pw", "[2001:db8::1]:5432"))),
            ("u:pw@${db.endpoint}/app", Some(("u", "pw", "${db.endpoint}"))),
            ("u:pw@db.[REF].supabase.co/d", Some(("u", "pw", "db.[REF].supabase.co"))),
            ("u:pw@/d?host=/run", Some(("u", "pw", ""))),
            ("u:pw@h:5432\\/db", Some(("u", "pw", "h:5432"))),
            ("u:pw@h/d?email=a@b.c", Some(("u", "pw", "h"))),
            ("u:@h/d", None),
            ("u@h:5432/d", None),
            ("h:5432/d?user=u@x", None),
            ("h/d:x@y", None),
        ] {
            assert_eq!(parts(url), wanted, "{url}");
        }
    }

    #[test]
    fn what_is_no_database_is_read_strictly() {
        assert_eq!(userinfo("127.0.0.1:9000/a@b", Reading::Strict), None);
        assert_eq!(userinfo("127.0.0.1:9000/a@b", Reading::Lenient), None);
        assert_eq!(userinfo("u:a/b@h", Reading::Strict), None);
        assert!(userinfo("u:a/b@h", Reading::Lenient).is_some());
        assert!(userinfo("u:a@b@h/x", Reading::Strict).is_some());
    }

    #[test]
    fn a_url_ends_where_its_quote_or_its_word_ends() {
        for (text, quote, wanted) in [
            ("u:p@h/d rest", None, "u:p@h/d"),
            ("u:p'w@h/d rest", None, "u:p'w@h/d"),
            ("u:\"$PW\"@h/d rest", None, "u:\"$PW\"@h/d"),
            ("u' + x", None, "u"),
            ("u:p'w@h/d\" rest", Some(b'"'), "u:p'w@h/d"),
            ("u:p@h/d\\\" rest", Some(b'"'), "u:p@h/d"),
            ("u:${{ secrets.PW }}@h/d x", None, "u:${{ secrets.PW }}@h/d"),
            ("u:<your password>@h/d x", None, "u:<your password>@h/d"),
            ("u:[YOUR PASSWORD]@h/d x", None, "u:[YOUR PASSWORD]@h/d"),
            ("a:bpostgresql://c:d", None, "a:bpostgresql"),
            ("h/d>x", None, "h/d"),
        ] {
            assert_eq!(&text[..extent(text, 0, quote)], wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_the_parts_are_in_order(url in "[a1:/@?=#.,<>{}$%\\[\\]\u{e9}]{0,40}") {
            for reading in [Reading::Database, Reading::Strict, Reading::Lenient] {
                if let Some(found) = userinfo(&url, reading) {
                    prop_assert!(found.user.end < found.password.start);
                    prop_assert!(found.password.start < found.password.end);
                    prop_assert!(found.password.end < found.hosts.start && found.hosts.start <= found.hosts.end);
                    prop_assert!(url.get(found.hosts).is_some());
                }
            }
            let end = extent(&url, 0, None);
            prop_assert!(url.is_char_boundary(end));
        }
    }
}
