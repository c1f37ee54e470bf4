//! Texts of the language on their way to the shell: pieces that are known, and
//! holes for expressions.

use crate::finding::Span;
use crate::parse::shell::{
    Command, Expansion, Kind, Part, PartKind, Pipeline, Quote, Script, Simple, Statement, Word,
};
use crate::parse::source::{Builder, Source};

/// An expression that becomes text, as far as it is known.
#[derive(Default)]
pub(super) struct Value {
    pub(super) pieces: Vec<ValuePiece>,
}

pub(super) enum ValuePiece {
    /// After escapes; where it lies.
    Text(String, usize, usize),
    /// The name that stands for an expression, and where that lies.
    Hole(String, usize, usize),
}

impl Value {
    /// A text of the document, without its escapes.
    pub(super) fn text(&mut self, document: &str, from: usize, to: usize) {
        let raw = document.get(from..to).unwrap_or_default();
        let mut at = 0;
        while let Some(found) = raw.get(at..).and_then(|rest| rest.find('\\')) {
            let escape = at + found;
            self.push(raw.get(at..escape).unwrap_or_default(), from + at, from + escape);
            let Some(escaped) = raw.get(escape + 1..).and_then(|rest| rest.chars().next()) else { return };
            at = escape + 1 + escaped.len_utf8();
            match escaped {
                'n' => self.push("\n", from + escape, from + at),
                't' => self.push("\t", from + escape, from + at),
                '\n' | '\r' => {}
                _ => self.push(raw.get(escape + 1..at).unwrap_or_default(), from + escape + 1, from + at),
            }
        }
        self.push(raw.get(at..).unwrap_or_default(), from + at, to);
    }

    fn push(&mut self, text: &str, start: usize, end: usize) {
        if !text.is_empty() {
            self.pieces.push(ValuePiece::Text(text.to_owned(), start, end));
        }
    }

    /// The same, found where it is used: pieces of one command lie in order.
    pub(super) fn used_at(mut self, from: usize, to: usize) -> Self {
        for piece in &mut self.pieces {
            let (ValuePiece::Text(_, start, end) | ValuePiece::Hole(_, start, end)) = piece;
            (*start, *end) = (from, to);
        }
        self
    }

    pub(super) fn literal(&self) -> Option<String> {
        self.pieces
            .iter()
            .map(|piece| match piece {
                ValuePiece::Text(text, ..) => Some(text.as_str()),
                ValuePiece::Hole(..) => None,
            })
            .collect()
    }

    pub(super) fn has_blank(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, ValuePiece::Text(text, ..) if text.trim().contains(' ')))
    }

    pub(super) fn source(&self, source: &Source<'_>) -> Source<'static> {
        let mut builder = Builder::default();
        for piece in &self.pieces {
            match piece {
                ValuePiece::Text(text, start, end) if source.text().get(*start..*end) == Some(text) => {
                    builder.push_range(source, *start, *end);
                }
                ValuePiece::Text(text, start, end) => builder.push_for(text, source.span(*start, *end)),
                ValuePiece::Hole(name, start, end) => {
                    builder.push_for(&format!("${{{name}}}"), source.span(*start, *end));
                }
            }
        }
        builder.finish()
    }

    /// One argument that no shell reads.
    pub(super) fn word(&self, source: &Source<'_>) -> Word {
        let quote = Quote::Double;
        let parts: Vec<Part> = self
            .pieces
            .iter()
            .map(|piece| match piece {
                ValuePiece::Text(text, start, end) => {
                    Part { span: source.span(*start, *end), quote, kind: PartKind::Literal(text.clone()) }
                }
                ValuePiece::Hole(name, start, end) => {
                    let expansion = Expansion {
                        name: name.clone(),
                        raw: format!("${{{name}}}"),
                        length: false,
                        indirect: false,
                        indexed: false,
                        operator: None,
                        operand: None,
                    };
                    Part { span: source.span(*start, *end), quote, kind: PartKind::Variable(expansion) }
                }
            })
            .collect();
        Word { span: covering(parts.iter().map(|part| part.span)), parts }
    }
}

/// What an expression is called in the shell's text.
pub(super) fn hole_name(expression: &str) -> String {
    let expression = expression.trim().trim_end_matches('!');
    let name = ["process.env.", "Bun.env.", "import.meta.env.", "env."]
        .iter()
        .find_map(|prefix| expression.strip_prefix(prefix))
        .unwrap_or(expression);
    let plain = !name.is_empty()
        && name.len() <= 64
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain { name.to_owned() } else { "_".to_owned() }
}

/// A script of one command.
pub(super) fn script_of(words: Vec<Word>) -> Script {
    let span = covering(words.iter().map(|word| word.span));
    let simple = Simple { words, ..Simple::default() };
    let command = Command { span, kind: Kind::Simple(simple), redirects: Vec::new(), pipes_errors: false };
    let first = Pipeline { span, negated: false, commands: vec![command] };
    let body = vec![Statement { span, first, rest: Vec::new(), background: false }];
    Script { span, shebang: None, body, heredocs: Vec::new(), comments: Vec::new(), problems: Vec::new() }
}

pub(super) fn covering(spans: impl Iterator<Item = Span>) -> Span {
    spans.reduce(|all, span| Span::new(all.start.min(span.start), all.end.max(span.end))).unwrap_or_default()
}
