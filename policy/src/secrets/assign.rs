//! Names with a secret as their value: `PGPASSWORD=…`, `password: …`, libpq's
//! `host=… password=…`, a Kubernetes secret, `IDENTIFIED BY '…'`.
//!
//! `name` says what a name promises, `separator` finds the value; here the two are
//! held against the surroundings and the kind of file.

use std::ops::Range;

use super::judge::Login;
use super::name::{self, Evidence, Name, Shape};
use super::operand::{How, Value};
use super::place::Syntax;
use super::scan::{Scan, is_quote};
use super::separator;
use super::template::is_template;
use super::url::default_of;
use super::words::{Class, classify};
use super::{Kind, Verdict, argv, encoded, pgpass, surroundings, token};

pub(super) fn detect(scan: &mut Scan<'_>, hit: &Range<usize>) {
    let lead = scan.part(hit.start.saturating_sub(2)..hit.start);
    if lead.eq_ignore_ascii_case("pg") && !scan.part(hit.end..hit.end + 4).eq_ignore_ascii_case("word") {
        pgpass::near(scan, hit.end);
        return;
    }
    if openssl(scan, hit) {
        return;
    }
    if scan.part(hit.start..hit.start + 13) == "passphrase-fd" {
        argv::piped(scan, hit.start);
        return;
    }
    let Some(name) = name::read(scan, hit) else { return };
    let Some(mut value) = separator::value_of(scan, &name) else { return };
    let text = scan.part(value.range.clone());
    if let Some(default) = default_of(text) {
        value.range = value.range.start + default.start..value.range.start + default.end;
        value.how = How::Default;
    }
    let text = scan.part(value.range.clone());
    // URLs, keys and tokens with a form of their own have a detector of their own.
    let of_openssl = name.option && text.starts_with("pass:");
    if text.contains("://") && !is_template(text) || token::has_prefix(text) || of_openssl {
        return;
    }
    let verdict = match name.shape {
        Shape::Chosen => chosen(scan, &name, &value),
        Shape::Made => made(scan, &name, &value),
    };
    if let Some((verdict, kind)) = verdict.filter(|_| !is_sealed(scan, &name, &value)) {
        scan.add(name.range.start..value.range.end, value.range.clone(), kind, verdict);
    }
    // Code that is no literal may hold another name: `get("DB_PASSWORD", "default")`.
    if value.how != How::Default && (value.quoted || verdict.is_some()) {
        scan.skip_to(value.range.end);
    }
}

fn chosen(scan: &mut Scan<'_>, name: &Name, value: &Value) -> Option<(Verdict, Kind)> {
    let text = scan.part(value.range.clone());
    if name.kind == Kind::Password && is_hash(text) {
        return Some((Verdict::Doubtful, Kind::SqlPassword));
    }
    let class = classify(text);
    if class == Class::Template {
        return None;
    }
    if !reads_as_literal(scan, name, value) {
        return None;
    }
    let decoded = encoded::of_kubernetes(scan, name.range.start, value);
    let of_kubernetes = decoded.is_some();
    let text = decoded.as_deref().unwrap_or(text);
    let near = surroundings::login(scan, name.range.start, value.range.end);
    // A shell's working directory has the name that ADO.NET gives to a password.
    if scan.part(name.range.clone()) == "PWD" && !near.one_string {
        return None;
    }
    let letters_only = text.chars().all(char::is_alphabetic);
    let in_code = scan.place.syntax == Syntax::Code;
    let weak = in_code || letters_only || text.contains(' ') || name.evidence == Evidence::Pass;
    let proven = match name.evidence {
        Evidence::Owned => true,
        // In code, capitals are a constant and not the environment's variable.
        Evidence::Capitals => !in_code || matches!(value.how, How::Assigned | How::Default | How::Argument),
        // `setProperty("password", …)` says it with both.
        Evidence::Plain | Evidence::Pass => value.how == How::Argument,
    };
    if weak
        && !proven
        && !near.speaks_of_one
        && !of_kubernetes
        && class == Class::Literal
        && !is_statement_word(value)
    {
        return None;
    }
    let creates = name.creates;
    // A server that is set up here is not the one whose address stands near.
    let (user, host) = if creates { (near.user, None) } else { (near.user, near.host) };
    let mut verdict = Login { user, password: text, host, creates }.verdict()?;
    if creates && scan.place.ci {
        verdict = Verdict::Development;
    }
    let kind = match (name.kind, value.how) {
        (Kind::Password, How::Word) if name.option => Kind::Argument,
        (Kind::Password, How::Word) if value.quoted => Kind::SqlPassword,
        (Kind::Password, _) if near.one_string => Kind::ConnectionString,
        (kind, _) => kind,
    };
    Some((verdict, kind))
}

