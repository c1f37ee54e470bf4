//! Where the text of a YAML scalar lies in its document.
//!
//! A block (`run: |`) loses its indentation, a folded text its line breaks, a
//! quoted one its escapes. The [`Source`] of a scalar still maps every byte of its
//! text to the document, so that a script in a workflow is reported at its line.

use super::source::{self, Builder, Source};
use super::yaml::{Entry, Node, Value};
use crate::finding::Span;

impl Node {
    /// The text of a scalar, and where it lies; `document` is the text that was
    /// parsed. Empty for everything else.
    pub fn source<'t>(&self, document: &'t str) -> Source<'t> {
        let Some(scalar) = self.as_scalar().filter(|_| self.span.start < self.span.end) else {
            return Source::at("", self.span.start);
        };
        let slice = document.get(self.span.start..self.span.end).unwrap_or_default();
        let quoted = !scalar.plain && !scalar.block;
        let quote = slice.bytes().next().filter(|byte| quoted && matches!(byte, b'"' | b'\''));
        let start = self.span.start + usize::from(quote.is_some());
        if let Some(same) = document.get(start..start + scalar.text.len())
            && same == scalar.text
        {
            return Source::at(same, start);
        }
        let lines = if scalar.block { block_lines(document, self.span, &scalar.text) } else { None };
        lines.unwrap_or_else(|| aligned(slice, self.span.start, quote, &scalar.text))
    }

    /// The text of a scalar. Of `key:` without a value that is nothing.
    pub fn text(&self) -> Option<&str> {
        let scalar = self.as_scalar()?;
        Some(if self.span.start == self.span.end { "" } else { scalar.text.as_str() })
    }

    /// The entries of a mapping; of anything else, none.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; of anything else, none.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The entry under a key, the last where it is written twice.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rfind(|entry| entry.key.text() == Some(key))
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        Some(&self.entry(key)?.value)
    }

    /// The values under some keys, each as [`Self::get`] finds it, in one pass.
    pub fn values<const N: usize>(&self, keys: [&str; N]) -> [Option<&Node>; N] {
        let mut values = [None; N];
        for entry in self.entries() {
            let Some(text) = entry.key.text() else { continue };
            for (key, value) in keys.iter().zip(&mut values) {
                if *key == text {
                    *value = Some(&entry.value);
                }
            }
        }
        values
    }

    /// A value below several keys.
    pub fn path(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The scalars of a list, or the scalar alone: `[a, b]` and `a` are both read.
    pub fn one_or_many(&self) -> impl Iterator<Item = &Node> {
        let alone = matches!(self.value, Value::Scalar(_)).then_some(self);
        alone.into_iter().chain(self.items())
    }
}

/// A literal block: each line of the text is the end of a line of the document.
fn block_lines(document: &str, span: Span, text: &str) -> Option<Source<'static>> {
    let first = document.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let mut outer = source::lines(document.get(first..span.end)?);
    let mut builder = Builder::default();
    // Empty lines before the first one are no part of the node's span.
    let body = text.trim_start_matches('\n');
    builder.push_for(text.get(..text.len() - body.len())?, Span::new(span.start, span.start));
    for line in body.split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        match outer.next() {
            Some((offset, whole)) => {
                let indent = whole.len().checked_sub(bare.len()).filter(|_| whole.ends_with(bare))?;
                let end = first + offset + whole.len();
                builder.push(bare, first + offset + indent);
                // The document may end without the line break of its last line.
                if end < document.len() {
                    builder.push(line.get(bare.len()..)?, end);
                } else {
                    builder.push_for(line.get(bare.len()..)?, Span::new(end, end));
                }
            }
            // Lines that `|+` keeps may lie behind the span.
            None => builder.push_for(line, Span::new(span.end, span.end)),
        }
    }
    Some(builder.finish())
}

