//! The edit that gives a step one more variable.

use crate::finding::{Edit, Span};
use crate::fix::{indent, line_start};
use crate::model::{Set, Unit};
use crate::parse::workflow::Step;

/// `NAME: ${{ secrets.NAME }}` in the step's `env:`, which may have to be made.
pub fn declare(
    set: &Set<'_>,
    unit: &Unit<'_>,
    step: &Step<'_>,
    name: &str,
    expression: &str,
) -> Option<Edit> {
    let text = &set.documents.get(unit.document)?.text;
    let line = format!("{name}: ${{{{ {} }}}}", expression.trim());
    let start = |span: Span| unit.place(span).span.start;
    if let Some(first) = step.environment.first() {
        let at = start(first.entry.key.span);
        let alone = text.get(line_start(text, at)..at)?.trim().is_empty();
        return alone.then(|| Edit::insert(at, format!("{line}\n{}", indent(text, at))));
    }
    if step.node.get("env").is_some() {
        return None;
    }
    // Before `run:`, in the column of the step's keys.
    let run = step.node.entry("run")?;
    let at = start(run.key.span);
    let column = text.get(line_start(text, at)..at)?;
    if !column.trim_start_matches([' ', '\t']).is_empty() && column.trim() != "-" {
        return None;
    }
    let blank = column.replace('-', " ");
    Some(Edit::insert(at, format!("env:\n{blank}  {line}\n{blank}")))
}
