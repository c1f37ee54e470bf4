//! `postgres://` URIs, by libpq's rules (`conninfo_uri_parse`, fe-connect.c):
//! several hosts, bracketed IPv6, percent-encoding everywhere, parameters.
//!
//! A password with a raw `@` or `/` makes libpq take its rest for a host or a
//! database; that shape is recognised and named, without repeating any of it.

use percent_encoding::percent_decode_str;

use super::parameters::Parameters;
use crate::postgres::Error;

const PREFIXES: [&str; 2] = ["postgres://", "postgresql://"];

/// Whether libpq would read this as a URI.
pub(super) fn is(text: &str) -> bool {
    body(text).is_some()
}

fn body(text: &str) -> Option<&str> {
    PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix))
}

pub(super) fn parse(text: &str) -> Result<Parameters, Error> {
    let mut parameters = Parameters::default();
    let mut rest = body(text).ok_or_else(|| bad("it starts with no 'postgres://'"))?;

    if let Some(at) = rest.find(['@', '/']).filter(|&at| rest[at..].starts_with('@')) {
        let (user, password) = match rest[..at].split_once(':') {
            Some((user, password)) => (user, password),
            None => (&rest[..at], ""),
        };
        if !user.is_empty() {
            parameters.set("user", decode(user, "user")?)?;
        }
        if !password.is_empty() {
            parameters.set("password", decode(password, "password")?)?;
        }
        rest = &rest[at + 1..];
    } else if slash_in_password(rest) {
        return Err(Error::RawCharacter { character: '/' });
    }

    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    loop {
        let host;
        (host, rest) = netloc_host(rest)?;
        if host.contains('@') {
            return Err(Error::RawCharacter { character: '@' });
        }
        hosts.push(host);
        let mut port = "";
        if let Some(after) = rest.strip_prefix(':') {
            (port, rest) = after.split_at(after.find(['/', '?', ',']).unwrap_or(after.len()));
            if port.contains('@') {
                return Err(Error::RawCharacter { character: '@' });
            }
        }
        ports.push(port);
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    let (hosts, ports) = (hosts.join(","), ports.join(","));
    if !hosts.is_empty() {
        parameters.set("host", decode(&hosts, "host")?)?;
    }
    if !ports.is_empty() {
        parameters.set("port", decode(&ports, "port")?)?;
    }

    if let Some(path) = rest.strip_prefix('/') {
        let end = path.find('?').unwrap_or(path.len());
        if end > 0 {
            parameters.set("dbname", decode(&path[..end], "database")?)?;
        }
        rest = &path[end..];
    }
    if let Some(query) = rest.strip_prefix('?') {
        query_parameters(query, &mut parameters)?;
    }
    Ok(parameters)
}

/// The host at the start, and what follows it.
fn netloc_host(text: &str) -> Result<(&str, &str), Error> {
    let Some(bracketed) = text.strip_prefix('[') else {
        return Ok(text.split_at(text.find([':', '/', '?', ',']).unwrap_or(text.len())));
    };
    let (host, rest) =
        bracketed.split_once(']').ok_or_else(|| bad("an IPv6 address has no closing bracket"))?;
    if host.is_empty() {
        return Err(bad("an IPv6 address is empty"));
    }
    if !(rest.is_empty() || rest.starts_with([':', '/', '?', ','])) {
        return Err(bad("after an IPv6 address comes neither ':' nor '/'"));
    }
    Ok((host, rest))
}

fn query_parameters(query: &str, parameters: &mut Parameters) -> Result<(), Error> {
    let mut pairs: Vec<&str> = query.split('&').collect();
    // libpq stops at the end of the string, so one '&' there asks for nothing.
    if pairs.last() == Some(&"") {
        pairs.pop();
    }
    for pair in pairs {
        let (keyword, value) = pair.split_once('=').ok_or_else(|| bad("a parameter after '?' has no '='"))?;
        if value.contains('=') {
            return Err(bad("a parameter after '?' has two '='"));
        }
        let keyword = decode(keyword, "parameter")?;
        let value = decode(value, "parameter")?;
        match (keyword.as_str(), value.as_str()) {
            // As JDBC writes it.
            ("ssl", "true") => parameters.set("sslmode", "require")?,
            _ => parameters.set(&keyword, value)?,
        }
    }
    Ok(())
}

/// No `@` before the first `/`, although what follows holds one: either the
/// "port" is no number, or the "database" holds another host.
fn slash_in_password(rest: &str) -> bool {
    let Some((authority, path)) = rest.split_once('/') else { return false };
    let path = path.split('?').next().unwrap_or(path);
    let (Some((_, port)), Some((_, after))) = (authority.split_once(':'), path.rsplit_once('@')) else {
        return false;
    };
    let port_is_none =
        !authority.starts_with('[') && !port.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
    port_is_none && !authority.contains(',') || after.contains('/')
}

fn decode(text: &str, part: &'static str) -> Result<String, Error> {
    let mut left = text;
    while let Some((_, after)) = left.split_once('%') {
        let hex = after.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        if !hex {
            return Err(match part {
                "password" => Error::RawCharacter { character: '%' },
                _ => bad(&format!("the {part} holds a '%' that starts no percent-encoding")),
            });
        }
        if after.starts_with("00") {
            return Err(bad(&format!("the {part} holds %00")));
        }
        left = &after[2..];
    }
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| bad(&format!("the {part} is not UTF-8 after percent-decoding")))
}