/// Bitnami's sealed secrets hold what only their cluster can open.
fn is_sealed(scan: &mut Scan<'_>, name: &Name, value: &Value) -> bool {
    if value.how != How::Colon || !scan.may_look() {
        return false;
    }
    let start = scan.text.ceil_char_boundary(name.range.start.saturating_sub(1500));
    let before = scan.part(start..name.range.start);
    let sealed = before.rfind("encryptedData");
    sealed.is_some_and(|at| before.get(at..).is_some_and(|rest| !rest.contains("\n---")))
}

/// `PASSWORD '…'` after the words of a statement needs no other evidence.
fn is_statement_word(value: &Value) -> bool {
    value.how == How::Word && value.quoted
}

/// What PostgreSQL keeps of a password, as `pg_dumpall --globals-only` writes it.
pub(super) fn is_hash(text: &str) -> bool {
    let md5 = text.strip_prefix("md5").filter(|sum| sum.len() == 32);
    (text.starts_with("SCRAM-SHA-256$") && text.len() > 60)
        || md5.is_some_and(|sum| sum.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether the value is written out here, or is code, prose or the name of something.
fn reads_as_literal(scan: &mut Scan<'_>, name: &Name, value: &Value) -> bool {
    let text = scan.part(value.range.clone());
    let has_blank = text.contains(char::is_whitespace);
    if is_version(text) {
        return false;
    }
    if value.quoted {
        // A label of a form is a sentence; a password with a blank has more than words.
        if is_path(text) || (scan.place.syntax == Syntax::Code && is_name_of_one(text)) {
            return false;
        }
        let is_sentence = |c: char| c.is_alphabetic() || c.is_whitespace() || ".,:;'!?…-".contains(c);
        if !has_blank || !text.chars().all(is_sentence) {
            return true;
        }
        let phrase = name.kind == Kind::Passphrase && !text.contains(['.', ';', ':', '?']);
        return phrase || surroundings::login(scan, name.range.start, value.range.end).one_string;
    }
    if has_blank
        || text.contains(['(', '{']) && text.contains([')', '}'])
        || text.starts_with(['!', '&', '*', '|', '>', '-', '=', '{', '['])
    {
        return false;
    }
    if is_path(text) || (text.starts_with('/') && name.range.len() <= 6) {
        return false;
    }
    let mixed = text.bytes().any(|byte| !byte.is_ascii_alphabetic());
    let named = matches!(name.evidence, Evidence::Owned | Evidence::Capitals);
    match (scan.place.syntax, value.how) {
        (_, How::Word) => mixed,
        (Syntax::Code, How::Assigned | How::Default) => is_in_string(scan, name.range.start),
        (Syntax::Code, _) => false,
        (Syntax::Prose, How::Spaced) => mixed && named,
        (Syntax::Prose, How::Colon) => mixed || named,
        _ => true,
    }
}

/// Where a password lies, or the working directory (`PWD`).
fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && text.get(1..).is_some_and(|rest| rest.contains('/'))
        && !text.contains(['@', '!', '#', ' '])
}

/// `CHALLENGE_PASSWORD = "challengePassword"`
fn is_name_of_one(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["password", "passwd", "passphrase"].iter().any(|ending| lower.ends_with(ending))
        && text.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_-. ".contains(&byte))
}

/// `rpassword = "7.5"`
fn is_version(text: &str) -> bool {
    text.contains('.') && text.bytes().all(|byte| byte.is_ascii_digit() || b".^~*=<> ".contains(&byte))
}

/// Whether a literal is open at `at`: an odd number of quotes stands before it.
fn is_in_string(scan: &mut Scan<'_>, at: usize) -> bool {
    let before = scan.line_before(at).as_bytes();
    let tail = before.get(before.len().saturating_sub(512)..).unwrap_or_default();
    [b'"', b'\'', b'`'].iter().any(|quote| memchr::memchr_iter(*quote, tail).count() % 2 == 1)
}

fn made(scan: &mut Scan<'_>, name: &Name, value: &Value) -> Option<(Verdict, Kind)> {
    let text = scan.part(value.range.clone());
    if scan.place.syntax == Syntax::Code && !value.quoted && !is_in_string(scan, name.range.start) {
        return None;
    }
    match classify(text) {
        Class::Literal => {}
        Class::Default if name.kind == Kind::StorageKey || text.len() > 16 => {
            return Some((Verdict::Development, name.kind));
        }
        Class::Template | Class::Instruction | Class::Placeholder | Class::Default => return None,
    }
    let least = if matches!(name.kind, Kind::StorageKey | Kind::Passphrase | Kind::AzureStorageKey) {
        12
    } else {
        16
    };
    let made = text.len() >= least
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.+/=~:|".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && !text.to_ascii_lowercase().contains("example")
        && !text.starts_with("eyJ");
    made.then_some((Verdict::Leaked, name.kind))
}

/// `-pass pass:literal`, `-passin pass:literal` and so on.
fn openssl(scan: &mut Scan<'_>, hit: &Range<usize>) -> bool {
    if scan.byte(hit.end) != b':' || scan.part(hit.clone()) != "pass" {
        return false;
    }
    let before = scan.before(hit.start);
    if before != b' ' && before != b'=' && !is_quote(before) {
        return false;
    }
    if !scan.line_before(hit.start).contains("-pass") {
        return false;
    }
    let start = hit.end + 1;
    let end = if is_quote(before) {
        scan.run_end(start, 256, |byte| byte != before && byte != b'\n')
    } else if is_quote(scan.byte(start)) {
        let mark = scan.byte(start);
        let end = scan.run_end(start + 1, 256, |byte| byte != mark && byte != b'\n');
        return passphrase(scan, hit.start, start + 1..end);
    } else {
        scan.run_end(start, 256, |byte| byte > b' ' && !b"\"'`;|&)".contains(&byte))
    };
    passphrase(scan, hit.start, start..end)
}

fn passphrase(scan: &mut Scan<'_>, start: usize, value: Range<usize>) -> bool {
    let login = Login { user: "", password: scan.part(value.clone()), host: None, creates: false };
    if let Some(verdict) = login.verdict() {
        scan.add(start..value.end, value.clone(), Kind::Passphrase, verdict);
    }
    scan.skip_to(value.end);
    true
}

/// MySQL's and Oracle's `IDENTIFIED BY 'literal'`; `end` is past the words.
pub(super) fn identified_by(scan: &mut Scan<'_>, end: usize) {
    // "the sequence identified by 'name'" is no statement.
    let start = scan.text.ceil_char_boundary(end.saturating_sub(240));
    let before = scan.part(start..end).to_ascii_lowercase();
    let words = ["user", "role", "grant", "account", "login", "link", "connect", "server"];
    if !words.iter().any(|word| before.contains(word)) {
        return;
    }
    let at = scan.skip_blanks(end);
    let at = if scan.part(at..at + 9).eq_ignore_ascii_case("password ") { at + 9 } else { at };
    let mark = scan.byte(at);
    if mark != b'\'' && mark != b'"' {
        return;
    }
    let close = scan.run_end(at + 1, 256, |byte| byte != mark && byte != b'\n');
    let value = at + 1..close;
    let login = Login { user: "", password: scan.part(value.clone()), host: None, creates: false };
    if scan.byte(close) == mark
        && let Some(verdict) = login.verdict()
    {
        scan.add(end - "identified by".len()..close, value, Kind::SqlPassword, verdict);
    }
}
