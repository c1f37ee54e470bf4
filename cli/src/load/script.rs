//! SQL text on its way to psql: bytes of a plain dump (or of what pg_restore
//! prints) flow in, the same statements flow out, without those that the target
//! cannot take or that would end our transaction.
//!
//! A dump from elsewhere is code, so it is read as psql reads it: whatever
//! psql would take for a command of its own (`\!`, `\i`, `\connect`) is refused,
//! and a dump that lacks its last line is never whole.

use super::Error;
use state::{CopyLine, State, is_routine};

mod state;

/// Statements that are dropped or refused are shorter than this.
const DECIDED_BY: usize = 48;
/// The key of a COPY statement, which lists every column.
const LONGEST_KEY: usize = 4 << 20;
const HEADER: &[u8] = b"-- PostgreSQL database dump";
const CLUSTER_HEADER: &[u8] = b"-- PostgreSQL database cluster dump";
const TRAILER: &[u8] = b"-- PostgreSQL database dump complete";

/// What to take out.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// `SET transaction_timeout`, which servers before 17 do not know.
    pub drop_transaction_timeout: bool,
    /// `BEGIN`, `COMMIT` and the like: everything is in one transaction of ours.
    pub one_transaction: bool,
}

/// Reads the text piece by piece.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact about the text so far")]
pub struct Filter {
    rules: Rules,
    state: State,
    line: u64,
    /// The current statement outside quotes and comments: upper case, one blank
    /// between words, `"` for a quoted name and `'` for a string.
    key: Vec<u8>,
    /// The word that is being read, in upper case.
    word: Vec<u8>,
    /// The current statement as it came, while it may still be dropped.
    held: Option<Vec<u8>>,
    parentheses: u32,
    /// `BEGIN ATOMIC` and `CASE` inside the body of an SQL function.
    blocks: u32,
    /// A COPY statement has ended; its data begins with the next line.
    copy_follows: bool,
    comment: Vec<u8>,
    is_pg_dump: bool,
    complete: bool,
    /// `standard_conforming_strings`, as the script sets it.
    conforming: bool,
}

