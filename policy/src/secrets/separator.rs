//! From a name to the literal that it is given, in the ways of shells, .env files,
//! YAML, JSON, INI, XML, SQL and programming languages. Names in, spans out.

use std::ops::Range;

use super::name::Name;
use super::place::Syntax;
use super::scan::{Scan, is_quote, is_word};

/// Longer than any password; what is longer is something else.
pub(super) const LONGEST: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// Without quotes.
    pub range: Range<usize>,
    pub quoted: bool,
    pub how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// `NAME=value`, without a blank.
    Assigned,
    /// `name = value`, `name := value`, `name => value`.
    Spaced,
    /// `name: value`
    Colon,
    /// `f("NAME", "value")`
    Argument,
    /// `--name value`, `ENV NAME value`, `PASSWORD 'value'`
    Word,
    /// `${NAME:-value}`, `NAME ?? "value"`
    Default,
    /// `<name>value</name>`
    Element,
    /// `name: NAME`, then `value: value`
    Pair,
}

pub(super) fn value_of(scan: &mut Scan<'_>, name: &Name) -> Option<Value> {
    let end = name.range.end;
    let before = scan.before(name.range.start);
    if before == b'<' && scan.byte(end) == b'>' {
        let close = scan.run_end(end + 1, LONGEST, |byte| byte != b'<' && byte != b'\n');
        return (scan.byte(close) == b'<').then(|| Value {
            range: end + 1..close,
            quoted: true,
            how: How::Element,
        });
    }
    if before == b'{'
        && let Some(value) = default_in_braces(scan, end)
    {
        return Some(value);
    }
    if let Some(value) = paired(scan, name) {
        return Some(value);
    }
    let (after, key_quoted) = closers(scan, end);
    let at = scan.skip_blanks(after);
    match (scan.byte(at), scan.byte(at + 1)) {
        (b'=', b'=' | b'~') | (b':', b':') => None,
        (b'=', b'>') | (b':' | b'?' | b'+', b'=') => literal(scan, at + 2, How::Spaced),
        (b'=', _) => {
            let spaced = at > after || matches!(scan.byte(at + 1), b' ' | b'\t');
            literal(scan, at + 1, if spaced { How::Spaced } else { How::Assigned })
        }
        (b':', _) => typed(scan, at + 1).or_else(|| literal(scan, at + 1, How::Colon)),
        (b']', _)
            if scan.part(scan.run_start(name.range.start, 9, |byte| byte != b'[')..name.range.start)
                == "variable=" =>
        {
            literal(scan, at + 1, How::Assigned)
        }
        (b',', _) if key_quoted => quoted(scan, at + 1, How::Argument),
        (b')' | b'|' | b'?', _) => fallback(scan, at),
        (b';', _) if scan.ahead(at, 14).eq_ignore_ascii_case(b";issecret=true") => {
            (scan.byte(at + 14) == b']').then(|| literal(scan, at + 15, How::Assigned)).flatten()
        }
        _ if at > after => {
            if fallback_word(scan, at) {
                return quoted(scan, at + 2, How::Default);
            }
            literal(scan, at, How::Word).filter(|value| takes_word(scan, name, value))
        }
        _ => None,
    }
}

/// Quotes and brackets that end the name itself: `"NAME"`, `['NAME']`, `**Name**`.
fn closers(scan: &Scan<'_>, end: usize) -> (usize, bool) {
    let mut at = end;
    let mut quoted = false;
    for _ in 0..4 {
        at = match (scan.byte(at), scan.byte(at + 1)) {
            (b'\\', next) if is_quote(next) => {
                quoted = true;
                at + 2
            }
            (byte, _) if is_quote(byte) => {
                quoted = true;
                at + 1
            }
            (b']', _) if quoted => at + 1,
            (b'*', b'*') => at + 2,
            (b'?' | b'!', b':') => at + 1,
            _ => break,
        };
    }
    (at, quoted)
}

