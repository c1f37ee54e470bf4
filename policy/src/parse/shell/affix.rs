//! `${name#prefix}` and `${name%suffix}` on a value that is partly known.

use super::{Piece, Resolved};
use crate::path;

/// `${x#pattern}`. False where nobody can tell.
pub(super) fn remove_prefix(value: &mut Resolved, pattern: &str, greedy: bool) -> bool {
    if greedy && pattern == "*/" {
        // What follows the last slash, wherever that is.
        let Some(last) =
            value.pieces.iter().rposition(|piece| matches!(piece, Piece::Text(text) if text.contains('/')))
        else {
            return value.literal().is_some();
        };
        value.pieces.drain(..last);
        if let Some(Piece::Text(text)) = value.pieces.first_mut() {
            *text = path::name(text).to_owned();
        }
        return true;
    }
    if pattern.contains(['*', '?', '[']) {
        return false;
    }
    let alone = value.pieces.len() == 1;
    let Some(Piece::Text(text)) = value.pieces.first_mut() else { return false };
    if let Some(rest) = text.strip_prefix(pattern) {
        *text = rest.to_owned();
        return true;
    }
    alone || text.len() >= pattern.len()
}

/// `${x%pattern}`. False where nobody can tell.
pub(super) fn remove_suffix(value: &mut Resolved, pattern: &str, greedy: bool) -> bool {
    let alone = value.pieces.len() == 1;
    let Some(Piece::Text(text)) = value.pieces.last_mut() else { return false };
    let end = match pattern {
        ".*" | "/*" if !greedy => text.rfind(&pattern[..1]),
        _ if pattern.contains(['*', '?', '[']) => return false,
        _ => text.len().checked_sub(pattern.len()).filter(|_| text.ends_with(pattern)),
    };
    match end {
        Some(end) => {
            text.truncate(end);
            true
        }
        None => alone || (text.len() >= pattern.len() && !pattern.contains('*')),
    }
}
