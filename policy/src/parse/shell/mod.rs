//! POSIX sh and bash as a tree in which every node keeps its bytes.
//!
//! The parser never fails: a line that it cannot read becomes [`Kind::Opaque`]
//! and the next one goes on; an `if` without its `fi` ends with the text. Scripts
//! inside scripts (`$(..)`, `bash -c '..'`, `ssh host <<EOF`) are parsed too, with
//! spans of the same document. GitHub's `${{ .. }}` and a placeholder such as
//! `<host>` are parts of words. Nesting is bounded by [`DEPTH`].

mod affix;
mod ast;
mod compound;
mod cursor;
mod environment;
mod expansion;
mod flow;
mod heredoc;
mod inline;
mod invocation;
mod parser;
mod programs;
mod resolve;
mod simple;
#[cfg(test)]
mod tests;
mod text;
mod walk;
mod word;

use super::source::Source;

pub use ast::*;
pub use environment::Environment;
pub use flow::{Failure, Flags, Nesting, Run};
pub use invocation::{Argument, Invocation, Options, Setting, Wrapper};
pub use resolve::{Piece, Resolved, Variables};
pub use walk::{Scope, ScopeKind, Visitor, walk};

/// Constructs inside constructs; what lies deeper is not read.
pub const DEPTH: usize = 48;

/// Bytes of a script that are read: a tree takes many times its text, and nobody
/// wrote more by hand.
pub const LENGTH: usize = 1 << 20;

/// A script of its own.
pub fn parse(text: &str) -> Script {
    parse_in(&Source::whole(text))
}

/// A script that is a part of a document; all spans are the document's.
pub fn parse_in(source: &Source<'_>) -> Script {
    parser::Parser::new(source).script()
}
