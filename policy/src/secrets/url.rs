//! URLs with a password in them: before the host, in the query, or put together
//! from pieces; and webhooks, which are secrets as a whole.

use std::borrow::Cow;
use std::ops::Range;

use super::host::Host;
use super::judge::Login;
use super::scan::{Scan, is_quote};
use super::uri::{self, Reading, Userinfo};
use super::words::{Class, classify};
use super::{Kind, Raw, join, rules, webhook};
use crate::finding::Span;

pub(super) fn detect(scan: &mut Scan<'_>, hit: Range<usize>) {
    let start = scan.run_start(hit.start, 32, |byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte));
    let scheme = scan.part(start..hit.start);
    let Some(kind) = kind_of(scheme) else { return };
    let outer = scan.run_start(start, 16, |byte| byte.is_ascii_alphabetic() || byte == b':');
    let start = if scan.part(outer..start).eq_ignore_ascii_case("jdbc:") { outer } else { start };
    let quote = Some(scan.before(start)).filter(|byte| is_quote(*byte));
    let end = uri::extent(scan.text, hit.end, quote);
    let url = scan.part(hit.end..end);
    if kind == Kind::Url && webhook::detect(scan, start, hit.end, url) {
        return;
    }
    let reading = if kind == Kind::DatabaseUrl { Reading::Database } else { Reading::Strict };
    if let Some(info) = uri::userinfo(url, reading) {
        let moved = |range: &Range<usize>| range.start + hit.end..range.end + hit.end;
        let values = [Span::from(moved(&info.password))];
        let whole = start..hit.end + tail_end(url, info.hosts.end);
        judge(scan, kind, url, &info, whole.clone(), &values);
        if kind == Kind::DatabaseUrl {
            scan.skip_to(whole.end);
        }
    } else if kind == Kind::DatabaseUrl && !in_query(scan, start, hit.end, url) && scan.byte(end) != 0 {
        joined(scan, kind, start, hit.end..end, quote);
    }
}

/// `None` for what is no scheme, or one that never carries a password.
fn kind_of(scheme: &str) -> Option<Kind> {
    const DATABASES: &[&str] = &[
        "postgres",
        "postgresql",
        "postgis",
        "pgsql",
        "psql",
        "pg",
        "cockroach",
        "cockroachdb",
        "redshift",
        "timescaledb",
        "mysql",
        "mysql2",
        "mysqlx",
        "mariadb",
        "mongodb",
        "redis",
        "rediss",
        "valkey",
        "valkeys",
        "amqp",
        "amqps",
        "mssql",
        "sqlserver",
        "oracle",
        "clickhouse",
        "db2",
        "snowflake",
        "couchdb",
        "cassandra",
        "neo4j",
        "bolt",
        "ecto",
        "vertica",
        "trino",
        "presto",
        "kafka",
        "nats",
        "influxdb",
        "firebird",
        "sybase",
        "hana",
        "libsql",
    ];
    let base = scheme.split('+').next().unwrap_or_default().to_ascii_lowercase();
    // `jdbc:postgresql`, but also `xpostgresql` where something stuck to it.
    if DATABASES.contains(&base.as_str()) || base.ends_with("postgresql") || base.ends_with("postgres") {
        return Some(Kind::DatabaseUrl);
    }
    if base.starts_with("smtp") {
        return Some(Kind::Smtp);
    }
    let first = base.bytes().next()?;
    (first.is_ascii_alphabetic() && base != "file" && base != "op").then_some(Kind::Url)
}

/// Past the path and query, without the marks of the text around the URL.
fn tail_end(url: &str, hosts: usize) -> usize {
    url.trim_end_matches(|c: char| ".,;:!?)]}>*|\\'\"`".contains(c)).len().max(hosts)
}

/// `info` lies in `url`, which may be put together; `values` lie in the source.
fn judge(scan: &mut Scan<'_>, kind: Kind, url: &str, info: &Userinfo, whole: Range<usize>, values: &[Span]) {
    let part = |range: &Range<usize>| url.get(range.clone()).unwrap_or_default();
    let (user, password, hosts) = (part(&info.user), part(&info.password), part(&info.hosts));
    // `'…@' + host`: any.
    let open = info.hosts.start >= url.len();
    let host = if open { Host::Template } else { Host::of(hosts.trim_end_matches('\\')) };
    if kind == Kind::Url && matches!(host, Host::Example | Host::StandIn) {
        return;
    }
    // `${PW:-literal}`: what counts is the literal.
    let (password, values) = match default_of(password) {
        Some(default) => {
            let moved = |span: &Span| Span::new(span.start + default.start, span.start + default.end);
            (
                password.get(default.clone()).unwrap_or_default(),
                values.first().map(moved).into_iter().collect(),
            )
        }
        None => (password, values.to_vec()),
    };
    // In a shell, quotes may stand inside a word.
    let decoded = decode(password.trim_matches(['"', '\'']));
    let login = Login { user, password: &decoded, host: Some(host), creates: false };
    if kind == Kind::DatabaseUrl && classify(&decoded) == Class::Template && is_variable(&decoded) {
        scan.add_built(whole.clone());
    }
    if let Some(verdict) = login.verdict() {
        let raw = if kind == Kind::DatabaseUrl { raw_characters(password, &values) } else { Vec::new() };
        scan.add_parts(whole, values, kind, verdict, raw);
    }
}