/// Characters that stand raw in the password: libpq takes them as they are, but
/// other programs that are given the same URL cut it there.
pub fn reserved_in_password(url: &str) -> Vec<char> {
    let Some(rest) = body(url) else { return Vec::new() };
    let password = rest
        .find(['@', '/'])
        .filter(|&at| rest[at..].starts_with('@'))
        .and_then(|at| rest[..at].split_once(':'))
        .map_or("", |(_, password)| password);
    let mut found: Vec<char> = password.chars().filter(|c| "#?[]:&=+ <>\"\\^`{|}".contains(*c)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn bad(reason: &str) -> Error {
    Error::BadTarget { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, keyword: &str) -> Option<String> {
        parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).given(keyword).map(str::to_owned)
    }

    #[test]
    fn parts_are_read_as_libpq_reads_them() {
        for (text, keyword, expected) in [
            ("postgres://u:p@h:1/d", "user", Some("u")),
            ("postgres://u:p@h:1/d", "password", Some("p")),
            ("postgres://u:p@h:1/d", "host", Some("h")),
            ("postgres://u:p@h:1/d", "port", Some("1")),
            ("postgresql://u:p@h:1/d", "dbname", Some("d")),
            ("postgres://", "host", None),
            ("postgres:///d", "dbname", Some("d")),
            ("postgres://h", "host", Some("h")),
            ("postgres://u@", "user", Some("u")),
            ("postgres://u:%61%40@:1", "password", Some("a@")),
            ("postgres://u:%61@:1", "host", None),
            ("postgres://u:a:b@h", "password", Some("a:b")),
            ("postgres://u:pa?s#s@h/d", "password", Some("pa?s#s")),
            ("postgres://a:1,[::1]:2,c/", "host", Some("a,::1,c")),
            ("postgres://a:1,[::1]:2,c/", "port", Some("1,2,")),
            ("postgres://a,b/d", "port", Some(",")),
            ("postgres://%2Ftmp:1/d", "host", Some("/tmp")),
            ("postgres:///d?host=/run/pg&port=7", "host", Some("/run/pg")),
            ("postgres://h/d?sslmode=require&", "sslmode", Some("require")),
            ("postgres://h/d?ssl=true", "sslmode", Some("require")),
            ("postgres://h/d?options=-c%20geqo%3Doff", "options", Some("-c geqo=off")),
            ("postgres://h/d?application_name=a+b", "application_name", Some("a+b")),
            ("postgres://h:5/d?port=6", "port", Some("6")),
            ("postgres://h:5432/my@db", "dbname", Some("my@db")),
        ] {
            assert_eq!(read(text, keyword).as_deref(), expected, "{text} {keyword}");
        }
    }

    #[test]
    fn what_libpq_refuses_is_refused() {
        for text in [
            "postgres://u@[::1/d",
            "postgres://u@[]/d",
            "postgres://u@[::1]x/d",
            "postgres://u@h/d?a",
            "postgres://u@h/d?port=1=2",
            "postgres://u@h/d%00",
            "postgres://u@h/d%zz",
            "postgres://u@h/d?foo=1",
            "postgres://u@h/d?ssl=false",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_raw_reserved_character_in_the_password_is_named_and_nothing_else() {
        for (text, expected) in [
            ("postgres://app:s3cr@et@db.example.com:5432/shop", '@'),
            ("postgres://app:s3cr@et:x@db.example.com:5432/shop", '@'),
            ("postgres://app:s3cr/et@db.example.com:5432/shop", '/'),
            ("postgres://app:12/34@db.example.com:5432/shop", '/'),
            ("postgres://app:s3cr%et@db.example.com/shop", '%'),
        ] {
            match parse(text) {
                Err(Error::RawCharacter { character }) => assert_eq!(character, expected, "{text}"),
                Err(other) => panic!("{text}: {other}"),
                Ok(_) => panic!("{text} was taken"),
            }
            let message = parse(text).err().unwrap().to_string();
            assert!(!message.contains("s3cr") && !message.contains("et"), "{message}");
        }
    }

    #[test]
    fn characters_that_only_libpq_takes_raw_are_listed() {
        assert_eq!(reserved_in_password("postgres://u:a#b?c@h/d"), ['#', '?']);
        assert_eq!(reserved_in_password("postgres://u:a%23b@h/d?x#y"), [] as [char; 0]);
    }
}
