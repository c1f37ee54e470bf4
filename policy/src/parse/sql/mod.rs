//! SQL scripts as psql reads them: statements of tokens, comments, backslash
//! commands, and the data behind `COPY .. FROM stdin`.
//!
//! This is a lexer that knows where statements end, and no grammar: enough to ask
//! what a statement begins with, which functions it calls and which texts it
//! holds. A grammar would stand behind the same seam. A quote that nothing closes
//! ends with its line; of a text without end, the beginning is read.

mod lexer;
#[cfg(test)]
mod tests;

use super::source::Source;
use crate::finding::Span;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sql {
    pub statements: Vec<Statement>,
    /// `\copy`, `\i` and the like.
    pub commands: Vec<Command>,
    pub comments: Vec<Span>,
    /// Quotes and comments that nothing closes.
    pub unterminated: Vec<Span>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Without the semicolon.
    pub span: Span,
    /// Never empty.
    pub tokens: Vec<Token>,
    /// What follows a `COPY .. FROM stdin`, without its end mark.
    pub data: Option<Span>,
}

/// A backslash command of psql, to the end of its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub span: Span,
    /// `copy`
    pub name: String,
    pub arguments: String,
    pub arguments_span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub span: Span,
    pub kind: Kind,
    /// A word as written; a name or string without its quotes and escapes; of a
    /// dollar quote, the body.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// `"name"`
    Name,
    /// `'text'`, `E'text'`, `U&'text'`
    String,
    /// `$tag$ body $tag$`
    Dollar,
    Number,
    /// `$1`
    Parameter,
    /// psql's `:name`, `:'name'`, `:"name"`
    Variable,
    /// One character of punctuation, or `::`.
    Mark,
}

impl Token {
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub fn is_mark(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }
}

impl Statement {
    /// Whether it begins with these keywords.
    pub fn begins(&self, keywords: &[&str]) -> bool {
        self.tokens.len() >= keywords.len()
            && self.tokens.iter().zip(keywords).all(|(token, keyword)| token.is_word(keyword))
    }

    /// Its first keywords in upper case, up to four: `CREATE TABLE`, `COPY`.
    pub fn leading(&self) -> String {
        let words = self.tokens.iter().take(4).take_while(|token| token.kind == Kind::Word);
        words.map(|token| token.text.to_ascii_uppercase()).collect::<Vec<_>>().join(" ")
    }

    /// Where a function of this name is called, whatever its schema.
    pub fn calls<'s>(&'s self, function: &'s str) -> impl Iterator<Item = &'s Token> {
        self.tokens.windows(2).filter_map(move |pair| match pair {
            [name, open] if open.is_mark("(") => {
                let named = name.is_word(function) || (name.kind == Kind::Name && name.text == function);
                named.then_some(name)
            }
            _ => None,
        })
    }

    /// What `COPY` reads or writes.
    pub fn copy(&self) -> Option<Copy<'_>> {
        if !self.begins(&["COPY"]) {
            return None;
        }
        // Only outside of the query in parentheses.
        let mut depth = 0_usize;
        let mut tokens = self.tokens.iter().skip(1);
        while let Some(token) = tokens.next() {
            match token.text.as_str() {
                "(" if token.kind == Kind::Mark => depth += 1,
                ")" if token.kind == Kind::Mark => depth = depth.saturating_sub(1),
                _ if depth == 0 && (token.is_word("TO") || token.is_word("FROM")) => {
                    let target = tokens.next()?;
                    let program = target.is_word("PROGRAM");
                    let target = if program { tokens.next()? } else { target };
                    let place = match target.kind {
                        Kind::String if program => CopyPlace::Program(target),
                        Kind::String => CopyPlace::File(target),
                        _ if target.is_word("STDIN") || target.is_word("STDOUT") => CopyPlace::Client,
                        _ => return None,
                    };
                    return Some(Copy { writes: token.is_word("TO"), place });
                }
                _ => {}
            }
        }
        None
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy<'s> {
    /// `TO`, and not `FROM`.
    pub writes: bool,
    pub place: CopyPlace<'s>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyPlace<'s> {
    /// A file of the server.
    File(&'s Token),
    /// A program on the server.
    Program(&'s Token),
    /// The client's input or output.
    Client,
}

pub fn parse(text: &str) -> Sql {
    parse_in(&Source::whole(text))
}

pub fn parse_in(source: &Source<'_>) -> Sql {
    lexer::Lexer::new(source).run()
}
