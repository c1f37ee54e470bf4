//! Words: quotes, escapes and the literal text between expansions.
//!
//! Each literal part is a slice of the text, cut at every escape and, where the
//! text was dedented, at every line: so its span holds exactly its bytes.

use super::parser::Parser;
use super::{Part, PartKind, Quote, Word};

/// What ends a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A blank or an operator.
    Blank,
    /// Inside of `[[ ]]`, only a blank.
    Test,
    /// Inside of `${..}`, the brace; in double quotes, `'` quotes nothing.
    Brace { in_double: bool },
}

/// What ends text with expansions in which quotes or blanks mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Region {
    /// `"`
    Double,
    /// The end of what may be read: a here-document.
    End,
    /// `))`, with parentheses inside.
    Arithmetic,
}

impl Parser<'_> {
    pub(super) fn word(&mut self, stop: Stop) -> Word {
        let start = self.at;
        let mut parts = Vec::new();
        let mut literal = self.at;
        while let Some(byte) = self.peek() {
            let ends = match stop {
                Stop::Blank => self.ends_word(byte),
                Stop::Test => byte.is_ascii_whitespace() || (self.backtick && byte == b'`'),
                Stop::Brace { .. } => byte == b'}',
            };
            if ends && !self.continues_word(byte, stop) {
                break;
            }
            match byte {
                b'\\' => {
                    self.literal(&mut parts, literal, Quote::None);
                    self.escape(&mut parts);
                    literal = self.at;
                }
                b'\'' if stop != (Stop::Brace { in_double: true }) => {
                    self.literal(&mut parts, literal, Quote::None);
                    self.single_quoted(&mut parts);
                    literal = self.at;
                }
                b'"' => {
                    self.literal(&mut parts, literal, Quote::None);
                    self.at += 1;
                    self.region(&mut parts, Region::Double);
                    literal = self.at;
                }
                b'$' | b'`' | b'<' | b'>' => {
                    let begin = self.at;
                    let quote =
                        if stop == (Stop::Brace { in_double: true }) { Quote::Double } else { Quote::None };
                    let mut found = Vec::new();
                    if self.expansion(&mut found, quote) {
                        self.literal_to(&mut parts, literal, begin, quote);
                        parts.append(&mut found);
                        literal = self.at;
                    } else {
                        self.bump();
                    }
                }
                b'?' | b'*' | b'+' | b'@' | b'!' if stop == Stop::Blank && self.peek_at(1) == Some(b'(') => {
                    self.at += 1;
                    self.extended_glob();
                }
                _ => self.bump(),
            }
        }
        self.literal(&mut parts, literal, Quote::None);
        Word { span: self.from(start), parts }
    }

    /// `<(..)`, `>(..)` and `<name>` begin with what ends a word elsewhere.
    fn continues_word(&self, byte: u8, stop: Stop) -> bool {
        stop == Stop::Blank
            && match byte {
                b'<' => self.peek_at(1) == Some(b'(') || self.placeholder_length().is_some(),
                b'>' => self.peek_at(1) == Some(b'('),
                _ => false,
            }
    }

    /// What was read since `start` as a literal.
    fn literal(&self, parts: &mut Vec<Part>, start: usize, quote: Quote) {
        self.literal_to(parts, start, self.at, quote);
    }

    pub(super) fn literal_to(&self, parts: &mut Vec<Part>, start: usize, end: usize, quote: Quote) {
        let text = self.text.get(start..end).unwrap_or_default();
        if text.is_empty() {
            return;
        }
        let span = self.span(start, end);
        if span.end - span.start == text.len() {
            parts.push(Part { span, quote, kind: PartKind::Literal(text.to_owned()) });
            return;
        }
        let mut at = start;
        for line in text.split_inclusive('\n') {
            let span = self.span(at, at + line.len());
            parts.push(Part { span, quote, kind: PartKind::Literal(line.to_owned()) });
            at += line.len();
        }
    }

    fn escape(&mut self, parts: &mut Vec<Part>) {
        let joined = self.continues_line();
        if joined > 0 {
            self.at += joined;
            return;
        }
        let start = self.at;
        self.at += 1;
        if self.at >= self.end {
            self.literal(parts, start, Quote::None);
            return;
        }
        let start = self.at;
        self.bump();
        self.literal(parts, start, Quote::Escape);
    }

    fn single_quoted(&mut self, parts: &mut Vec<Part>) {
        self.at += 1;
        let start = self.at;
        let Some(length) = self.rest().find('\'') else {
            self.at = self.end;
            self.unterminated = true;
            return;
        };
        self.verbatim(parts, start + length, Quote::Single);
        if length == 0 {
            self.empty(parts, Quote::Single);
        }
        self.at = start + length + 1;
    }

    fn empty(&self, parts: &mut Vec<Part>, quote: Quote) {
        let span = self.span(self.at, self.at);
        parts.push(Part { span, quote, kind: PartKind::Literal(String::new()) });
    }

    /// Text in which only GitHub's expressions are expanded, since they are
    /// replaced before the shell sees it.
    pub(super) fn verbatim(&mut self, parts: &mut Vec<Part>, end: usize, quote: Quote) {
        let outer = std::mem::replace(&mut self.end, end);
        let mut literal = self.at;
        while let Some(length) = self.rest().find("${{") {
            self.at += length;
            let begin = self.at;
            match self.github(quote) {
                Some(part) => {
                    self.literal_to(parts, literal, begin, quote);
                    parts.push(part);
                    literal = self.at;
                }
                None => self.at += 3,
            }
        }
        self.literal_to(parts, literal, end, quote);
        self.at = end;
        self.end = outer;
    }

    /// Text with expansions, up to and with its end.
    pub(super) fn region(&mut self, parts: &mut Vec<Part>, region: Region) {
        let quote = Quote::Double;
        let before = parts.len();
        let mut literal = self.at;
        let mut parentheses = 0_usize;
        loop {
            let Some(byte) = self.peek() else {
                self.literal(parts, literal, quote);
                self.unterminated |= region != Region::End;
                return;
            };
            match byte {
                b'"' if region == Region::Double => break,
                b')' if region == Region::Arithmetic => {
                    if parentheses == 0 {
                        break;
                    }
                    parentheses -= 1;
                    self.at += 1;
                }
                b'(' if region == Region::Arithmetic => {
                    parentheses += 1;
                    self.at += 1;
                }
                b'\\' => {
                    let escaped = self.peek_at(1);
                    let joined = self.continues_line();
                    let special = matches!(escaped, Some(b'$' | b'`' | b'\\'))
                        || (escaped == Some(b'"') && region != Region::End);
                    if joined > 0 {
                        self.literal(parts, literal, quote);
                        self.at += joined;
                        literal = self.at;
                    } else if special {
                        self.literal(parts, literal, quote);
                        literal = self.at + 1;
                        self.at += 2;
                    } else {
                        self.at += 1;
                    }
                }
                // In backticks, the next one ends them even inside of quotes.
                b'`' if self.backtick => {
                    self.literal(parts, literal, quote);
                    self.unterminated |= region != Region::End;
                    return;
                }
                b'$' | b'`' => {
                    let begin = self.at;
                    let mut found = Vec::new();
                    if self.expansion(&mut found, quote) {
                        self.literal_to(parts, literal, begin, quote);
                        parts.append(&mut found);
                        literal = self.at;
                    } else {
                        self.bump();
                    }
                }
                _ => self.bump(),
            }
        }
        self.literal(parts, literal, quote);
        if parts.len() == before && region == Region::Double {
            self.empty(parts, quote);
        }
        self.at += 1;
    }

    /// `$'..'`, behind its dollar.
    pub(super) fn dollar_quoted(&mut self, parts: &mut Vec<Part>) {
        self.at += 1;
        let mut literal = self.at;
        let before = parts.len();
        loop {
            match self.peek() {
                None => {
                    self.unterminated = true;
                    break;
                }
                Some(b'\'') => break,
                Some(b'\\') => {
                    self.literal(parts, literal, Quote::Dollar);
                    let start = self.at;
                    self.at += 1;
                    let text = self.ansi_escape();
                    parts.push(Part {
                        span: self.from(start),
                        quote: Quote::Dollar,
                        kind: PartKind::Literal(text),
                    });
                    literal = self.at;
                }
                Some(_) => self.bump(),
            }
        }
        self.literal(parts, literal, Quote::Dollar);
        if parts.len() == before {
            self.empty(parts, Quote::Dollar);
        }
        self.at = (self.at + 1).min(self.end);
    }

    fn ansi_escape(&mut self) -> String {
        let Some(byte) = self.peek() else { return "\\".to_owned() };
        let (skip, digits, radix) = match byte {
            b'x' => (1, 2, 16),
            b'u' => (1, 4, 16),
            b'U' => (1, 8, 16),
            b'0'..=b'7' => (0, 3, 8),
            _ => {
                let start = self.at;
                self.bump();
                return match byte {
                    b'n' => "\n".to_owned(),
                    b't' => "\t".to_owned(),
                    b'r' => "\r".to_owned(),
                    b'e' | b'E' => "\u{1b}".to_owned(),
                    _ => self.text.get(start..self.at).unwrap_or_default().to_owned(),
                };
            }
        };
        self.at += skip;
        let number = self.rest();
        let length = number.chars().take(digits).take_while(|digit| digit.is_digit(radix)).count();
        let value = number.get(..length).and_then(|digits| u32::from_str_radix(digits, radix).ok());
        self.at += length;
        value.and_then(char::from_u32).map(String::from).unwrap_or_default()
    }

    /// `@(a|b)`, at its parenthesis. Short and on one line, or it is none.
    fn extended_glob(&mut self) {
        let mut depth = 0_usize;
        for (length, byte) in self.rest().bytes().take(256).enumerate() {
            match byte {
                b'(' => depth += 1,
                b')' if depth == 1 => {
                    self.at += length + 1;
                    return;
                }
                b')' => depth -= 1,
                b'\n' => return,
                _ => {}
            }
        }
    }

    /// The length of `<name>`, if that is what begins here. `<in >out` and
    /// `<in>out` are redirections.
    pub(super) fn placeholder_length(&self) -> Option<usize> {
        let rest = self.rest().as_bytes();
        if !rest.get(1)?.is_ascii_alphabetic() {
            return None;
        }
        let inner = rest.iter().skip(1).take(48).position(|byte| {
            !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ' | b'/'))
        })?;
        let close = inner + 1;
        // `<in 2>err` has a number before the `>`.
        let last = rest.get(1..close)?.rsplit(|byte| *byte == b' ').next()?;
        let fits = rest.get(close) == Some(&b'>') && !last.iter().all(u8::is_ascii_digit);
        let after = rest.get(close + 1).copied().unwrap_or(b' ');
        let alone = !(after.is_ascii_alphanumeric() || matches!(after, b'>' | b'&' | b'(' | b'$' | b'"'));
        // Within a word, such as `s3://<bucket>/x`, a path may follow.
        (fits && alone).then_some(close + 1)
    }
}
