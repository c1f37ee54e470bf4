//! Rows of tables.

use super::{Cell, plain};
use crate::finding::Span;

/// `| --- | :-: |`
pub(super) fn is_delimiter(line: &str) -> bool {
    let line = line.trim();
    line.contains('-')
        && line.contains('|')
        && line.bytes().all(|byte| matches!(byte, b'|' | b'-' | b':' | b' ' | b'\t'))
}

/// The cells of a line that begins at `at`. A bar behind a backslash, or in code,
/// parts nothing.
pub(super) fn cells(at: usize, line: &str) -> Vec<Cell> {
    let line = line.trim_end();
    let mut cells = Vec::new();
    let mut start = usize::from(line.starts_with('|'));
    let mut escaped = false;
    let mut code = false;
    for (index, byte) in line.bytes().enumerate().skip(start) {
        match byte {
            b'\\' if !escaped => {
                escaped = true;
                continue;
            }
            b'`' if !escaped => code = !code,
            b'|' if !escaped && !code => {
                cells.push(cell(at, line, start, index));
                start = index + 1;
            }
            _ => {}
        }
        escaped = false;
    }
    if start < line.len() {
        cells.push(cell(at, line, start, line.len()));
    }
    cells
}

fn cell(at: usize, line: &str, start: usize, end: usize) -> Cell {
    let whole = line.get(start..end).unwrap_or_default();
    let from = at + start + (whole.len() - whole.trim_start().len());
    let text = whole.trim();
    Cell { span: Span::new(from, from + text.len()), text: plain(text) }
}
