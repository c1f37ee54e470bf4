//! What stands outside of strings, quoted names and comments: words flow in, and at
//! the end of a statement it is decided whether it passes, and what follows it.

use super::routine::Routine;
use super::settings::Change;
use super::state::{CopyLine, State};
use super::{DECIDED_BY, Error, Filter, copy};

/// The key of a COPY statement, which lists every column.
const LONGEST_KEY: usize = 4 << 20;

impl Filter {
    /// A byte outside strings, quoted names and comments.
    pub(super) fn top(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), Error> {
        let in_word = !self.word.is_empty();
        if self.copy_follows && !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            // psql reads the rows first, and then what is left of the line.
            return Err(Error::OtherCopy { line: self.line });
        }
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80.. => {
                self.begin();
                if !in_word {
                    (self.before_word, self.is_variable) = (self.last, self.colons % 2 == 1);
                }
                self.colons = 0;
                if self.word.len() < DECIDED_BY || self.key.starts_with(b"COPY ") {
                    self.word.push(byte.to_ascii_uppercase());
                }
            }
            // Versions of psql differ in where such a number ends.
            b'$' | b'\'' if self.word.first().is_some_and(u8::is_ascii_digit) => {
                return Err(self.unclear("a number that runs into a quote"));
            }
            b'$' if in_word => self.word.push(byte),
            b'{' => return Err(self.unclear("a brace outside of quotes")),
            b'\n' if self.copy_follows => {
                self.copy_follows = false;
                out.push(byte);
                self.state = State::Copy(CopyLine::Start);
                return Ok(());
            }
            b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C => {
                self.end_word()?;
                self.colons = 0;
                if !matches!(self.key.last(), None | Some(b' ')) {
                    self.add_to_key(b' ');
                }
            }
            b'\\' => {
                self.state = State::Command { word: Vec::new(), named: false };
                return Ok(());
            }
            b';' => {
                self.end_word()?;
                self.colons = 0;
                self.emit(byte, out);
                if self.parentheses == 0 && self.routine.is_complete() {
                    self.end_statement(out)?;
                }
                return Ok(());
            }
            _ => {
                self.begin();
                let escapes = byte == b'\'' && self.has_escapes()?;
                self.end_word()?;
                self.colons = if byte == b':' { self.colons + 1 } else { 0 };
                match byte {
                    b'\'' => self.state = State::String { escapes, escaped: false },
                    b'"' => self.state = State::Name,
                    b'$' => self.state = State::Dollar { tag: Vec::new() },
                    b'-' => self.state = State::Dash,
                    b'/' => self.state = State::Slash,
                    b'(' => self.parentheses += 1,
                    b')' => self.parentheses = self.parentheses.saturating_sub(1),
                    _ => {}
                }
                self.add_to_key(byte);
            }
        }
        self.emit(byte, out);
        Ok(())
    }

    /// A statement may begin here: from now on it is held.
    fn begin(&mut self) {
        if self.key.is_empty() && self.word.is_empty() && self.held.is_none() {
            self.held = Some(Vec::new());
        }
    }

    /// Whether the string that begins here has escapes: an E right before the quote
    /// gives it some, and so does the setting where nothing is right before it.
    fn has_escapes(&self) -> Result<bool, Error> {
        let prefix = if self.is_variable { &b""[..] } else { &self.word };
        match prefix {
            b"E" if self.before_word == b'.' => Err(self.unclear("a number that runs into a quote")),
            b"E" => Ok(true),
            b"B" | b"X" => Ok(false),
            _ if !self.conforming && self.last == b'&' => Err(self.unclear("a string right behind a '&'")),
            _ => Ok(!self.conforming),
        }
    }

    fn end_word(&mut self) -> Result<(), Error> {
        let word = std::mem::take(&mut self.word);
        if word.first().is_some_and(u8::is_ascii_digit) {
            // `1e5`, `0x1F` and `1_000` are numbers.
            if !word.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'X' | b'O' | b'_')) {
                return Err(self.unclear("a number that runs into a word"));
            }
        } else if !word.is_empty() && !self.is_variable {
            self.routine.word(&word, self.parentheses);
        }
        self.touched.token(&word);
        for byte in word {
            self.add_to_key(byte);
        }
        Ok(())
    }

    pub(super) fn quote(&mut self, byte: u8) {
        if self.quoted.len() < DECIDED_BY {
            self.quoted.push(byte.to_ascii_uppercase());
        }
    }

    pub(super) fn end_quoted(&mut self) {
        self.touched.token(&self.quoted);
        self.quoted.clear();
    }

    pub(super) fn unclear(&self, what: &'static str) -> Error {
        Error::Unclear { what, line: self.line }
    }

    /// Only the beginning of a statement decides about it, but for COPY.
    pub(super) fn add_to_key(&mut self, byte: u8) {
        let limit = if self.key.starts_with(b"COPY ") { LONGEST_KEY } else { 2 * DECIDED_BY };
        if self.key.len() < limit || byte == b'-' || byte == b'/' {
            self.key.push(byte);
        }
    }

    fn end_statement(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let key = std::mem::take(&mut self.key);
        self.routine = Routine::default();
        let words: Vec<&[u8]> =
            key.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).take(4).collect();
        let is = |expected: &[&[u8]]| words.starts_with(expected);
        let mut drop = self.rules.drop_transaction_timeout && is(&[b"SET", b"TRANSACTION_TIMEOUT"]);
        if self.rules.one_transaction {
            drop |= is(&[b"BEGIN"]) || is(&[b"COMMIT"]) || is(&[b"END"]) || is(&[b"START", b"TRANSACTION"]);
            let undoes = (is(&[b"ROLLBACK"]) && !words.contains(&&b"TO"[..])) || is(&[b"ABORT"]);
            if undoes || is(&[b"PREPARE", b"TRANSACTION"]) || is(&[b"COMMIT", b"PREPARED"]) {
                return Err(Error::EndsTransaction { line: self.line });
            }
        }
        if is(&[b"CREATE", b"DATABASE"]) || is(&[b"DROP", b"DATABASE"]) {
            return Err(Error::NamesDatabase { line: self.line });
        }
        self.undoable |= !drop && (is(&[b"SAVEPOINT"]) || is(&[b"BEGIN"]) || is(&[b"START"]));
        match std::mem::take(&mut self.touched).change(&key, self.held.as_deref()) {
            Change::None => {}
            Change::Strings(Some(on)) if on == self.conforming || !self.undoable => {
                self.conforming_next = Some(on);
            }
            Change::Strings(_) => return Err(self.unclear("a change of standard_conforming_strings")),
            Change::Encoding => return Err(Error::Encoding { line: self.line }),
        }
        self.copy_follows =
            copy::takes_rows(&key).map_err(|copy::Other| Error::OtherCopy { line: self.line })?;
        if drop {
            self.held = None;
        } else {
            self.release(out);
        }
        Ok(())
    }
}
