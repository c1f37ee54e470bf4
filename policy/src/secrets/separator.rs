//! From a name to the literal that it is given, in the ways of shells, .env files,
//! YAML, JSON, INI, XML, SQL and programming languages. Names in, spans out.

use super::name::Name;
use super::operand::{How, LONGEST, Value, literal, literal_at, quoted};
use super::scan::{Scan, is_quote, is_word};

pub(super) fn value_of(scan: &mut Scan<'_>, name: &Name) -> Option<Value> {
    let end = name.range.end;
    let before = scan.before(name.range.start);
    if before == b'<' && scan.byte(end) == b'>' {
        return element(scan, end + 1);
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
        // Markdown: `**Password:** value`.
        (b':', b'*') if scan.byte(at + 2) == b'*' => literal(scan, at + 3, How::Colon),
        (b'>', _) if key_quoted => element(scan, at + 1),
        (b':', _) => typed(scan, at + 1).or_else(|| literal(scan, at + 1, How::Colon)),
        (b']', _)
            if scan.part(scan.run_start(name.range.start, 9, |byte| byte != b'[')..name.range.start)
                == "variable=" =>
        {
            literal(scan, at + 1, How::Assigned)
        }
        (b',', _) if key_quoted && is_lookup(scan, name.range.start) => quoted(scan, at + 1, How::Argument),
        (b')' | b'|' | b'?', _) => fallback(scan, at),
        (b';', _) if scan.ahead(at, 14).eq_ignore_ascii_case(b";issecret=true") => {
            (scan.byte(at + 14) == b']').then(|| literal(scan, at + 15, How::Assigned)).flatten()
        }
        _ if at > after => {
            if fallback_word(scan, at) && (!key_quoted || scan.before(after) == b']') {
                return quoted(scan, at + 2, How::Default);
            }
            literal(scan, at, How::Word).filter(|value| takes_word(scan, name, value))
        }
        _ => None,
    }
}

/// `getenv("NAME", …)`, `environ.setdefault("NAME", …)`, `env("NAME", …)`
fn is_lookup(scan: &Scan<'_>, name: usize) -> bool {
    const LOOKUPS: &[&str] = &[
        "env",
        "get",
        "set",
        "fetch",
        "setdefault",
        "variable",
        "property",
        "environ",
        "putenv",
        "define",
        "put",
        "config",
    ];
    let paren = scan.run_start(name, 6, |byte| is_quote(byte) || b"frbuL\\".contains(&byte) || byte == b' ');
    if scan.before(paren) != b'(' {
        return false;
    }
    let word = scan.part(scan.run_start(paren - 1, 40, is_word)..paren - 1).to_ascii_lowercase();
    LOOKUPS.iter().any(|lookup| word.ends_with(lookup))
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
    let at = after_comment(scan, name.range.end);
    let at = scan.run_end(at, 200, between);
    let word_end = scan.run_end(at, 8, is_word);
    if at == name.range.end || !scan.part(at..word_end).eq_ignore_ascii_case("value") {
        return None;
    }
    let at = scan.run_end(word_end, 8, |byte| is_quote(byte) || matches!(byte, b' ' | b'\t' | b'\\'));
    matches!(scan.byte(at), b':' | b'=').then(|| literal_at(scan, at + 1, How::Pair)).flatten()
}

/// YAML's comment after the name, on the same line.
fn after_comment(scan: &Scan<'_>, end: usize) -> usize {
    let at = scan.skip_blanks(scan.run_end(end, 1, is_quote));
    if at > end && scan.byte(at) == b'#' { scan.run_end(at, 160, |byte| byte != b'\n') } else { end }
}

/// The text of an XML element, from its start.
fn element(scan: &Scan<'_>, start: usize) -> Option<Value> {
    let close = scan.run_end(start, LONGEST, |byte| byte != b'<' && byte != b'\n');
    (scan.ahead(close, 2) == b"</").then_some(Value { range: start..close, quoted: true, how: How::Element })
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
    if this == "password" && before.contains("machine ") && !value.quoted {
        return true;
    }
    // `aws configure set name value`
    if before.ends_with(" set ") {
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
