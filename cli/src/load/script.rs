//! SQL text on its way to psql: bytes of a plain dump (or of what pg_restore
//! prints) flow in, the same statements flow out, without those that the target
//! cannot take or that would end our transaction.
//!
//! A dump from elsewhere is code, so it is read as psql reads it: whatever
//! psql would take for a command of its own (`\!`, `\i`, `\connect`) is refused,
//! and a dump that lacks its last line is never whole.

use super::Error;
use routine::Routine;
use settings::Touched;
use state::{CopyLine, State};

mod copy;
mod routine;
mod settings;
mod state;
mod top;

/// Statements that are dropped or refused are shorter than this.
const DECIDED_BY: usize = 48;
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
    routine: Routine,
    /// The settings that the current statement names.
    touched: Touched,
    /// The beginning of the string or quoted name that is being read, in upper case.
    quoted: Vec<u8>,
    /// The byte before this one, and the one before the current word.
    last: u8,
    before_word: u8,
    /// Colons in a row; after one alone, psql takes a word for a variable of its own.
    colons: u32,
    is_variable: bool,
    /// A COPY statement has ended; its data begins with the next line.
    copy_follows: bool,
    comment: Vec<u8>,
    is_pg_dump: bool,
    complete: bool,
    /// `standard_conforming_strings`, as the script sets it.
    conforming: bool,
    /// The same from the next line on: psql asks for it once a line.
    conforming_next: Option<bool>,
    /// What a statement sets may be undone by a later one.
    undoable: bool,
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
            routine: Routine::default(),
            touched: Touched::default(),
            quoted: Vec::new(),
            last: b'\n',
            before_word: b'\n',
            colons: 0,
            is_variable: false,
            copy_follows: false,
            comment: Vec::new(),
            is_pg_dump: false,
            complete: false,
            conforming: true,
            conforming_next: None,
            undoable: false,
        }
    }

    /// Whether the text calls itself the work of pg_dump, so that its end can be told.
    pub fn is_pg_dump(&self) -> bool {
        self.is_pg_dump
    }

    /// Take a piece; what psql shall get is added to `out`.
    pub fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(at) = memchr::memchr(0, bytes) {
            // psql leaves out what follows in the same line.
            self.line += memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64;
            return Err(self.unclear("a zero byte"));
        }
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
            let bare = matches!(self.state, State::Top | State::LineComment);
            if bare && self.last == b'\r' && byte != b'\n' {
                // To psql that was the end of a comment, and a line break between strings.
                return Err(self.unclear("a carriage return inside a line"));
            }
            if !self.step(byte, out)? {
                self.top(byte, out)?;
            }
            self.last = byte;
            if byte == b'\n' {
                self.line += 1;
                self.conforming = self.conforming_next.take().unwrap_or(self.conforming);
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
                // What looked like an operator was none, but it ends a word.
                self.key.pop();
                match self.key.last() {
                    None => self.release(out),
                    Some(b' ') => {}
                    Some(_) => self.add_to_key(b' '),
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
                    self.emit(byte, out);
                    return Ok(true);
                }
                self.quote(byte);
            }
            State::StringEnd { escapes } => {
                if byte != b'\'' {
                    self.state = State::Top;
                    self.end_quoted();
                    return Ok(false);
                }
                self.state = State::String { escapes: *escapes, escaped: false };
            }
            State::Name => {
                if byte == b'"' {
                    self.state = State::Top;
                    self.end_quoted();
                } else {
                    self.quote(byte);
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
                _ if tag.is_empty() => {
                    self.state = State::Top;
                    return Ok(false);
                }
                _ => return Err(self.unclear("a dollar sign that begins no quote")),
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
                    (CopyLine::Marker | CopyLine::MarkerReturn, b'\n') => State::Top,
                    (_, b'\n') => State::Copy(CopyLine::Start),
                    (CopyLine::Start, b'\\') => State::Copy(CopyLine::Backslash),
                    (CopyLine::Backslash, b'.') => State::Copy(CopyLine::Marker),
                    (CopyLine::Marker, b'\r') => State::Copy(CopyLine::MarkerReturn),
                    _ => State::Copy(CopyLine::Other),
                };
                return Ok(true);
            }
        }
        self.emit(byte, out);
        Ok(true)
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
