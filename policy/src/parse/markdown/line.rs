//! What one line is, without its neighbours.

use super::ListItem;

#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    pub(super) mark: u8,
    pub(super) count: usize,
}

/// How many bytes of a fence's line are its container's.
pub(super) fn inside(line: &str, quotes: usize, indent: usize) -> usize {
    let mut at = 0;
    for _ in 0..quotes {
        let rest = line.get(at..).unwrap_or_default();
        let Some(inner) = rest.trim_start_matches([' ', '\t']).strip_prefix('>') else { break };
        at = line.len() - inner.strip_prefix(' ').unwrap_or(inner).len();
    }
    let rest = line.get(at..).unwrap_or_default();
    at + rest.bytes().take(indent).take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// How often a line is quoted, and how many bytes that takes.
pub(super) fn quoted(line: &str) -> (usize, usize) {
    let mut quotes = 0;
    let mut at = 0;
    while let Some(rest) = line.get(at..).and_then(|rest| rest.trim_start_matches(' ').strip_prefix('>')) {
        quotes += 1;
        at = line.len() - rest.strip_prefix(' ').unwrap_or(rest).len();
    }
    (quotes, at)
}

pub(super) fn opening(line: &str) -> Option<(Marks, &str)> {
    let mark = *line.as_bytes().first().filter(|byte| matches!(byte, b'`' | b'~'))?;
    let count = line.bytes().take_while(|byte| *byte == mark).count();
    let info = line.get(count..)?.trim();
    // ``` `x` ``` in one line is code in a text.
    (count >= 3 && !(mark == b'`' && info.contains('`'))).then_some((Marks { mark, count }, info))
}

/// The level of `## text ##` and where its text lies.
pub(super) fn heading(line: &str) -> Option<(usize, std::ops::Range<usize>)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let rest = line.get(level..)?;
    if !(1..=6).contains(&level) || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let text = rest.trim();
    let start = line.len() - rest.trim_start().len();
    let kept = text.trim_end_matches('#');
    // Closing marks stand behind a blank.
    let text = if kept.is_empty() || kept.ends_with([' ', '\t']) { kept.trim_end() } else { text };
    Some((level, start..start + text.len()))
}

pub(super) fn underline(line: &str) -> Option<usize> {
    let line = line.trim_end();
    let all = |mark: u8| line.len() >= 2 && line.bytes().all(|byte| byte == mark);
    if all(b'=') {
        Some(1)
    } else if all(b'-') {
        Some(2)
    } else {
        None
    }
}

/// The mark of a list item at the start of a line, and its length.
pub(super) fn list_item(indent: usize, line: &str) -> (Option<ListItem>, usize) {
    let digits = line.bytes().take(9).take_while(u8::is_ascii_digit).count();
    let mark = line.as_bytes().get(digits);
    let ordered = digits > 0 && matches!(mark, Some(b'.' | b')'));
    let bullet = digits == 0 && matches!(mark, Some(b'-' | b'*' | b'+'));
    let rest = line.get(digits + 1..).unwrap_or_default();
    if !(ordered || bullet) || !rest.starts_with([' ', '\t']) {
        return (None, 0);
    }
    let text = rest.trim_start_matches([' ', '\t']);
    let done = match text.get(..4) {
        Some("[ ] ") => Some(false),
        Some("[x] " | "[X] ") => Some(true),
        _ => None,
    };
    let skip = line.len() - text.len() + if done.is_some() { 4 } else { 0 };
    (Some(ListItem { indent, ordered, done }), skip)
}