/// Folded and escaped texts, one character after another.
fn aligned(slice: &str, start: usize, quote: Option<u8>, text: &str) -> Source<'static> {
    let mut builder = Builder::default();
    let mut at = usize::from(quote.is_some());
    let mut rest = text;
    while let Some(wanted) = rest.chars().next() {
        let Some(found) = slice.get(at..).and_then(|slice| slice.chars().next()) else { break };
        let after = slice.get(at + 1..).unwrap_or_default();
        let piece = rest.get(..wanted.len_utf8()).unwrap_or_default();
        if found == '\\' && quote == Some(b'"') {
            // An escaped line break is nothing at all.
            if after.starts_with(['\n', '\r']) {
                at += 1;
                at += slice.get(at..).map_or(0, |slice| slice.len() - slice.trim_start().len());
                continue;
            }
            let begin = at;
            at += 1 + match after.bytes().next() {
                Some(b'x') => 3,
                Some(b'u') => 5,
                Some(b'U') => 9,
                _ => after.chars().next().map_or(0, char::len_utf8),
            };
            at = at.min(slice.len());
            builder.push_for(piece, Span::new(start + begin, start + at));
        } else if found == '\'' && quote == Some(b'\'') && after.starts_with('\'') && wanted == '\'' {
            builder.push_for(piece, Span::new(start + at, start + at + 2));
            at += 2;
        } else if found == wanted {
            builder.push(piece, start + at);
            at += found.len_utf8();
        } else if wanted == ' ' && matches!(found, '\n' | '\r') {
            builder.push_for(piece, Span::new(start + at, start + at + 1));
            at += 1;
        } else if found.is_whitespace() {
            at += found.len_utf8();
            continue;
        } else {
            break;
        }
        rest = rest.get(wanted.len_utf8()..).unwrap_or_default();
    }
    // What cannot be followed lies where it begins.
    let end = start + at.min(slice.len());
    builder.push_for(rest, Span::new(end, end));
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::yaml;
    use proptest::prelude::*;

    /// Each word of the value of `a`, and what the document holds at its span.
    fn words(document: &str) -> Vec<(String, String)> {
        let documents = yaml::parse(document).unwrap();
        let source = documents[0].get("a").unwrap().source(document);
        let text = source.text();
        text.split_whitespace()
            .map(|word| {
                let at = word.as_ptr() as usize - text.as_ptr() as usize;
                let span = source.span(at, at + word.len());
                (word.to_owned(), document[span.start..span.end].to_owned())
            })
            .collect()
    }

    #[test]
    fn every_style_maps_its_words() {
        for document in [
            "a: one two",
            "a: 'one two'",
            "a: \"one two\"",
            "a: |\n  one\n    two\n\n  three\nb: 1",
            "a: | # note\n\n\n  one\n  two\n",
            "a: |2\n    one\n   two\n",
            "a: |+\n  one\n\n\nb: 1",
            "a: |-\r\n  one\r\n  two\r\nb: 1\r\n",
            "a: >-\n  one\n  two\n\n  three\n",
            "a: one\n  two\n\n  three\n",
            "a: 'one\n\n  two'",
            "a: \"one\\\n   two\"",
            "a: |\n  \"one\" two\n  'x\n",
            "a: >\n  \"one\n  two\n",
            "b: 1\na:\n- x\n",
        ] {
            for (word, found) in words(document) {
                assert!(
                    found == word || (found.contains("one") && word == "onetwo"),
                    "{document:?}: {word} {found}"
                );
            }
        }
    }

    #[test]
    fn escapes_shift_what_follows_them() {
        let found = |document: &str| words(document).into_iter().map(|(_, found)| found).collect::<Vec<_>>();
        assert_eq!(found(r#"a: "x\ny \"z\" \x41 w""#), ["x", "y", r#"\"z\""#, r"\x41", "w"]);
        assert_eq!(found("a: 'it''s here'"), ["it''s", "here"]);
    }

    #[test]
    fn keys_are_found() {
        let node = &yaml::parse("a: {b: [x, y]}\nc: z\nc: w").unwrap()[0];
        let texts =
            |node: &Node| node.one_or_many().filter_map(Node::text).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(texts(node.path(&["a", "b"]).unwrap()), ["x", "y"]);
        assert_eq!(texts(node.get("c").unwrap()), ["w"]);
        assert!(node.get("a").unwrap().get("x").is_none());
    }

    proptest! {
        #[test]
        fn spans_lie_in_the_document(document in "a: [|>\"'+-]?[\"'\\\\ \nbx\u{e9}'\"]{0,40}") {
            if let Ok(documents) = yaml::parse(&document) {
                for node in &documents {
                    node.scalars(&mut |node, _| {
                        let source = node.source(&document);
                        assert_eq!(Some(source.text()), node.text());
                        for (at, found) in source.text().char_indices() {
                            let span = source.span(at, at + found.len_utf8());
                            assert!(document.get(span.start..span.end).is_some(), "{span:?}");
                        }
                    });
                }
            }
        }
    }
}
