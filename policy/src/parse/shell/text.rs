//! What can be said about a word without knowing any variable.

use super::{Expansion, Part, PartKind, Quote, Word};
use crate::parse::source::{Builder, Source};

impl Word {
    /// The text, where nothing in it has to be expanded.
    pub fn literal(&self) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            let PartKind::Literal(piece) = &part.kind else { return None };
            text.push_str(piece);
        }
        Some(text)
    }

    /// Whether the word is this text, in whatever quotes.
    pub fn is(&self, text: &str) -> bool {
        let mut rest = text;
        self.parts.iter().all(|part| match &part.kind {
            PartKind::Literal(piece) => match rest.strip_prefix(piece.as_str()) {
                Some(after) => {
                    rest = after;
                    true
                }
                None => false,
            },
            _ => false,
        }) && rest.is_empty()
    }

    /// Whether an unquoted `*`, `?` or `[` makes it a pattern of file names.
    pub fn is_glob(&self) -> bool {
        self.parts.iter().any(|part| {
            part.quote == Quote::None
                && matches!(&part.kind, PartKind::Literal(text) if text.contains(['*', '?', '[']))
        })
    }

    /// Whether an unquoted expansion may make it no argument, or several.
    pub fn may_split(&self) -> bool {
        self.parts.iter().any(|part| {
            part.quote == Quote::None && matches!(part.kind, PartKind::Variable(_) | PartKind::Command(_))
        })
    }

    pub fn expansions(&self) -> impl Iterator<Item = (&Part, &Expansion)> {
        self.parts.iter().filter_map(|part| match &part.kind {
            PartKind::Variable(expansion) => Some((part, expansion)),
            _ => None,
        })
    }

    /// Its text for another parser (SQL after `psql -c`, a script after `bash -c`):
    /// variables stay as written, `$(..)` is `${_}`.
    pub fn source(&self) -> Source<'static> {
        let mut builder = Builder::default();
        for part in &self.parts {
            let span = part.span;
            match &part.kind {
                PartKind::Literal(text) if text.len() == span.end - span.start => {
                    builder.push(text, span.start);
                }
                PartKind::Literal(text) => builder.push_for(text, span),
                PartKind::Variable(expansion) if expansion.raw.len() == span.end - span.start => {
                    builder.push(&expansion.raw, span.start);
                }
                PartKind::Variable(expansion) => builder.push_for(&expansion.raw, span),
                PartKind::Github(inner) => builder.push_for(&format!("${{{{ {inner} }}}}"), span),
                PartKind::Placeholder(name) => builder.push_for(&format!("<{name}>"), span),
                PartKind::Command(_) | PartKind::Arithmetic(_) | PartKind::Process { .. } => {
                    builder.push_for("${_}", span);
                }
            }
        }
        builder.finish()
    }
}
