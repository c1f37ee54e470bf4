//! A URL that a program puts together: `'postgresql://app:' + 'pw' + '@h'`. The
//! literals are read as one text, in which every byte knows where it came from.

use std::ops::Range;

use super::scan::{Scan, is_quote, is_word};
use crate::finding::Span;

const MOST_PIECES: usize = 8;
const LONGEST: usize = 512;
/// What stands for a variable between two literals.
const HOLE: &str = "${}";

/// Literals that an operator, or nothing, joins.
#[derive(Debug, Default)]
pub(super) struct Joined {
    pub text: String,
    /// Where each piece starts in `text`, and where it lies in the source. A hole has
    /// no place in the source.
    pieces: Vec<(usize, Option<Range<usize>>)>,
    /// Past the last literal in the source.
    pub end: usize,
}

/// Reads on from a literal whose contents are `first`.
pub(super) fn literals(scan: &Scan<'_>, first: Range<usize>) -> Option<Joined> {
    let mut joined = Joined::default();
    let mut at = first.end;
    joined.push(scan, first);
    while joined.pieces.len() < MOST_PIECES && joined.text.len() < LONGEST {
        if !is_quote(scan.byte(at)) {
            break;
        }
        let Some(next) = operator(scan, at + 1) else { break };
        if is_quote(scan.byte(next)) {
            let mark = scan.byte(next);
            let end = scan.run_end(next + 1, LONGEST, |byte| byte != mark && byte != b'\n');
            joined.push(scan, next + 1..end);
            at = end;
        } else {
            let end = scan.run_end(next, 80, |byte| is_word(byte) || b".[]()$".contains(&byte));
            if end == next {
                break;
            }
            joined.hole();
            let Some(after) = operator(scan, end) else { break };
            if !is_quote(scan.byte(after)) {
                break;
            }
            let mark = scan.byte(after);
            let close = scan.run_end(after + 1, LONGEST, |byte| byte != mark && byte != b'\n');
            joined.push(scan, after + 1..close);
            at = close;
        }
    }
    joined.end = at;
    (joined.pieces.len() > 1).then_some(joined)
}

impl Joined {
    fn push(&mut self, scan: &Scan<'_>, range: Range<usize>) {
        self.pieces.push((self.text.len(), Some(range.clone())));
        self.text.push_str(scan.part(range));
    }

    fn hole(&mut self) {
        self.pieces.push((self.text.len(), None));
        self.text.push_str(HOLE);
    }

    /// Where a part of the joined text lies in the source.
    pub fn spans(&self, part: &Range<usize>) -> Vec<Span> {
        let mut spans = Vec::new();
        for (start, source) in &self.pieces {
            let Some(source) = source else { continue };
            let from = part.start.max(*start);
            let to = part.end.min(start + source.len());
            if from < to {
                spans.push(Span::new(source.start + from - start, source.start + to - start));
            }
        }
        spans
    }
}

/// Past `+`, `.`, `..`, `||`, `&`, a line's continuation, or nothing at all.
fn operator(scan: &Scan<'_>, start: usize) -> Option<usize> {
    let blank = |byte: u8| byte.is_ascii_whitespace() || byte == b'\\';
    let at = scan.run_end(start, 120, blank);
    let length = scan.run_end(at, 2, |byte| b"+.|&".contains(&byte)) - at;
    let next = scan.run_end(at + length, 120, blank);
    // Two literals side by side are one in C and Python; `"a", "b"` are two.
    (length > 0 || is_quote(scan.byte(next))).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;

    fn joined(source: &str) -> Option<(String, Vec<String>)> {
        let scan = Scan::new(source, Place::default());
        let end = source[1..].find(source.chars().next()?)? + 1;
        let joined = literals(&scan, 1..end)?;
        let all = joined.spans(&(0..joined.text.len()));
        Some((joined.text.clone(), all.iter().map(|span| source[span.start..span.end].to_owned()).collect()))
    }

    #[test]
    fn literals_become_one_text_that_knows_its_source() {
        for (source, text, pieces) in [
            ("'a:' + 'pw' + '@h'", "a:pw@h", vec!["a:", "pw", "@h"]),
            ("\"a:\" . \"pw\" . \"@h\"", "a:pw@h", vec!["a:", "pw", "@h"]),
            ("'a:' || 'pw@h'", "a:pw@h", vec!["a:", "pw@h"]),
            ("\"a:\"\n  \"pw@h\"", "a:pw@h", vec!["a:", "pw@h"]),
            ("'a:' + pw + '@h'", "a:${}@h", vec!["a:", "@h"]),
        ] {
            let pieces: Vec<String> = pieces.into_iter().map(str::to_owned).collect();
            assert_eq!(joined(source), Some((text.to_owned(), pieces)), "{source}");
        }
        assert_eq!(joined("'a:', 'pw'"), None);
    }
}
