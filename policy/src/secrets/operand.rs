//! Reads the literal after a separator: in quotes, with the prefixes of languages and
//! the escapes of JSON, or as a bare word that ends where its reader ends it.

use std::ops::Range;

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

pub(super) fn literal(scan: &mut Scan<'_>, start: usize, how: How) -> Option<Value> {
    let found = literal_at(scan, start, how)?;
    if found.range.len() >= LONGEST {
        // A run without an end: no hit within it is worth a second reading.
        scan.skip_to(found.range.end);
        return None;
    }
    Some(found)
}

pub(super) fn literal_at(scan: &Scan<'_>, start: usize, how: How) -> Option<Value> {
    quoted(scan, start, how).or_else(|| bare(scan, scan.skip_blanks(start), how))
}

/// A literal in quotes, with the prefixes that languages put before them.
pub(super) fn quoted(scan: &Scan<'_>, start: usize, how: How) -> Option<Value> {
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
        let ahead = scan.ahead(start, LONGEST);
        let line = start + memchr::memchr2(b'\n', b'\r', ahead).unwrap_or(ahead.len());
        let text = scan.part(start..scan.text.floor_char_boundary(line));
        let comment = text.find(" #").unwrap_or(text.len());
        end = start + text.get(..comment)?.trim_end().len();
    }
    let text = scan.part(start..end);
    // In a flow (`{a: b, c: d}`), a list or a statement, its marks end the word.
    let cut = match how {
        How::Colon | How::Pair | How::Spaced => marks(text).filter(|at| {
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

/// The first mark that may end a bare word; a variable's brace is a part of it.
fn marks(text: &str) -> Option<usize> {
    let variable = if text.starts_with("${") { text.find('}').map_or(0, |at| at + 1) } else { 0 };
    text.get(variable..)?.find([',', '}', ';']).map(|at| variable + at)
}
