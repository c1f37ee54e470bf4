//! Where TypeScript and JavaScript start programs: `exec`, `spawn`, `execa`, and the
//! `` $`..` `` of zx and Bun.
//!
//! Each call becomes a [`Script`] of the shell with spans of the document, so that
//! a rule need not know where a command stands. `${process.env.NAME}` in a template
//! is the shell's `${NAME}`, any other expression `${_}` or the name that it is.
//! Constants of the same text are followed. No more of the language is read than
//! strings, comments, templates and brackets.

mod expression;
mod lexer;
#[cfg(test)]
mod tests;
mod value;

use std::collections::HashMap;
use std::ops::Range;

use super::shell::{self, Script, Word};
use super::source::Source;
use crate::finding::Span;
use crate::path;
use lexer::{Token, TokenKind};
use value::{Value, ValuePiece, script_of};

#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// From the function's name to the command's end.
    pub span: Span,
    /// `exec`, `spawn`, `$`
    pub function: String,
    /// Whether a shell reads the command: then what a template puts in is code.
    pub shell: bool,
    pub script: Script,
    /// Expressions that are put into the command.
    pub holes: Vec<Span>,
}

/// A command line as the first argument.
const LINES: [&str; 7] =
    ["exec", "execSync", "execaCommand", "execaCommandSync", "execAsync", "execPromise", "execP"];

/// A program, and a list of arguments.
const PROGRAMS: [&str; 8] =
    ["spawn", "spawnSync", "execFile", "execFileSync", "execa", "execaSync", "execFileAsync", "spawnAsync"];

/// `regex.exec(text)` starts nothing: before the dot stands one of these.
const OBJECTS: [&str; 9] =
    ["child_process", "childProcess", "cp", "shell", "shelljs", "sh", "Bun", "proc", "process"];

/// Bytes that are read: what is longer is a bundle, and no source.
pub const LENGTH: usize = 1 << 20;

/// Tokens that are passed over for one argument.
const REACH: usize = 512;

/// Constants in constants.
const DEPTH: usize = 4;

/// Pieces of one constant.
const PIECES: usize = 64;

pub fn parse(text: &str) -> Vec<Call> {
    parse_in(&Source::whole(text))
}

pub fn parse_in(source: &Source<'_>) -> Vec<Call> {
    let text = source.text();
    let tokens = lexer::tokens(text.get(..text.floor_char_boundary(LENGTH)).unwrap_or_default());
    let mut reader = Reader { source, tokens: &tokens, constants: HashMap::new(), aliases: HashMap::new() };
    let mut calls = Vec::new();
    for index in 0..tokens.len() {
        reader.declaration(index);
        calls.extend(reader.call(index));
    }
    calls
}

struct Reader<'s> {
    source: &'s Source<'s>,
    tokens: &'s [Token],
    /// Where the value of a name begins.
    constants: HashMap<&'s str, usize>,
    /// `const run = promisify(exec)`
    aliases: HashMap<&'s str, &'s str>,
}

