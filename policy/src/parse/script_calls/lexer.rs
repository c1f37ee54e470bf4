//! Tokens of TypeScript, as few kinds as it takes to find strings and brackets.
//!
//! Templates nest through their `${ }`; a stack on the heap follows them, so depth
//! costs memory and never the call stack.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: TokenKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Word,
    Number,
    /// `'..'` or `".."`
    Text,
    /// `` `..` ``; the token behind it and all that it holds.
    Template(usize),
    /// `${..}` of a template; the token behind it.
    Hole(usize),
    Regex,
    Mark(u8),
}

/// What the brackets around the current place are.
enum Open {
    Brace,
    Template(usize),
    Hole(usize),
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
    open: Vec<Open>,
    /// Up to here a slash begins no regular expression.
    no_regex: usize,
}

pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), open: Vec::new(), no_regex: 0 };
    while let Some(byte) = lexer.peek(0) {
        match lexer.open.last() {
            Some(Open::Template(index)) => lexer.in_template(*index),
            _ => lexer.token(byte),
        }
    }
    // What was not closed ends with the text.
    let count = lexer.tokens.len();
    while let Some(open) = lexer.open.pop() {
        if let Open::Template(index) | Open::Hole(index) = open {
            lexer.close(index, text.len(), count);
        }
    }
    lexer.tokens
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, start: usize, kind: TokenKind) {
        self.tokens.push(Token { start, end: self.at, kind });
    }

    /// Sets where a template or hole ends, in the text and among the tokens.
    fn close(&mut self, index: usize, end: usize, behind: usize) {
        if let Some(token) = self.tokens.get_mut(index) {
            token.end = end;
            token.kind = match token.kind {
                TokenKind::Hole(_) => TokenKind::Hole(behind),
                _ => TokenKind::Template(behind),
            };
        }
    }

    fn in_template(&mut self, index: usize) {
        match (self.peek(0), self.peek(1)) {
            (Some(b'\\'), _) => {
                self.at += 1;
                self.at += self.rest().chars().next().map_or(0, char::len_utf8);
            }
            (Some(b'`'), _) => {
                self.at += 1;
                self.open.pop();
                self.close(index, self.at, self.tokens.len());
            }
            (Some(b'$'), Some(b'{')) => {
                let start = self.at;
                self.at += 2;
                self.open.push(Open::Hole(self.tokens.len()));
                self.push(start, TokenKind::Hole(0));
            }
            _ => {
                let rest = self.rest();
                self.at += rest
                    .bytes()
                    .skip(1)
                    .position(|byte| matches!(byte, b'\\' | b'`' | b'$'))
                    .map_or(rest.len(), |at| at + 1);
            }
        }
    }

    fn token(&mut self, byte: u8) {
        let start = self.at;
        match byte {
            byte if byte.is_ascii_whitespace() => self.at += 1,
            b'/' if self.peek(1) == Some(b'/') => {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            }
            b'/' if self.peek(1) == Some(b'*') => {
                let rest = self.rest();
                self.at += rest.get(2..).and_then(|inner| inner.find("*/")).map_or(rest.len(), |at| at + 4);
            }
            b'/' if self.regex() => self.push(start, TokenKind::Regex),
            b'\'' | b'"' => match self.string_length(byte) {
                Some(length) => {
                    self.at += length;
                    self.push(start, TokenKind::Text);
                }
                // An apostrophe in JSX.
                None => self.at += 1,
            },
            b'`' => {
                self.at += 1;
                self.open.push(Open::Template(self.tokens.len()));
                self.push(start, TokenKind::Template(0));
            }
            b'{' => {
                self.at += 1;
                self.open.push(Open::Brace);
                self.push(start, TokenKind::Mark(byte));
            }
            b'}' => {
                self.at += 1;
                match self.open.pop() {
                    Some(Open::Hole(index)) => self.close(index, self.at, self.tokens.len()),
                    _ => self.push(start, TokenKind::Mark(byte)),
                }
            }
            b'0'..=b'9' => {
                self.at += self
                    .rest()
                    .bytes()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'.')
                    .count();
                self.push(start, TokenKind::Number);
            }
            byte if is_word(byte) => {
                self.at += self.rest().bytes().take_while(|byte| is_word(*byte)).count();
                self.push(start, TokenKind::Word);
            }
            _ => {
                self.at += 1;
                self.push(start, TokenKind::Mark(byte));
            }
        }
    }

    /// A string ends on its line.
    fn string_length(&self, quote: u8) -> Option<usize> {
        let mut escaped = false;
        for (length, byte) in self.rest().bytes().enumerate().skip(1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'\n' => return None,
                byte if byte == quote => return Some(length + 1),
                _ => {}
            }
        }
        None
    }

    /// Passes over `/../flags` where a value may begin.
    fn regex(&mut self) -> bool {
        let value_before = match self.tokens.last() {
            Some(Token { kind: TokenKind::Mark(mark), .. }) => matches!(mark, b')' | b']' | b'}'),
            Some(Token { kind: TokenKind::Word, start, end }) => !matches!(
                self.text.get(*start..*end),
                Some("return" | "typeof" | "case" | "in" | "of" | "await" | "void" | "delete")
            ),
            Some(Token { kind: TokenKind::Hole(_), .. }) | None => false,
            Some(_) => true,
        };
        if value_before || self.at < self.no_regex {
            return false;
        }
        let mut escaped = false;
        let mut class = false;
        for (length, byte) in self.rest().bytes().enumerate().skip(1) {
            match byte {
                b'\n' => {
                    self.no_regex = self.at + length;
                    return false;
                }
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'[' => class = true,
                b']' => class = false,
                b'/' if !class => {
                    self.at += length + 1;
                    self.at += self.rest().bytes().take_while(u8::is_ascii_alphabetic).count();
                    return true;
                }
                _ => {}
            }
        }
        self.no_regex = self.text.len();
        false
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}
