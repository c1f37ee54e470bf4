//! Here-documents: opened by a redirection, read behind the end of its line.

use super::parser::Parser;
use super::word::{Region, Stop};
use super::{Heredoc, PartKind, Quote, Word};
use crate::finding::Span;
use crate::parse::source;

impl Parser<'_> {
    /// Reads the delimiter behind `<<` and returns the document's index.
    pub(super) fn open_heredoc(&mut self, strips_tabs: bool) -> usize {
        let word = self.word(Stop::Blank);
        let quoted = word.parts.iter().any(|part| part.quote != Quote::None);
        let delimiter: String = word
            .parts
            .iter()
            .filter_map(|part| match &part.kind {
                PartKind::Literal(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        self.heredocs.push(Heredoc {
            span: Span::new(word.span.end, word.span.end),
            delimiter,
            quoted,
            strips_tabs,
            body: Word::default(),
            script: None,
        });
        self.pending.push(self.heredocs.len() - 1);
        self.heredocs.len() - 1
    }

    /// The bodies of the documents that were opened on the line before.
    pub(super) fn read_heredocs(&mut self) {
        for index in std::mem::take(&mut self.pending) {
            let Some((delimiter, quoted, strips_tabs)) =
                self.heredocs.get(index).map(|open| (open.delimiter.clone(), open.quoted, open.strips_tabs))
            else {
                continue;
            };
            let start = self.at;
            let rest = self.rest();
            let mut lines = source::lines(rest);
            let closing = lines.find(|(_, line)| {
                (if strips_tabs { line.trim_start_matches('\t') } else { line }) == delimiter
            });
            let next = lines.next().map_or(self.end, |(offset, _)| start + offset);
            let end = closing.map_or(self.end, |(offset, _)| start + offset);
            let mut parts = Vec::new();
            if quoted {
                self.verbatim(&mut parts, end, Quote::Single);
            } else if self.enter() {
                // What is wrong in a body is no reason to read the script again.
                let (outer, unterminated, backtick) = (self.end, self.unterminated, self.backtick);
                (self.end, self.backtick) = (end, false);
                self.region(&mut parts, Region::End);
                (self.end, self.unterminated, self.backtick) = (outer, unterminated, backtick);
                self.leave();
            }
            self.at = next;
            let span = self.span(start, end);
            let body = Word { span, parts };
            let feeds = self.feeds.iter().rfind(|(fed, _)| *fed == index).map(|(_, kind)| *kind);
            let script = feeds.and_then(|kind| self.inline_script(kind, &body.source()));
            if let Some(heredoc) = self.heredocs.get_mut(index) {
                (heredoc.span, heredoc.body, heredoc.script) = (span, body, script.map(Box::new));
            }
        }
    }
}
