//! For those who ask about one value, and not about a file: does it hold a secret,
//! be it a placeholder or not? The configuration and the flags refuse all of them.
//!
//! Text in, byte ranges out; what was found is never part of an answer.

use std::ops::Range;

use super::uri::{self, Reading};

/// The password of the first URL in `text` that holds one, be it before the
/// host (`postgres://user:password@host`) or in the query (`?password=…`).
///
/// A password that contains `/`, `?` or `#` unescaped is found too: people
/// write them, and a strict reading would call them a host and a path.
pub fn password_in_url(text: &str) -> Option<Range<usize>> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find("://") {
        let authority = from + found + 3;
        let end = text.get(authority..)?.find([' ', '\t', '\n', '"', '\'', '`', '<', '>']);
        let end = end.map_or(text.len(), |end| authority + end);
        let url = text.get(authority..end)?;
        let scheme = text.get(..authority - 3)?;
        let postgres = scheme.ends_with("postgres") || scheme.ends_with("postgresql");
        let reading = if postgres { Reading::Database } else { Reading::Lenient };
        let password = uri::userinfo(url, reading).map(|userinfo| userinfo.password);
        if let Some(password) = password.or_else(|| in_query(url)) {
            return Some(authority + password.start..authority + password.end);
        }
        from = end.max(authority);
    }
    None
}

fn in_query(url: &str) -> Option<Range<usize>> {
    let mut from = url.find('?')? + 1;
    for pair in url.get(from..)?.split('&') {
        if let Some((key, value)) = pair.split_once('=')
            && matches!(key, "password" | "sslpassword")
            && !value.is_empty()
        {
            return Some(from + key.len() + 1..from + pair.len());
        }
        from += pair.len() + 1;
    }
    None
}

/// The password of a libpq connection string (`host=… password=…`).
pub fn password_in_conninfo(text: &str) -> Option<Range<usize>> {
    if !text.contains('=') {
        return None;
    }
    ["password", "sslpassword"].iter().find_map(|key| {
        text.match_indices(key).find_map(|(at, _)| {
            let before = text.get(..at)?;
            if !before.is_empty() && !before.ends_with(char::is_whitespace) {
                return None;
            }
            let rest = text.get(at + key.len()..)?.trim_start().strip_prefix('=')?.trim_start();
            let start = text.len() - rest.len();
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            (end > 0).then_some(start..start + end)
        })
    })
}

/// The kind of private key that `text` holds.
pub fn private_key(text: &str) -> Option<&'static str> {
    if text.to_ascii_uppercase().contains("AGE-SECRET-KEY-") {
        return Some("an age identity");
    }
    if text.contains("-----BEGIN PGP PRIVATE KEY BLOCK-----") {
        return Some("an OpenPGP private key");
    }
    (text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----")).then_some("a private key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_password_of_a_url_is_found_whatever_it_holds() {
        let found = |text: &'static str| password_in_url(text).map(|range| &text[range]);
        assert_eq!(found("postgres://u:secret@h/d"), Some("secret"));
        assert_eq!(found("postgres://u:s@cr@t@h:5432/d"), Some("s@cr@t"));
        assert_eq!(found("postgres://u:s/cr#t@h/d"), Some("s/cr#t"));
        assert_eq!(found("postgres://:secret@h/d"), Some("secret"));
        assert_eq!(found("postgres://u:12/ab@h/d"), Some("12/ab"));
        assert_eq!(found("psql postgres://h/a https://u:pw@x"), Some("pw"));
        assert_eq!(found("postgres://u@h/d?sslmode=require&password=pw&x=y"), Some("pw"));
        assert_eq!(found("postgres://u:${PW}@h/d"), Some("${PW}"));
    }

    #[test]
    fn a_url_without_one_is_left_alone() {
        for text in [
            "postgres://u@h:5432/d",
            "postgres://h:5432/d?user=u@x",
            "http://127.0.0.1:9000/a@b",
            "s3://bucket/prefix",
            "file:///var/backups",
            "postgres://u:@h/d",
            "postgres://[::1]:5432/d",
            "no url: at@all",
        ] {
            assert_eq!(password_in_url(text), None, "{text}");
        }
    }

    #[test]
    fn the_password_of_a_connection_string_is_found() {
        let found = |text: &'static str| password_in_conninfo(text).map(|range| &text[range]);
        assert_eq!(found("host=h password=pw dbname=d"), Some("pw"));
        assert_eq!(found("password = 'pw'"), Some("'pw'"));
        assert_eq!(found("host=h passfile=/x nopassword=1"), None);
    }

    #[test]
    fn private_keys_are_known_by_their_head() {
        assert_eq!(private_key("AGE-SECRET-KEY-1QQ"), Some("an age identity"));
        assert_eq!(private_key("age-secret-key-1qq"), Some("an age identity"));
        assert_eq!(private_key("-----BEGIN OPENSSH PRIVATE KEY-----\n"), Some("a private key"));
        assert_eq!(private_key("age1qqq"), None);
    }

    proptest! {
        #[test]
        fn a_password_between_user_and_host_is_always_found(
            user in "[a-z.]{0,8}", password in "[!#-&(-;=?-_a-~]{1,20}", host in "[a-z]{1,9}",
        ) {
            // All that does not end a URL in running text, but what reads as `host:port/path`.
            let port = password.split(['/', '?', '#']).next().unwrap();
            prop_assume!(port.len() == password.len() || port.contains(|c: char| !c.is_ascii_digit()));
            let text = format!("postgres://{user}:{password}@{host}");
            prop_assert!(password_in_url(&text).is_some(), "{}", text);
        }

        #[test]
        fn nothing_panics(text in "[a:/@?=&#pasword \u{e9}]{0,60}") {
            let _ = (password_in_url(&text), password_in_conninfo(&text));
        }
    }
}