/// `${NAME:-value}`
fn default_in_braces(scan: &Scan<'_>, end: usize) -> Option<Value> {
    let mark = match (scan.byte(end), scan.byte(end + 1)) {
        (b':', b'-' | b'=') => 2,
        (b'-', _) => 1,
        _ => return None,
    };
    let start = end + mark;
    let close = scan.run_end(start, LONGEST, |byte| byte != b'}' && byte != b'\n');
    if scan.byte(close) != b'}' {
        return None;
    }
    let quoted = close > start + 2 && is_quote(scan.byte(start)) && scan.byte(close - 1) == scan.byte(start);
    let range = if quoted { start + 1..close - 1 } else { start..close };
    Some(Value { range, quoted: true, how: How::Default })
}

/// `{ name: NAME, value: x }` on one line or two, JSON and HCL and XML alike.
fn paired(scan: &Scan<'_>, name: &Name) -> Option<Value> {
    let opener = |byte: u8| is_quote(byte) || matches!(byte, b' ' | b'\t' | b'=' | b':' | b'\\');
    let key_end = scan.run_start(name.range.start, 24, opener);
    if key_end == name.range.start {
        return None;
    }
    let key_start = scan.run_start(key_end, 8, is_word);
    let key = scan.part(key_start..key_end);
    if !key.eq_ignore_ascii_case("name") && !key.eq_ignore_ascii_case("key") {
        return None;
    }
    let between =
        |byte: u8| byte.is_ascii_whitespace() || is_quote(byte) || matches!(byte, b',' | b'\\' | b';');
    let at = scan.run_end(name.range.end, 200, between);
    let word_end = scan.run_end(at, 8, is_word);
    if at == name.range.end || !scan.part(at..word_end).eq_ignore_ascii_case("value") {
        return None;
    }
    let at = scan.run_end(word_end, 8, |byte| is_quote(byte) || matches!(byte, b' ' | b'\t' | b'\\'));
    matches!(scan.byte(at), b':' | b'=').then(|| literal_at(scan, at + 1, How::Pair)).flatten()
}

/// `password: &str = "value"`, `password: string = 'value'`
fn typed(scan: &Scan<'_>, start: usize) -> Option<Value> {
    let at = scan.skip_blanks(start);
    let kind = scan.run_end(at, 48, |byte| is_word(byte) || b" &[]<>|'?.".contains(&byte));
    let is_type =
        kind > at && !is_quote(scan.byte(at)) && scan.byte(kind) == b'=' && scan.byte(kind + 1) != b'=';
    is_type.then(|| quoted(scan, kind + 1, How::Spaced)).flatten()
}

/// `env("NAME") ?? "value"`, `process.env.NAME || 'value'`
fn fallback(scan: &Scan<'_>, start: usize) -> Option<Value> {
    let at = scan.skip_blanks(scan.run_end(start, 2, |byte| byte == b')'));
    let is_operator = matches!((scan.byte(at), scan.byte(at + 1)), (b'|', b'|') | (b'?', b'?' | b':'));
    if is_operator || fallback_word(scan, at) { quoted(scan, at + 2, How::Default) } else { None }
}

fn fallback_word(scan: &Scan<'_>, at: usize) -> bool {
    scan.ahead(at, 3) == b"or "
}

/// Commands and statements in which a blank stands between a name and its value.
fn takes_word(scan: &mut Scan<'_>, name: &Name, value: &Value) -> bool {
    const SETTERS: &[&str] = &["env", "setenv", "setx", "set", "export", "requirepass", "masterauth"];
    if name.option {
        return true;
    }
    let before = scan.line_before(name.range.start);
    let first = before.split_ascii_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let this = scan.part(name.range.clone()).to_ascii_lowercase();
    if SETTERS.contains(&this.as_str()) {
        return before.trim().is_empty();
    }
    if value.quoted && matches!(this.as_str(), "password" | "passwd") && is_statement(scan, name.range.start)
    {
        return true;
    }
    // netrc: `machine h login u password p`.
    if this == "password" && before.contains("login ") && !value.quoted {
        return true;
    }
    let words = before.split_ascii_whitespace().skip(1).all(|word| word.starts_with('-') || word == "ENV");
    SETTERS.contains(&first.as_str()) && words
}

