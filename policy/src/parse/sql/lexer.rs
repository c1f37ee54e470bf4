//! Tokens and the ends of statements, in one pass.

use super::{Command, Kind, Sql, Statement, Token};
use crate::parse::source::Source;

/// How often a quote that nothing closes may be given up for its line; a later one
/// takes the rest of the text, as it does in psql.
const RESCANS: usize = 16;

/// Tokens that are kept: more is data, of which there is no end.
const TOKENS: usize = 1 << 19;

/// Backslash commands that send what was typed before them.
const SENDS: [&str; 8] = ["g", "gx", "gexec", "gset", "gdesc", "crosstabview", "watch", "bind"];

pub(super) struct Lexer<'s> {
    source: &'s Source<'s>,
    text: &'s str,
    at: usize,
    sql: Sql,
    /// Of the statement that is read.
    tokens: Vec<Token>,
    start: usize,
    /// Behind its last token.
    end: usize,
    parentheses: usize,
    /// `BEGIN` and `CASE` in the body of a function: semicolons there end nothing.
    blocks: usize,
    rescans: usize,
    /// No line `\.` lies ahead.
    no_data_end: bool,
    kept: usize,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s Source<'s>) -> Self {
        Self {
            source,
            text: source.text(),
            at: 0,
            sql: Sql::default(),
            tokens: Vec::new(),
            start: 0,
            end: 0,
            parentheses: 0,
            blocks: 0,
            rescans: RESCANS,
            no_data_end: false,
            kept: 0,
        }
    }

    pub(super) fn run(mut self) -> Sql {
        while let Some(byte) = self.peek(0)
            && self.kept < TOKENS
        {
            self.token(byte);
        }
        self.finish();
        self.sql
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'s str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn token(&mut self, byte: u8) {
        let start = self.at;
        match (byte, self.peek(1)) {
            (byte, _) if byte.is_ascii_whitespace() => self.at += 1,
            (b'-', Some(b'-')) => {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                let length = self.text.get(start..self.at).unwrap_or_default().trim_end().len();
                self.sql.comments.push(self.source.span(start, start + length));
            }
            (b'/', Some(b'*')) => self.comment(),
            (b'\\', _) => self.command(),
            (b';', _) => {
                self.at += 1;
                if self.parentheses == 0 && self.blocks == 0 {
                    self.finish();
                } else {
                    self.push(Kind::Mark, start, ";".to_owned());
                }
            }
            (b'\'', _) => self.quoted(start, 1, Kind::String, false),
            (b'"', _) => self.quoted(start, 1, Kind::Name, false),
            (b'e' | b'E', Some(b'\'')) => self.quoted(start, 2, Kind::String, true),
            (b'b' | b'B' | b'x' | b'X' | b'n' | b'N', Some(b'\'')) => {
                self.quoted(start, 2, Kind::String, false);
            }
            (b'u' | b'U', Some(b'&')) if self.peek(2) == Some(b'\'') => {
                self.quoted(start, 3, Kind::String, false);
            }
            (b'u' | b'U', Some(b'&')) if self.peek(2) == Some(b'"') => {
                self.quoted(start, 3, Kind::Name, false);
            }
            (b'$', Some(next)) if next.is_ascii_digit() => {
                self.at += 1;
                self.at += self.rest().bytes().take_while(u8::is_ascii_digit).count();
                self.push_slice(Kind::Parameter, start);
            }
            (b'$', _) => self.dollar(),
            (b':', Some(b':')) => {
                self.at += 2;
                self.push_slice(Kind::Mark, start);
            }
            (b':', Some(b'\'' | b'"')) => self.quoted(start, 2, Kind::Variable, false),
            (b':', Some(next)) if is_name_start(next) => {
                self.at += 1;
                self.word_length();
                self.push_slice(Kind::Variable, start);
            }
            (byte, _) if byte.is_ascii_digit() => self.number(),
            (byte, _) if is_name_start(byte) => self.word(),
            _ => {
                self.at += self.rest().chars().next().map_or(1, char::len_utf8);
                self.push_slice(Kind::Mark, start);
                match byte {
                    b'(' => self.parentheses += 1,
                    b')' => self.parentheses = self.parentheses.saturating_sub(1),
                    _ => {}
                }
            }
        }
    }

    fn push(&mut self, kind: Kind, start: usize, text: String) {
        if self.tokens.is_empty() {
            self.start = start;
        }
        self.end = self.at;
        self.kept += 1;
        self.tokens.push(Token { span: self.source.span(start, self.at), kind, text });
    }

    fn push_slice(&mut self, kind: Kind, start: usize) {
        let text = self.text.get(start..self.at).unwrap_or_default().to_owned();
        self.push(kind, start, text);
    }

    fn word_length(&mut self) {
        let length = self
            .rest()
            .bytes()
            .take_while(|byte| is_name_start(*byte) || byte.is_ascii_digit() || *byte == b'$');
        self.at += length.count();
    }

    fn word(&mut self) {
        let start = self.at;
        self.word_length();
        self.push_slice(Kind::Word, start);
        let Some(token) = self.tokens.last() else { return };
        // `CREATE FUNCTION .. BEGIN ATOMIC a; b; END`
        if token.is_word("BEGIN") && self.creates_routine() || (self.blocks > 0 && token.is_word("CASE")) {
            self.blocks += 1;
        } else if self.blocks > 0 && token.is_word("END") {
            self.blocks -= 1;
        }
    }

    fn creates_routine(&self) -> bool {
        self.tokens.first().is_some_and(|token| token.is_word("CREATE"))
            && self.tokens.iter().take(4).any(|token| token.is_word("FUNCTION") || token.is_word("PROCEDURE"))
    }

    fn number(&mut self) {
        let start = self.at;
        let mut before = b' ';
        let length = self.rest().bytes().take_while(|byte| {
            let fits = byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'_')
                || (matches!(byte, b'+' | b'-') && matches!(before, b'e' | b'E'));
            before = *byte;
            fits
        });
        self.at += length.count();
        self.push_slice(Kind::Number, start);
    }

    /// A quoted text behind an opening of `open` bytes, of which the last is the
    /// quote.
    fn quoted(&mut self, start: usize, open: usize, kind: Kind, escapes: bool) {
        self.at += open;
        let quote = self.text.as_bytes().get(self.at - 1).copied().unwrap_or(b'\'');
        let mut text = String::new();
        let mut from = self.at;
        loop {
            match self.peek(0) {
                None => {
                    self.give_up(start, start + open);
                    let read = self.text.get(start + open..self.at).unwrap_or_default().to_owned();
                    self.push(kind, start, read);
                    return;
                }
                Some(byte) if byte == quote => {
                    text.push_str(self.text.get(from..self.at).unwrap_or_default());
                    self.at += 1;
                    from = self.at;
                    if self.peek(0) != Some(quote) {
                        break;
                    }
                    // Doubled: it stays once.
                    self.at += 1;
                }
                Some(b'\\') if escapes => {
                    text.push_str(self.text.get(from..self.at).unwrap_or_default());
                    self.at += 1;
                    from = self.at;
                    self.at += self.rest().chars().next().map_or(0, char::len_utf8);
                }
                Some(_) => self.at += 1,
            }
        }
        self.push(kind, start, text);
    }

    /// What was opened at `start` has no end: it takes its line, or all that is left.
    fn give_up(&mut self, start: usize, inner: usize) {
        self.at = self.text.len();
        if self.rescans > 0 {
            self.rescans -= 1;
            self.at =
                inner + self.text.get(inner..).and_then(|rest| rest.find('\n')).unwrap_or(self.at - inner);
        }
        self.sql.unterminated.push(self.source.span(start, self.at));
    }

    fn dollar(&mut self) {
        let start = self.at;
        let rest = self.rest();
        let tag =
            rest.bytes().skip(1).take_while(|byte| is_name_start(*byte) || byte.is_ascii_digit()).count();
        if rest.as_bytes().get(tag + 1) != Some(&b'$') {
            self.at += 1;
            self.push_slice(Kind::Mark, start);
            return;
        }
        let delimiter = rest.get(..tag + 2).unwrap_or_default();
        let inner = start + delimiter.len();
        let found = self.text.get(inner..).and_then(|body| body.find(delimiter));
        let end = if let Some(length) = found {
            self.at = inner + length + delimiter.len();
            inner + length
        } else {
            self.give_up(start, inner);
            self.at
        };
        let body = self.text.get(inner..end).unwrap_or_default().to_owned();
        self.push(Kind::Dollar, start, body);
    }

    /// `/* .. /* .. */ .. */`
    fn comment(&mut self) {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (None, _) => {
                    self.give_up(start, start + 2);
                    break;
                }
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        break;
                    }
                }
                _ => self.at += 1,
            }
        }
        self.sql.comments.push(self.source.span(start, self.at));
    }

    /// `\name arguments`
    fn command(&mut self) {
        let start = self.at;
        let line = self.rest().split('\n').next().unwrap_or_default();
        let name = line.get(1..).unwrap_or_default();
        let length = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len());
        // `\!`, `\?`, `\;`, `\\`, `\.`
        let length = if length == 0 { name.chars().next().map_or(0, char::len_utf8) } else { length };
        let after = name.get(length..).unwrap_or_default();
        let blanks = after.len() - after.trim_start().len();
        let name = name.get(..length).unwrap_or_default();
        self.at = start + line.len();
        if name == ";" || name == "\\" {
            self.at = start + 2;
            return;
        }
        let arguments = after.trim();
        let from = start + 1 + length + blanks;
        let end = start + line.trim_end().len();
        self.sql.commands.push(Command {
            span: self.source.span(start, end),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            arguments_span: self.source.span(from.min(end), end),
        });
        if SENDS.contains(&name) {
            self.finish();
        }
    }

    /// The statement ends here.
    fn finish(&mut self) {
        (self.parentheses, self.blocks) = (0, 0);
        if self.tokens.is_empty() {
            return;
        }
        let tokens = std::mem::take(&mut self.tokens);
        let mut statement = Statement { span: self.source.span(self.start, self.end), tokens, data: None };
        if statement.copy().is_some_and(|copy| !copy.writes && copy.place == super::CopyPlace::Client) {
            statement.data = self.data();
        }
        self.sql.statements.push(statement);
    }

    /// The lines up to `\.`, if there are any.
    fn data(&mut self) -> Option<crate::finding::Span> {
        let line_end = self.rest().find('\n')?;
        if self.no_data_end || !self.rest().get(..line_end)?.trim().is_empty() {
            return None;
        }
        let start = self.at + line_end + 1;
        let body = self.text.get(start..)?;
        let mut found = crate::parse::source::lines(body).filter(|(_, line)| *line == "\\.");
        let Some((length, _)) = found.next() else {
            self.no_data_end = true;
            return None;
        };
        self.at = start + length + 2;
        Some(self.source.span(start, start + length))
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}