/// The literal in `${NAME:-literal}`.
pub(super) fn default_of(value: &str) -> Option<Range<usize>> {
    let inner = value.strip_prefix("${")?.strip_suffix('}')?;
    let name = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let rest = inner.get(name..)?;
    let mark = [":-", ":=", "-", "="].iter().find(|mark| rest.starts_with(**mark))?;
    let start = 2 + name + mark.len();
    let default = value.get(start..value.len() - 1)?;
    let quoted = default.len() > 2 && default.bytes().next().is_some_and(is_quote);
    let (start, end) = if quoted { (start + 1, value.len() - 2) } else { (start, value.len() - 1) };
    (start < end).then_some(start..end)
}

/// What readers of URLs take for something else, with its place in the source.
pub(super) fn raw_characters(password: &str, values: &[Span]) -> Vec<Raw> {
    let mut raw = Vec::new();
    if classify(password) == Class::Template {
        return raw;
    }
    // The bytes of the password lie in `values`, one piece after the other.
    let mut places = values.iter().flat_map(|span| span.start..span.end);
    let bytes = password.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let Some(place) = places.next() else { break };
        let encoded_already = *byte == b'%'
            && bytes.get(at + 1).is_some_and(u8::is_ascii_hexdigit)
            && bytes.get(at + 2).is_some_and(u8::is_ascii_hexdigit);
        if let Some(encoded) = rules::encoded(*byte)
            && !encoded_already
        {
            raw.push(Raw { span: Span::new(place, place + 1), character: char::from(*byte), encoded });
        }
    }
    raw
}

/// Percent-decoded, for a look at its words.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = text.get(at + 1..at + 3).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        decoded.push(pair.filter(|_| byte == b'%').unwrap_or(byte));
        at += if byte == b'%' && pair.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// `scheme://host/db?user=u&password=pw`, JDBC's `;password=pw` as well.
fn in_query(scan: &mut Scan<'_>, start: usize, authority: usize, url: &str) -> bool {
    let Some(params) = url.find(['?', ';']) else { return false };
    let hosts = url.get(..params).unwrap_or_default();
    let hosts = hosts.split(['/', '\\']).next().unwrap_or_default();
    let (mut user, mut password) = ("", None);
    let mut at = params + 1;
    for pair in url.get(at..).unwrap_or_default().split(['&', ';']) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // `&amp;` in XML leaves its end before the key.
        match key.to_ascii_lowercase().as_str() {
            "user" | "username" | "uid" | "user id" => user = value,
            "password" | "pwd" | "passwd" | "pass" | "sslpassword" if !value.is_empty() => {
                let from = authority + at + key.len() + 1;
                password = Some(from..from + value.len());
            }
            _ => {}
        }
        at += pair.len() + 1;
    }
    let Some(value) = password else { return false };
    let host = hosts.rsplit('@').next().map(Host::of);
    let decoded = decode(scan.part(value.clone()));
    let verdict = Login { user, password: &decoded, host, creates: false }.verdict();
    let end = authority + tail_end(url, value.end - authority);
    if let Some(verdict) = verdict {
        scan.add(start..end, value, Kind::DatabaseUrl, verdict);
    }
    scan.skip_to(end);
    true
}

/// The URL goes on in the next literals.
fn joined(scan: &mut Scan<'_>, kind: Kind, start: usize, first: Range<usize>, quote: Option<u8>) {
    let url = scan.part(first.clone());
    if quote != Some(scan.byte(first.end)) || url.contains('/') {
        return;
    }
    let Some(joined) = join::literals(scan, first) else { return };
    let Some(info) = uri::userinfo(&joined.text, Reading::Database) else { return };
    let values = joined.spans(&info.password);
    // Without a piece in the source, the password is a variable.
    if !values.is_empty() {
        judge(scan, kind, &joined.text, &info, start..joined.end, &values);
        scan.skip_to(joined.end);
    }
}

/// A shell's, a workflow's or a program's; not a hint to the reader.
fn is_variable(password: &str) -> bool {
    password.contains('$') || (password.starts_with('{') && password.ends_with('}'))
}

/// Whether a password in a URL is a literal at all, for those who ask about one URL.
pub(super) fn is_literal(password: &str) -> bool {
    default_of(password).is_some() || classify(password) != Class::Template
}