/// Whether an SQL statement leads up to `at`.
fn is_statement(scan: &mut Scan<'_>, at: usize) -> bool {
    if !scan.may_look() {
        return false;
    }
    let start = scan.text.ceil_char_boundary(at.saturating_sub(240));
    let before = scan.part(start..at).to_ascii_lowercase();
    ["create ", "alter ", "options", "identified", "mapping"].iter().any(|word| before.contains(word))
}

fn literal(scan: &mut Scan<'_>, start: usize, how: How) -> Option<Value> {
    let found = literal_at(scan, start, how)?;
    if found.range.len() >= LONGEST {
        // A run without an end: no hit within it is worth a second reading.
        scan.skip_to(found.range.end);
        return None;
    }
    Some(found)
}

fn literal_at(scan: &Scan<'_>, start: usize, how: How) -> Option<Value> {
    quoted(scan, start, how).or_else(|| bare(scan, scan.skip_blanks(start), how))
}

/// A literal in quotes, with the prefixes that languages put before them.
fn quoted(scan: &Scan<'_>, start: usize, how: How) -> Option<Value> {
    let mut at = scan.run_end(start, 80, |byte| byte == b' ' || byte == b'\t' || byte == b'(');
    if b"frbuNELR$@&*".contains(&scan.byte(at)) && is_quote(scan.byte(at + 1)) {
        at += 1;
    }
    let escaped = scan.byte(at) == b'\\' && is_quote(scan.byte(at + 1));
    if escaped {
        at += 1;
    }
    let mark = scan.byte(at);
    // In a shell, a backtick runs a command.
    if !is_quote(mark) || (mark == b'`' && scan.place.syntax == Syntax::Config) {
        return None;
    }
    // Three quotes in Python open a literal as one does.
    while scan.byte(at + 1) == mark && scan.byte(at + 2) == mark {
        at += 2;
    }
    let open = at + 1;
    let limit = scan.ahead(open, LONGEST);
    let mut length = 0;
    while let Some(&byte) = limit.get(length) {
        match byte {
            b'\n' => break,
            b'\\' if escaped && limit.get(length + 1) == Some(&mark) => {
                return Some(Value { range: open..open + length, quoted: true, how });
            }
            b'\\' => length += 1,
            byte if byte == mark && !escaped => {
                return Some(Value { range: open..open + length, quoted: true, how });
            }
            _ => {}
        }
        length += 1;
    }
    None
}

/// A word without quotes. What ends it depends on who reads it.
fn bare(scan: &Scan<'_>, start: usize, how: How) -> Option<Value> {
    let stops: &[u8] = match how {
        How::Assigned | How::Word => b"\"'`<>",
        _ => b"",
    };
    let mut end = scan.run_end(start, LONGEST, |byte| byte > b' ' && !stops.contains(&byte));
    if matches!(how, How::Colon | How::Pair | How::Spaced) {
        let line = scan.run_end(start, LONGEST, |byte| byte != b'\n' && byte != b'\r');
        let text = scan.part(start..line);
        let comment = text.find(" #").unwrap_or(text.len());
        end = start + text.get(..comment)?.trim_end().len();
    }
    let text = scan.part(start..end);
    // In a flow (`{a: b, c: d}`), a list or a statement, its marks end the word.
    let cut = match how {
        How::Colon | How::Pair | How::Spaced => text.find([',', '}', ';']).filter(|at| {
            let rest = text.get(at + 1..).unwrap_or_default();
            rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '}' || c == ')')
        }),
        _ => text.find(';').filter(|at| {
            let rest = text.get(at + 1..).unwrap_or_default();
            rest.is_empty() || rest.split(['=', ' ']).next().is_some_and(|word| word.bytes().all(is_word))
        }),
    };
    let text = text.get(..cut.unwrap_or(text.len()))?.trim_end();
    let text =
        if how == How::Assigned { text.trim_end_matches([')', ',', ';', '&', '|', '\\']) } else { text };
    (!text.is_empty()).then(|| Value { range: start..start + text.len(), quoted: false, how })
}

