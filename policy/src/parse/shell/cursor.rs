//! Where the parser stands: looking ahead, passing over blanks, counting depth.

use super::DEPTH;
use super::Problem;
use super::parser::Parser;
use crate::finding::Span;

impl<'s> Parser<'s> {
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        self.source.span(start, end)
    }

    /// From `start` to what was read last.
    pub(super) fn from(&self, start: usize) -> Span {
        self.span(start, self.at.max(start))
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<u8> {
        let at = self.at + ahead;
        (at < self.end).then(|| self.text.as_bytes().get(at).copied()).flatten()
    }

    pub(super) fn rest(&self) -> &'s str {
        self.text.get(self.at..self.end).unwrap_or_default()
    }

    pub(super) fn starts_with(&self, token: &str) -> bool {
        self.rest().starts_with(token)
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// One character further, whatever it is.
    pub(super) fn bump(&mut self) {
        self.at += self.rest().chars().next().map_or(0, char::len_utf8);
    }

    /// A construct begins. False where there are too many: then all that is left
    /// is passed over.
    pub(super) fn enter(&mut self) -> bool {
        if self.depth >= DEPTH {
            let span = self.span(self.at, self.end);
            self.problems.push(Problem { span, message: "nested too deeply" });
            self.at = self.end;
            return false;
        }
        self.depth += 1;
        true
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn problem(&mut self, start: usize, message: &'static str) {
        let span = self.from(start);
        self.problems.push(Problem { span, message });
    }

    /// Spaces, and line breaks behind a backslash.
    pub(super) fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\\') if self.continues_line() > 0 => self.at += self.continues_line(),
                _ => return,
            }
        }
    }

    /// How many bytes a backslash and its line break take here.
    pub(super) fn continues_line(&self) -> usize {
        match (self.peek_at(1), self.peek_at(2)) {
            (Some(b'\n'), _) => 2,
            (Some(b'\r'), Some(b'\n')) => 3,
            _ => 0,
        }
    }

    /// The word that begins here, if it is plain text: a candidate for a keyword.
    pub(super) fn plain_word(&self) -> &'s str {
        // The longest keyword has eight letters.
        let rest = self.rest().as_bytes();
        let length = rest.iter().take(9).take_while(|byte| !self.ends_word(**byte)).count();
        self.text.get(self.at..self.at + length).unwrap_or_default()
    }

    pub(super) fn ends_word(&self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
            || (self.backtick && byte == b'`')
    }

    /// The keyword, if it is the next word.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.plain_word() == keyword;
        if found {
            self.at += keyword.len();
        }
        found
    }
}