impl Filter {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::Top,
            line: 1,
            key: Vec::new(),
            word: Vec::new(),
            held: None,
            parentheses: 0,
            blocks: 0,
            copy_follows: false,
            comment: Vec::new(),
            is_pg_dump: false,
            complete: false,
            conforming: true,
        }
    }

    /// Whether the text calls itself the work of pg_dump, so that its end can be told.
    pub fn is_pg_dump(&self) -> bool {
        self.is_pg_dump
    }

    /// Take a piece; what psql shall get is added to `out`.
    pub fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        while let Some(&byte) = bytes.first() {
            if self.state == State::Copy(CopyLine::Other) {
                // Nearly everything in a dump: jump to the end of the line.
                let length = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
                out.extend_from_slice(&bytes[..length]);
                if bytes[length - 1] == b'\n' {
                    self.line += 1;
                    self.state = State::Copy(CopyLine::Start);
                }
                bytes = &bytes[length..];
                continue;
            }
            bytes = &bytes[1..];
            if !self.step(byte, out)? {
                self.top(byte, out)?;
            }
            if byte == b'\n' {
                self.line += 1;
            }
        }
        Ok(())
    }

    /// Say whether the text is whole; its last line needs no line break.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if matches!(self.state, State::LineComment | State::Command { .. }) {
            self.feed(b"\n", out)?;
        }
        let whole =
            self.state == State::Top && self.key.is_empty() && self.word.is_empty() && !self.copy_follows;
        if !whole || (self.is_pg_dump && !self.complete) {
            return Err(Error::Truncated { line: self.line });
        }
        self.release(out);
        Ok(())
    }

    /// One byte in the current state; `false` when it belongs to what follows
    /// at the top.
    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<bool, Error> {
        match &mut self.state {
            State::Top => return Ok(false),
            State::Dash | State::Slash => {
                let dashes = self.state == State::Dash && byte == b'-';
                let stars = self.state == State::Slash && byte == b'*';
                if !dashes && !stars {
                    self.state = State::Top;
                    return Ok(false);
                }
                self.comment = b"--".to_vec();
                self.state =
                    if dashes { State::LineComment } else { State::BlockComment { depth: 1, last: 0 } };
                // What looked like an operator was none.
                self.key.pop();
                if self.key.is_empty() {
                    self.release(out);
                }
            }
            State::LineComment => {
                if byte == b'\n' {
                    self.end_comment()?;
                    self.state = State::Top;
                    return Ok(false);
                }
                if self.comment.len() < 80 {
                    self.comment.push(byte);
                }
            }
            State::BlockComment { depth, last } => {
                match (*last, byte) {
                    (b'*', b'/') => (*depth, *last) = (*depth - 1, 0),
                    (b'/', b'*') => (*depth, *last) = (*depth + 1, 0),
                    _ => *last = byte,
                }
                if *depth == 0 {
                    self.state = State::Top;
                }
            }
            State::String { escapes, escaped } => {
                if *escaped {
                    *escaped = false;
                } else if *escapes && byte == b'\\' {
                    *escaped = true;
                } else if byte == b'\'' {
                    self.state = State::StringEnd { escapes: *escapes };
                }
            }
            State::StringEnd { escapes } => {
                if byte != b'\'' {
                    self.state = State::Top;
                    return Ok(false);
                }
                self.state = State::String { escapes: *escapes, escaped: false };
            }
            State::Name => {
                if byte == b'"' {
                    self.state = State::Top;
                }
            }
            State::Dollar { tag } => match byte {
                b'$' => {
                    self.state = State::DollarString { tag: std::mem::take(tag), matched: None };
                }
                b'0'..=b'9' if tag.is_empty() => {
                    self.state = State::Top;
                    return Ok(false);
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80.. => tag.push(byte),
                _ => {
                    self.state = State::Top;
                    return Ok(false);
                }
            },
            State::DollarString { tag, matched } => {
                *matched = match (byte, *matched) {
                    (b'$', Some(length)) if length == tag.len() => {
                        self.state = State::Top;
                        self.emit(byte, out);
                        return Ok(true);
                    }
                    (b'$', _) => Some(0),
                    (_, Some(length)) if tag.get(length) == Some(&byte) => Some(length + 1),
                    _ => None,
                };
            }
            State::Command { .. } => {
                if self.command(byte)? {
                    self.state = State::Top;
                    out.push(byte);
                }
                return Ok(true);
            }
            State::Copy(line) => {
                out.push(byte);
                self.state = match (*line, byte) {
                    (CopyLine::Marker, b'\n') => State::Top,
                    (_, b'\n') => State::Copy(CopyLine::Start),
                    (CopyLine::Start, b'\\') => State::Copy(CopyLine::Backslash),
                    (CopyLine::Backslash, b'.') | (CopyLine::Marker, b'\r') => State::Copy(CopyLine::Marker),
                    _ => State::Copy(CopyLine::Other),
                };
                return Ok(true);
            }
        }
        self.emit(byte, out);
        Ok(true)
    }

    /// A byte outside strings, quoted names and comments.
    fn top(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), Error> {
        let in_word = !self.word.is_empty();
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80.. => {
                self.begin();
                if self.word.len() < DECIDED_BY || self.key.starts_with(b"COPY ") {
                    self.word.push(byte.to_ascii_uppercase());
                }
            }
            b'$' if in_word => self.word.push(byte),
            b'\n' if self.copy_follows => {
                self.copy_follows = false;
                out.push(byte);
                self.state = State::Copy(CopyLine::Start);
                return Ok(());
            }
            b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C => {
                self.end_word();
                if !matches!(self.key.last(), None | Some(b' ')) {
                    self.add_to_key(b' ');
                }
            }
            b'\\' => {
                self.state = State::Command { word: Vec::new(), named: false };
                return Ok(());
            }
            b';' => {
                self.end_word();
                self.emit(byte, out);
                if self.parentheses == 0 && self.blocks == 0 {
                    self.end_statement(out)?;
                }
                return Ok(());
            }
            _ => {
                self.begin();
                // An E right before the quote gives it escapes.
                let escapes = !self.conforming || self.word == b"E";
                self.end_word();
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

    /// psql's own rule for the bodies of SQL functions: a `;` inside is no end.
    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        if self.parentheses == 0 && is_routine(&self.key) {
            match &word[..] {
                b"BEGIN" => self.blocks += 1,
                b"CASE" if self.blocks > 0 => self.blocks += 1,
                b"END" => self.blocks = self.blocks.saturating_sub(1),
                _ => {}
            }
        }
        for byte in word {
            self.add_to_key(byte);
        }
    }

    /// Only the beginning of a statement decides about it, but for COPY.
    fn add_to_key(&mut self, byte: u8) {
        let limit = if self.key.starts_with(b"COPY ") { LONGEST_KEY } else { 2 * DECIDED_BY };
        if self.key.len() < limit || byte == b'-' || byte == b'/' {
            self.key.push(byte);
        }
    }

    fn end_statement(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let key = std::mem::take(&mut self.key);
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
        if is(&[b"SET", b"STANDARD_CONFORMING_STRINGS"]) {
            self.conforming = !key.ends_with(b" OFF");
        }
        if drop {
            self.held = None;
        } else {
            self.release(out);
        }
        self.copy_follows = key.starts_with(b"COPY ") && memchr::memmem::find(&key, b" FROM STDIN").is_some();
        Ok(())
    }

    fn emit(&mut self, byte: u8, out: &mut Vec<u8>) {
        let Some(held) = &mut self.held else { return out.push(byte) };
        held.push(byte);
        if self.key.len() + self.word.len() >= DECIDED_BY {
            self.release(out);
        }
    }

    fn release(&mut self, out: &mut Vec<u8>) {
        if let Some(held) = self.held.take() {
            out.extend_from_slice(&held);
        }
    }

    fn end_comment(&mut self) -> Result<(), Error> {
        while self.comment.last() == Some(&b'\r') {
            self.comment.pop();
        }
        match &self.comment[..] {
            HEADER => (self.is_pg_dump, self.complete) = (true, false),
            TRAILER => self.complete = true,
            CLUSTER_HEADER => return Err(Error::ClusterDump),
            _ => {}
        }
        Ok(())
    }

    /// A backslash command of psql: only pg_dump's own guard passes, and it is
    /// taken out, since psql runs under a guard of ours. `true` at its end.
    fn command(&mut self, byte: u8) -> Result<bool, Error> {
        let line = self.line;
        let statement_is_open = !self.key.is_empty();
        let State::Command { word, named } = &mut self.state else { return Ok(true) };
        if !*named {
            if byte.is_ascii_alphanumeric() || byte == b'_' || (word.is_empty() && byte.is_ascii_graphic()) {
                word.push(byte);
                return Ok(false);
            }
            *named = true;
            if statement_is_open || !matches!(&word[..], b"restrict" | b"unrestrict") {
                let command = format!("\\{}", String::from_utf8_lossy(word));
                return Err(Error::MetaCommand { command, line });
            }
        }
        Ok(byte == b'\n')
    }
}

#[cfg(test)]
mod tests;
