//! Applies fixes to a text: findings in, the changed text out.
//!
//! Fixes whose edits touch each other are not mixed: the first one is applied, the
//! others find their place in the next round.

use crate::finding::{Edit, Fix};

/// The text after every fix that fits, and how many did.
pub fn apply<'f>(text: &str, fixes: impl IntoIterator<Item = &'f Fix>) -> (String, usize) {
    let mut edits: Vec<&Edit> = Vec::new();
    let mut applied = 0;
    for fix in fixes {
        // The same edit by two fixes (one `set -o pipefail` for two pipes) is made once.
        let new: Vec<&Edit> = fix.edits.iter().filter(|edit| !edits.contains(edit)).collect();
        let fits = |edit: &&Edit| {
            text.get(edit.span.start..edit.span.end).is_some()
                && edits.iter().all(|other| !touch(edit, other))
        };
        if new.iter().all(fits) {
            edits.extend(new);
            applied += 1;
        }
    }
    edits.sort();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        out.push_str(text.get(at..edit.span.start).unwrap_or_default());
        out.push_str(&edit.text);
        at = edit.span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    (out, applied)
}

/// The text after one edit.
pub fn apply_edit(text: &str, edit: &Edit) -> String {
    let (before, behind) = (text.get(..edit.span.start), text.get(edit.span.end..));
    [before.unwrap_or_default(), &edit.text, behind.unwrap_or_default()].concat()
}

fn touch(a: &Edit, b: &Edit) -> bool {
    let inserts = a.span.start == a.span.end && b.span.start == b.span.end;
    if inserts { a.span == b.span } else { a.span.start < b.span.end && b.span.start < a.span.end }
}

/// The blanks at the beginning of the line that a byte lies in.
pub fn indent(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(start..).unwrap_or_default();
    line.get(..line.len() - line.trim_start_matches([' ', '\t']).len()).unwrap_or_default()
}

/// Where the line of a byte begins.
pub fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().rfind('\n').map_or(0, |at| at + 1)
}

/// A new line before the one that `at` lies in, indented like it.
pub fn line_before(text: &str, at: usize, line: &str) -> Edit {
    Edit::insert(line_start(text, at), format!("{}{line}\n", indent(text, at)))
}

/// New lines before the one that `at` lies in, all indented like it.
pub fn lines_before(text: &str, at: usize, lines: &[&str]) -> Edit {
    let indent = indent(text, at);
    let lines: String = lines.iter().map(|line| format!("{indent}{line}\n")).collect();
    Edit::insert(line_start(text, at), lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Span;

    #[test]
    fn fixes_that_touch_each_other_are_not_mixed() {
        let one = Fix::safe("a", vec![Edit::replace(Span::new(0, 3), "x"), Edit::insert(4, "y")]);
        let two = Fix::safe("b", vec![Edit::replace(Span::new(2, 4), "z")]);
        assert_eq!(apply("abc de", [&one, &two]), ("x yde".to_owned(), 1));
        assert_eq!(apply("abc de", [&one, &one]), ("x yde".to_owned(), 2));
    }

    #[test]
    fn a_line_is_put_before_another() {
        let text = "a:\n    b\n";
        let fix = Fix::safe("a", vec![line_before(text, 8, "c")]);
        assert_eq!(apply(text, [&fix]).0, "a:\n    c\n    b\n");
    }
}
