//! A text taken out of a document, and where each of its bytes lies there.
//!
//! A script in a YAML block, in an indented fence or in the quoted argument of
//! `bash -c` is not the bytes of its document: indentation and escapes are gone.
//! Parsers read a [`Source`] and ask it for spans, so that every span of every
//! model is one of the document, whatever lay between.

use std::borrow::Cow;

use crate::finding::Span;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source<'t> {
    text: Cow<'t, str>,
    /// Sorted; the first begins at 0. Between two of them, both texts run in step.
    pieces: Vec<Piece>,
}

/// From `inner` on, the text is what the document holds from `outer` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    inner: usize,
    outer: usize,
    /// The text stands for something else (an escape) that ends here: each of its
    /// bytes is all of that.
    stands_for: Option<usize>,
}

impl<'t> Source<'t> {
    /// A document of its own.
    pub fn whole(text: &'t str) -> Self {
        Self::at(text, 0)
    }

    /// A part of a document that was copied without a change, from `offset` on.
    pub fn at(text: &'t str, offset: usize) -> Self {
        Self { text: Cow::Borrowed(text), pieces: vec![Piece { inner: 0, outer: offset, stands_for: None }] }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where a byte lies in the document.
    pub fn offset(&self, inner: usize) -> usize {
        self.place(inner).0
    }

    /// Where a byte begins in the document, and where it ends.
    fn place(&self, inner: usize) -> (usize, usize) {
        let after = self.pieces.partition_point(|piece| piece.inner <= inner);
        match after.checked_sub(1).and_then(|index| self.pieces.get(index)) {
            // What follows the last byte lies behind what it stands for.
            Some(Piece { stands_for: Some(end), .. }) if inner >= self.text.len() => (*end, *end),
            Some(Piece { outer, stands_for: Some(end), .. }) => (*outer, *end),
            Some(piece) => {
                let at = piece.outer + (inner - piece.inner);
                (at, at + 1)
            }
            None => (inner, inner + 1),
        }
    }

    /// The end of what a byte stands for.
    fn escape_at(&self, inner: usize) -> Option<usize> {
        let after = self.pieces.partition_point(|piece| piece.inner <= inner);
        self.pieces.get(after.checked_sub(1)?)?.stands_for
    }

    /// Where a range lies in the document. It ends with its last byte: what was
    /// taken out right behind it is no part of it.
    pub fn span(&self, start: usize, end: usize) -> Span {
        if end <= start {
            let at = self.offset(start);
            return Span::new(at, at);
        }
        // Pieces may come from anywhere: a span never runs backwards.
        let (from, first_end) = self.place(start);
        let to = self.place(end - 1).1;
        Span::new(from, if to < from { first_end } else { to })
    }

    /// A text that was taken out of this one, as one of the document.
    #[must_use]
    pub fn within(self, outer: &Source<'_>) -> Self {
        let mut pieces = Vec::with_capacity(self.pieces.len());
        let ends = self.pieces.iter().skip(1).map(|piece| piece.inner).chain([self.text.len()]);
        for (piece, end) in self.pieces.iter().zip(ends) {
            let begins = outer.place(piece.outer).0;
            if let Some(behind) = piece.stands_for {
                // All of it is one thing, whatever the outer text is made of there.
                let ends = outer.place(behind.saturating_sub(1).max(piece.outer)).1;
                pieces.push(Piece { inner: piece.inner, outer: begins, stands_for: Some(ends) });
                continue;
            }
            pieces.push(Piece {
                inner: piece.inner,
                outer: begins,
                stands_for: outer.escape_at(piece.outer),
            });
            // Seams of the outer text that lie inside of this piece.
            let last = piece.outer + end.saturating_sub(piece.inner);
            let first = outer.pieces.partition_point(|seam| seam.inner <= piece.outer);
            for seam in outer.pieces.iter().skip(first).take_while(|seam| seam.inner < last) {
                pieces.push(Piece { inner: piece.inner + (seam.inner - piece.outer), ..*seam });
            }
        }
        Self { text: self.text, pieces }
    }

    /// The same with its own copy of the text.
    pub fn into_owned(self) -> Source<'static> {
        Source { text: Cow::Owned(self.text.into_owned()), pieces: self.pieces }
    }
}

/// Puts a [`Source`] together from pieces of a document, in order.
#[derive(Debug, Default)]
pub struct Builder {
    text: String,
    pieces: Vec<Piece>,
}

impl Builder {
    /// Text that lies in the document from `outer` on.
    pub fn push(&mut self, text: &str, outer: usize) {
        let inner = self.text.len();
        let in_step = self
            .pieces
            .last()
            .is_some_and(|last| last.stands_for.is_none() && last.outer + (inner - last.inner) == outer);
        if !in_step {
            self.piece(Piece { inner, outer, stands_for: None });
        }
        self.text.push_str(text);
    }

    /// Text that stands for what the document holds at `span`: an escape, or a
    /// blank for nothing at all.
    pub fn push_for(&mut self, text: &str, span: Span) {
        if !text.is_empty() {
            self.piece(Piece { inner: self.text.len(), outer: span.start, stands_for: Some(span.end) });
            self.text.push_str(text);
        }
    }

