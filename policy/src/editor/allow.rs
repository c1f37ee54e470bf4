//! The comment that allows a finding: a place where it works, or none.
//!
//! A comment may not go just anywhere: inside a command of many lines it would cut
//! the command in two. So each place that could do is tried, and taken only if the
//! finding is gone and nothing else has changed.

use std::collections::BTreeMap;

use super::{Error, Review, Utf16};
use crate::document::{Document, Kind};
use crate::finding::{Edit, Finding};
use crate::fix::{apply_edit, indent, line_start};
use crate::suppress::comment;

/// Lines above a finding that are tried: a command, a step, a block.
const ABOVE: usize = 40;

impl Review {
    /// A comment that allows the finding of `rule` that begins at `from`, in UTF-16, of
    /// a document. None where no comment can, as in a file without comments.
    pub fn allow(
        &self,
        document: usize,
        from: usize,
        rule: &str,
        reason: &str,
    ) -> Result<Option<Edit>, Error> {
        let place = self.documents.get(document).ok_or(Error::Finding)?;
        let start = Utf16::new(&place.text).byte(from);
        let (finding, _) = self
            .found
            .iter()
            .find(|(finding, _)| {
                finding.rule == rule && finding.path == place.path && finding.span.start == start
            })
            .ok_or(Error::Finding)?;
        // A reason is one line, and may not end the comment.
        let reason: Vec<&str> = reason.split_whitespace().collect();
        let reason = reason.join(" ").replace("-->", "->").replace("*/", "* /");
        let edit = candidates(place, start, rule, &reason).into_iter().find(|edit| {
            let mut documents = self.documents.clone();
            if let Some(changed) = documents.get_mut(document) {
                changed.text = apply_edit(&changed.text, edit);
            }
            let after = Self::with(documents, self.options.clone());
            self.only_lacks(finding, &after)
        });
        Ok(edit)
    }

    /// Whether a finding is gone, with others of its rule at most.
    fn only_lacks(&self, finding: &Finding, after: &Self) -> bool {
        let before = self.counts();
        let now = after.counts();
        let key = (finding.rule, finding.path.as_str());
        now.get(&key).copied().unwrap_or(0) < before.get(&key).copied().unwrap_or(0)
            && after.suppressed > self.suppressed
            && before.iter().all(|(other, count)| *other == key || now.get(other) == Some(count))
            && now.keys().all(|other| before.contains_key(other))
    }

    fn counts(&self) -> BTreeMap<(&str, &str), usize> {
        let mut counts = BTreeMap::new();
        for (finding, _) in &self.found {
            *counts.entry((finding.rule, finding.path.as_str())).or_insert(0) += 1;
        }
        counts
    }
}

/// Above the line, behind it, above what the line continues or belongs to.
fn candidates(document: &Document, start: usize, rule: &str, reason: &str) -> Vec<Edit> {
    let text = document.text.as_str();
    let Some((opens, closes)) = comment(document.kind) else { return Vec::new() };
    let allow = |opens: &str, closes: &str| format!("{opens} backstop: allow {rule} -- {reason}{closes}");
    let above = |at: usize, allow: &str| Edit::insert(at, format!("{}{allow}\n", indent(text, at)));
    let mut at = line_start(text, start);
    let mut edits = vec![above(at, &allow(opens, closes))];
    // A block in a document speaks its own language.
    if document.kind == Kind::Markdown {
        edits.extend(["#", "--", "//"].map(|opens| above(at, &allow(opens, ""))));
    }
    let end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| start + at);
    if !goes_on(text.get(at..end)) {
        edits.push(Edit::insert(end, format!("  {}", allow(opens, closes))));
    }
    for _ in 0..ABOVE {
        let Some(before) = at.checked_sub(1) else { break };
        at = line_start(text, before);
        edits.push(above(at, &allow(opens, closes)));
    }
    let is_between = |edit: &Edit| {
        let before = edit.span.start.checked_sub(1).and_then(|end| text.get(line_start(text, end)..end));
        edit.text.ends_with('\n') && goes_on(before)
    };
    edits.retain(|edit| !is_between(edit));
    edits
}

/// Whether the next line belongs to the same command, which a comment would cut in two.
fn goes_on(line: Option<&str>) -> bool {
    let line = line.unwrap_or_default().trim_end();
    ["\\", "|", "&&"].into_iter().any(|end| line.ends_with(end))
}