impl<'s> Reader<'s> {
    fn text(&self, token: &Token) -> &'s str {
        self.source.text().get(token.start..token.end).unwrap_or_default()
    }

    fn word(&self, index: usize) -> Option<&'s str> {
        let token = self.tokens.get(index)?;
        matches!(token.kind, TokenKind::Word).then(|| self.text(token))
    }

    fn is_mark(&self, index: usize, mark: u8) -> bool {
        self.tokens.get(index).is_some_and(|token| token.kind == TokenKind::Mark(mark))
    }

    /// `const name = value`, also with a type.
    fn declaration(&mut self, index: usize) {
        if !matches!(self.word(index), Some("const" | "let" | "var")) {
            return;
        }
        let Some(name) = self.word(index + 1) else { return };
        let mut at = index + 2;
        // `: string`
        if self.is_mark(at, b':') {
            at += 2;
        }
        if !self.is_mark(at, b'=') {
            return;
        }
        at += 1;
        self.constants.insert(name, at);
        // `promisify(exec)`, `util.promisify(exec)`
        let mut callee = at;
        while self.is_mark(callee + 1, b'.') {
            callee += 2;
        }
        if self.word(callee) == Some("promisify") && self.is_mark(callee + 1, b'(') {
            let mut argument = callee + 2;
            while self.is_mark(argument + 1, b'.') {
                argument += 2;
            }
            if let Some(function) = self.word(argument) {
                self.aliases.insert(name, function);
            }
        }
    }

    fn call(&self, index: usize) -> Option<Call> {
        let name = self.word(index)?;
        let token = self.tokens.get(index)?;
        let member = index > 0 && self.is_mark(index - 1, b'.');
        if let Some(TokenKind::Template(_)) = self.tokens.get(index + 1).map(|token| token.kind) {
            // `$`, `Bun.$`, `$.sync`
            let is_tag = matches!(name, "$" | "$sync" | "execa")
                || (member && index > 1 && self.word(index - 2) == Some("$"));
            return is_tag.then(|| self.line(token, name, index + 1)).flatten();
        }
        if !self.is_mark(index + 1, b'(') {
            return None;
        }
        if member
            && !index
                .checked_sub(2)
                .and_then(|object| self.word(object))
                .is_some_and(|o| OBJECTS.contains(&o))
        {
            return None;
        }
        // `$({shell: true})` is no command.
        let function = self.aliases.get(name).copied().unwrap_or(name);
        if LINES.contains(&function) {
            self.line(token, name, index + 2)
        } else if PROGRAMS.contains(&function) {
            self.program(token, name, index + 2)
        } else {
            None
        }
    }

    /// A command line that a shell reads.
    fn line(&self, token: &Token, function: &str, argument: usize) -> Option<Call> {
        let (value, next) = self.value(argument, &[])?;
        if value.pieces.iter().all(|piece| matches!(piece, ValuePiece::Hole(..))) {
            return None;
        }
        let script = shell::parse_in(&value.source(self.source));
        Some(self.finish(token, function, true, script, &[value], argument..next))
    }

    /// A program and its arguments.
    fn program(&self, token: &Token, function: &str, argument: usize) -> Option<Call> {
        let mut values = Vec::new();
        let mut next = argument;
        // Bun.spawn takes one list.
        if !self.is_mark(argument, b'[') {
            let (program, behind) = self.value(argument, &[])?;
            values.push(program);
            next = behind;
        }
        let list = if values.is_empty() { argument } else { next + 1 };
        if self.is_mark(list, b'[') {
            next = self.list(list + 1, &mut values);
        }
        // With `shell: true`, or in one text, it is a line.
        if let [only] = values.as_slice()
            && only.has_blank()
        {
            let script = shell::parse_in(&only.source(self.source));
            return Some(self.finish(token, function, true, script, &values, argument..next));
        }
        if let Some(script) = self.shell_argument(&values) {
            return Some(self.finish(token, function, true, script, &values, argument..next));
        }
        if values.iter().flat_map(|value| &value.pieces).all(|piece| matches!(piece, ValuePiece::Hole(..))) {
            return None;
        }
        let words: Vec<Word> = values.iter().map(|value| value.word(self.source)).collect();
        let script = script_of(words);
        Some(self.finish(token, function, false, script, &values, argument..next))
    }

    /// `spawn("sh", ["-c", "script"])`
    fn shell_argument(&self, values: &[Value]) -> Option<Script> {
        let program = values.first()?.literal()?;
        if !matches!(path::name(&program), "sh" | "bash" | "zsh" | "dash") {
            return None;
        }
        let option = values.iter().position(|value| {
            value
                .literal()
                .is_some_and(|text| text.starts_with('-') && !text.starts_with("--") && text.ends_with('c'))
        })?;
        Some(shell::parse_in(&values.get(option + 1)?.source(self.source)))
    }

    fn finish(
        &self,
        token: &Token,
        function: &str,
        shell: bool,
        script: Script,
        values: &[Value],
        arguments: Range<usize>,
    ) -> Call {
        let mut end = token.end;
        let mut at = arguments.start;
        while at < arguments.end {
            end = self.tokens.get(at).map_or(end, |token| token.end.max(end));
            at = self.behind(at);
        }
        let holes = values.iter().flat_map(|value| &value.pieces).filter_map(|piece| match piece {
            ValuePiece::Hole(_, start, end) => Some(self.source.span(*start, *end)),
            ValuePiece::Text(..) => None,
        });
        Call {
            span: self.source.span(token.start, end),
            function: function.to_owned(),
            shell,
            script,
            holes: holes.collect(),
        }
    }
}
