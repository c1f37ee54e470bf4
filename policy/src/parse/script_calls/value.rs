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
    /// After escapes; where it begins.
    Text(String, usize),
    /// The name that stands for it, and where it is.
    Hole(String, usize, usize),
}

impl Value {
    /// A text of the document, without its escapes.
    pub(super) fn text(&mut self, document: &str, from: usize, to: usize) {
        let raw = document.get(from..to).unwrap_or_default();
        let mut at = 0;
        while let Some(found) = raw.get(at..).and_then(|rest| rest.find('\\')) {
            let escape = at + found;
            self.push(raw.get(at..escape).unwrap_or_default(), from + at);
            let Some(escaped) = raw.get(escape + 1..).and_then(|rest| rest.chars().next()) else { return };
            at = escape + 1 + escaped.len_utf8();
            match escaped {
                'n' => self.push("\n", from + escape),
                't' => self.push("\t", from + escape),
                '\n' | '\r' => {}
                _ => self.push(raw.get(escape + 1..at).unwrap_or_default(), from + escape + 1),
            }
        }
        self.push(raw.get(at..).unwrap_or_default(), from + at);
    }

    pub(super) fn push(&mut self, text: &str, at: usize) {
        if !text.is_empty() {
            self.pieces.push(ValuePiece::Text(text.to_owned(), at));
        }
    }

    pub(super) fn literal(&self) -> Option<String> {
        self.pieces
            .iter()
            .map(|piece| match piece {
                ValuePiece::Text(text, _) => Some(text.as_str()),
                ValuePiece::Hole(..) => None,
            })
            .collect()
    }

    pub(super) fn has_blank(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, ValuePiece::Text(text, _) if text.trim().contains(' ')))
    }

    pub(super) fn source(&self, source: &Source<'_>) -> Source<'static> {
        let mut builder = Builder::default();
        for piece in &self.pieces {
            match piece {
                ValuePiece::Text(text, at) if source.text().get(*at..at + text.len()) == Some(text) => {
                    builder.push_range(source, *at, at + text.len());
                }
                // An escape, of two characters.
                ValuePiece::Text(text, at) => builder.push_for(text, source.span(*at, at + 2)),
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
                ValuePiece::Text(text, at) => {
                    let span = source.span(*at, at + text.len());
                    Part { span, quote, kind: PartKind::Literal(text.clone()) }
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
