//! Expressions, as far as they become text: strings, templates, names and sums.

use super::lexer::TokenKind;
use super::value::{Value, ValuePiece, hole_name};
use super::{DEPTH, PIECES, REACH, Reader};

impl Reader<'_> {
    /// The elements of a list, up to and with its bracket.
    pub(super) fn list(&self, mut at: usize, values: &mut Vec<Value>) -> usize {
        let limit = at + REACH;
        while at < limit && at < self.tokens.len() && !self.is_mark(at, b']') {
            if self.is_mark(at, b',') {
                at += 1;
                continue;
            }
            match self.value(at, &[]) {
                Some((value, next))
                    if next > at && (self.is_mark(next, b',') || self.is_mark(next, b']')) =>
                {
                    values.push(value);
                    at = next;
                }
                // `...rest`, a condition, an object: something that nobody knows.
                _ => {
                    let next = self.skip(at, limit);
                    let (start, end) = self.range(at, next);
                    values.push(Value { pieces: vec![ValuePiece::Hole("_".to_owned(), start, end)] });
                    at = next.max(at + 1);
                }
            }
        }
        at
    }

    /// Passes over an expression: up to a comma or bracket that is not its own.
    pub(super) fn skip(&self, mut at: usize, limit: usize) -> usize {
        let mut depth = 0_usize;
        while at < limit
            && let Some(token) = self.tokens.get(at)
        {
            match token.kind {
                TokenKind::Mark(b'(' | b'[' | b'{') => depth += 1,
                TokenKind::Mark(b')' | b']' | b'}' | b',' | b';') if depth == 0 => break,
                TokenKind::Mark(b')' | b']' | b'}') => depth -= 1,
                _ => {}
            }
            at = self.behind(at);
        }
        at
    }

    /// The token behind one; behind a template, with all that it holds.
    pub(super) fn behind(&self, at: usize) -> usize {
        match self.tokens.get(at).map(|token| token.kind) {
            Some(TokenKind::Template(end)) => end.max(at + 1),
            _ => at + 1,
        }
    }

    pub(super) fn range(&self, from: usize, to: usize) -> (usize, usize) {
        let start = self.tokens.get(from).map_or(0, |token| token.start);
        let last = self.tokens.get(to.saturating_sub(1).max(from));
        (start, last.map_or(start, |token| token.end.max(start)))
    }

    /// Texts, templates and names, joined by `+`; and the token behind them.
    /// `within` is where the constants begin that this value is a part of.
    pub(super) fn value(&self, mut at: usize, within: &[usize]) -> Option<(Value, usize)> {
        let mut value = Value::default();
        let limit = at + REACH;
        loop {
            let token = self.tokens.get(at)?;
            match token.kind {
                TokenKind::Text => {
                    value.text(self.source.text(), token.start + 1, token.end.saturating_sub(1));
                    at += 1;
                }
                TokenKind::Template(end) => {
                    self.template(at, end, &mut value);
                    at = end.max(at + 1);
                }
                TokenKind::Word => {
                    let next = self.operand(at, limit);
                    self.name(at, next, within, &mut value);
                    at = next;
                }
                _ => return None,
            }
            if !self.is_mark(at, b'+') || at >= limit {
                return Some((value, at));
            }
            at += 1;
        }
    }

    /// Behind `name.name(..)[..]!`.
    pub(super) fn operand(&self, mut at: usize, limit: usize) -> usize {
        at += 1;
        while at < limit {
            match self.tokens.get(at).map(|token| token.kind) {
                Some(TokenKind::Mark(b'.')) => at += 2,
                // `?.` and `!`
                Some(TokenKind::Mark(b'?')) if self.is_mark(at + 1, b'.') => at += 1,
                Some(TokenKind::Mark(b'!')) => at += 1,
                Some(TokenKind::Mark(b'(' | b'[')) => {
                    let close = self.closing(at + 1, limit);
                    at = close + 1;
                }
                _ => break,
            }
        }
        at
    }

    /// The bracket that closes, commas inside or not.
    pub(super) fn closing(&self, mut at: usize, limit: usize) -> usize {
        loop {
            at = self.skip(at, limit);
            if at < limit && (self.is_mark(at, b',') || self.is_mark(at, b';')) {
                at += 1;
            } else {
                return at;
            }
        }
    }

    /// A name alone may be a constant of the text.
    pub(super) fn name(&self, from: usize, to: usize, within: &[usize], value: &mut Value) {
        if to == from + 1
            && within.len() < DEPTH
            && let Some(start) = self.word(from).and_then(|name| self.constants.get(name))
            && *start < from
            && !within.contains(start)
            && let Some((inner, _)) = self.value(*start, &[within, &[*start]].concat())
            && inner.pieces.len() <= PIECES
        {
            // Alone, it is found where it is written.
            let alone = value.pieces.is_empty() && !self.is_mark(to, b'+');
            let (start, end) = self.range(from, to);
            value.pieces.extend(if alone { inner } else { inner.used_at(start, end) }.pieces);
            return;
        }
        let (start, end) = self.range(from, to);
        let expression = self.source.text().get(start..end).unwrap_or_default();
        value.pieces.push(ValuePiece::Hole(hole_name(expression), start, end));
    }

    /// Texts and holes of a template.
    pub(super) fn template(&self, at: usize, end: usize, value: &mut Value) {
        let Some(token) = self.tokens.get(at) else { return };
        let text = self.source.text();
        let mut from = token.start + 1;
        // The holes of this template, and not of those in its holes.
        let mut index = at + 1;
        while index < end {
            let Some(hole) = self.tokens.get(index) else { break };
            if let TokenKind::Hole(behind) = hole.kind {
                value.text(text, from, hole.start);
                let expression = text.get(hole.start + 2..hole.end.saturating_sub(1)).unwrap_or_default();
                let whole = ValuePiece::Hole(hole_name(expression), hole.start, hole.end);
                match self.constant_hole(index, behind) {
                    Some(inner) => value.pieces.extend(inner.used_at(hole.start, hole.end).pieces),
                    None => value.pieces.push(whole),
                }
                from = hole.end;
                index = behind.max(index + 1);
            } else {
                index += 1;
            }
        }
        value.text(text, from, token.end.saturating_sub(1));
    }

    /// `${NAME}` of a constant that is one plain text.
    pub(super) fn constant_hole(&self, hole: usize, behind: usize) -> Option<Value> {
        if behind != hole + 2 {
            return None;
        }
        let start = *self.constants.get(self.word(hole + 1)?).filter(|start| **start < hole)?;
        let token = self.tokens.get(start).filter(|token| token.kind == TokenKind::Text)?;
        if self.is_mark(start + 1, b'+') {
            return None;
        }
        let mut value = Value::default();
        value.text(self.source.text(), token.start + 1, token.end.saturating_sub(1));
        Some(value)
    }
}