#[cfg(test)]
mod tests {
    use super::super::{Place, name};
    use super::*;

    fn value(text: &str) -> Option<(&str, How)> {
        value_in(text, "x")
    }

    fn value_in<'t>(text: &'t str, path: &str) -> Option<(&'t str, How)> {
        let at = text.to_ascii_lowercase().find("pass").unwrap();
        let mut scan = Scan::new(text, Place::of(path));
        let name = name::read(&scan, &(at..at + 4))?;
        value_of(&mut scan, &name).map(|value| (&text[value.range], value.how))
    }

    #[test]
    fn every_language_assigns_in_its_own_way() {
        for (text, wanted, how) in [
            ("PGPASSWORD=a1b2 pg_dump", "a1b2", How::Assigned),
            ("PGPASSWORD='a b' pg_dump", "a b", How::Assigned),
            ("set PGPASSWORD=a1b2\r\n", "a1b2", How::Assigned),
            ("set \"PGPASSWORD=a1b2\"", "a1b2", How::Assigned),
            ("$env:PGPASSWORD = \"a1b2\"", "a1b2", How::Spaced),
            ("ENV PGPASSWORD a1b2", "a1b2", How::Word),
            ("setenv PGPASSWORD a1b2", "a1b2", How::Word),
            ("set -gx PGPASSWORD a1b2", "a1b2", How::Word),
            ("PGPASSWORD: a1b2 # comment", "a1b2", How::Colon),
            ("\"password\": \"a1b2\",", "a1b2", How::Colon),
            ("\\\"password\\\": \\\"a1b2\\\"", "a1b2", How::Colon),
            ("{ user: u, password: a1b2 }", "a1b2", How::Colon),
            ("{name: PGPASSWORD, value: \"a1b2\"}", "a1b2", How::Pair),
            ("- name: PGPASSWORD\n  value: a1b2\n", "a1b2", How::Pair),
            ("{\"name\":\"PGPASSWORD\",\"value\":\"a1b2\"}", "a1b2", How::Pair),
            ("<password>a1b2</password>", "a1b2", How::Element),
            ("<property name=\"password\" value=\"a1b2\"/>", "a1b2", How::Pair),
            ("os.environ['PGPASSWORD'] = 'a1b2'", "a1b2", How::Spaced),
            ("os.environ.get(\"PGPASSWORD\", \"a1b2\")", "a1b2", How::Argument),
            ("process.env.PGPASSWORD || 'a1b2'", "a1b2", How::Default),
            ("os.getenv(\"PGPASSWORD\") or \"a1b2\"", "a1b2", How::Default),
            ("${PGPASSWORD:-a1b2}", "a1b2", How::Default),
            ("ALTER ROLE u PASSWORD 'a1b2'", "a1b2", How::Word),
            ("OPTIONS (user 'u', password 'a1b2')", "a1b2", How::Word),
            ("restic --password a1b2", "a1b2", How::Word),
            ("let password: &str = \"a1b2\";", "a1b2", How::Spaced),
            ("##vso[task.setvariable variable=PGPASSWORD]a1b2", "a1b2", How::Assigned),
            ("Server=h;Password=a1b2;Database=d", "a1b2", How::Assigned),
            ("machine h login u password a1b2", "a1b2", How::Word),
        ] {
            assert_eq!(value(text), Some((wanted, how)), "{text}");
        }
    }

    #[test]
    fn a_backtick_quotes_in_prose_and_runs_in_a_shell() {
        assert_eq!(value_in("- **Password**: `a1b2`", "x.md"), Some(("a1b2", How::Colon)));
        assert_eq!(value_in("PASSWORD=`a1b2`", "x.sh"), None);
    }

    #[test]
    fn a_comparison_or_a_sentence_assigns_nothing() {
        for text in [
            "if password == \"x\"",
            "the password a user chose",
            "password::new(\"x\")",
            "if (password) {",
            "password\n",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