    fn piece(&mut self, piece: Piece) {
        // Nothing was said about the text before: this is the better answer.
        self.pieces.pop_if(|last| last.inner == piece.inner);
        self.pieces.push(piece);
    }

    /// All of another one, in the same document.
    pub fn push_source(&mut self, source: &Source<'_>) {
        self.push_range(source, 0, source.text.len());
    }

    /// A part of another one.
    pub fn push_range(&mut self, source: &Source<'_>, start: usize, end: usize) {
        let first = source.pieces.partition_point(|piece| piece.inner <= start).saturating_sub(1);
        for (index, piece) in source.pieces.iter().enumerate().skip(first) {
            if piece.inner >= end {
                return;
            }
            let next = source.pieces.get(index + 1).map_or(source.text.len(), |next| next.inner);
            let from = piece.inner.max(start);
            let text = source.text.get(from..next.min(end)).unwrap_or_default();
            match piece.stands_for {
                Some(end) => self.push_for(text, Span::new(piece.outer, end)),
                None => self.push(text, piece.outer + (from - piece.inner)),
            }
        }
    }

    pub fn finish(mut self) -> Source<'static> {
        if self.pieces.first().is_none_or(|first| first.inner > 0) {
            self.pieces.insert(0, Piece { inner: 0, outer: 0, stands_for: None });
        }
        Source { text: Cow::Owned(self.text), pieces: self.pieces }
    }
}

/// The lines of a text with the offset of each, without their line breaks.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_a_dedented_text_are_those_of_the_document() {
        let document = "run: |\n  one\n  two\n";
        let mut builder = Builder::default();
        builder.push("one\n", 9);
        builder.push("two\n", 15);
        let source = builder.finish();
        assert_eq!(source.text(), "one\ntwo\n");
        let slice = |start, end| {
            let span = source.span(start, end);
            &document[span.start..span.end]
        };
        assert_eq!(slice(0, 3), "one");
        assert_eq!(slice(4, 7), "two");
        // Across the gap, and up to it.
        assert_eq!(slice(2, 6), "e\n  tw");
        assert_eq!(slice(0, 4), "one\n");
        assert_eq!(source.span(4, 4), Span::new(15, 15));
    }

    #[test]
    fn a_text_inside_a_text_lies_in_the_document() {
        let document = "  a: |\n    one\n    two\n";
        let mut fence = Builder::default();
        fence.push("a: |\n", 2);
        fence.push("  one\n", 9);
        fence.push("  two\n", 17);
        let fence = fence.finish();
        let mut scalar = Builder::default();
        scalar.push("one\n", 7);
        scalar.push("two\n", 13);
        for inner in [scalar.finish(), Source::at("one\n  two\n", 7)] {
            let source = inner.within(&fence);
            for word in ["one", "two"] {
                let at = source.text().find(word).unwrap();
                let span = source.span(at, at + 3);
                assert_eq!(&document[span.start..span.end], word);
            }
        }
    }

    #[test]
    fn what_runs_in_step_is_one_piece() {
        let mut builder = Builder::default();
        builder.push("ab", 5);
        builder.push("cd", 7);
        builder.push("", 20);
        builder.push("ef", 30);
        let source = builder.finish();
        assert_eq!(source.pieces.len(), 2);
        assert_eq!(source.span(4, 6), Span::new(30, 32));
        assert_eq!(Builder::default().finish().span(0, 0), Span::new(0, 0));
    }

    #[test]
    fn a_part_of_a_part_keeps_its_place() {
        let mut builder = Builder::default();
        builder.push("abc", 10);
        builder.push("def", 20);
        let source = builder.finish();
        let mut builder = Builder::default();
        builder.push_range(&source, 1, 5);
        let part = builder.finish();
        assert_eq!(part.text(), "bcde");
        assert_eq!(part.span(0, 2), Span::new(11, 13));
        assert_eq!(part.span(2, 4), Span::new(20, 22));
    }

    #[test]
    fn what_stands_for_something_has_the_span_of_that() {
        let mut builder = Builder::default();
        builder.push("a", 0);
        builder.push_for("\u{e9}", Span::new(1, 7));
        builder.push("b", 7);
        builder.push_for("long text", Span::new(8, 10));
        let source = builder.finish();
        assert_eq!(source.span(1, 3), Span::new(1, 7));
        assert_eq!(source.span(0, 4), Span::new(0, 8));
        assert_eq!(source.span(4, 8), Span::new(8, 10));
        assert_eq!(source.span(13, 13), Span::new(10, 10));
        let mut builder = Builder::default();
        builder.push_range(&source, 3, 6);
        assert_eq!(builder.finish().span(0, 3), Span::new(7, 10));
    }

    #[test]
    fn lines_know_where_they_start_and_lose_their_breaks() {
        let all: Vec<_> = lines("a\r\n\nbc").collect();
        assert_eq!(all, [(0, "a"), (3, ""), (4, "bc")]);
    }
}
