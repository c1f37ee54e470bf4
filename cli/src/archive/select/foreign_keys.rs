//! Foreign keys from and to what is restored: shown, and left out where only one
//! of the two tables, or only one's rows, come along.

use std::collections::HashSet;

use backstop_policy::identifier;

use super::{Choice, ForeignKey, Graph, Halves, LeftOut, Plan, Selection, TargetFacts, is_relation, title};
use crate::archive::toc::Entry;

pub(super) fn preview(
    graph: &Graph,
    inside: &mut HashSet<i32>,
    selection: &Selection,
    target: &TargetFacts,
    plan: &mut Plan,
) {
    // Of what a dump of definitions alone holds, no row can miss another.
    let has_rows = graph.toc.entries.iter().any(|entry| entry.desc == "TABLE DATA");
    for entry in graph.toc.entries.iter().filter(|entry| entry.desc == "FK CONSTRAINT") {
        let Some(from) = graph.table_of(entry) else { continue };
        let to = referenced(graph, entry, from);
        let from_inside = inside.contains(&from.dump_id);
        let to_inside = to.is_some_and(|to| inside.contains(&to.dump_id));
        if !from_inside && !to_inside {
            continue;
        }
        let named = target_of(&entry.definition);
        // In an archive of some tables the other end may be in no entry: then it
        // must be in the target, whose types are also those of its tables' rows.
        let there = matches!(named.as_slice(), [schema, table]
            if target.present.contains(&(schema.clone(), table.clone())));
        let elsewhere = to.is_none() && selection.choice == Choice::Everything && there;
        let both_inside = from_inside && (to_inside || elsewhere);
        let constraint =
            entry.tag.strip_prefix(from.tag.as_str()).unwrap_or(&entry.tag).trim_start().to_owned();
        let to_table = to.map_or_else(|| named.join("."), Entry::name);
        let empty = has_rows && selection.halves == Halves::Both && to.is_some_and(|to| is_empty(graph, to));
        if both_inside && empty && !is_empty(graph, from) && inside.remove(&entry.dump_id) {
            plan.left_out.push(LeftOut {
                dump_id: entry.dump_id,
                what: title(entry),
                why: format!("it refers to rows of '{to_table}', which the archive does not hold"),
            });
        }
        if !both_inside && inside.remove(&entry.dump_id) && selection.halves != Halves::DataOnly {
            plan.left_out.push(LeftOut {
                dump_id: entry.dump_id,
                what: title(entry),
                why: format!("it refers to '{to_table}', which is not restored"),
            });
        }
        plan.foreign_keys.push(ForeignKey { from_table: from.name(), to_table, constraint, both_inside });
    }
}

/// Whether a table was dumped without its rows. A partitioned one has none of its
/// own.
fn is_empty(graph: &Graph, table: &Entry) -> bool {
    table.desc == "TABLE"
        && !table.definition.contains("\nPARTITION BY ")
        && !graph.dependents(table.dump_id).iter().any(|data| data.desc == "TABLE DATA")
}

/// The other table among the dependencies; the same one for a key to itself.
fn referenced<'a>(graph: &Graph<'a>, entry: &Entry, from: &'a Entry) -> Option<&'a Entry> {
    let itself = [from.namespace.as_str(), from.tag.as_str()];
    let tables = || graph.dependencies(entry).filter(|table| is_relation(table));
    let other = tables().find(|table| table.dump_id != from.dump_id);
    // Unless the archive does not hold the other.
    other.or_else(|| (target_of(&entry.definition) == itself).then_some(from))
}

/// `shop`, `users` of `… REFERENCES shop.users(id) …`.
fn target_of(definition: &str) -> Vec<String> {
    let rest = definition.split(" REFERENCES ").nth(1).unwrap_or_default();
    let mut quoted = false;
    let end = rest.find(|char| {
        quoted ^= char == '"';
        char == '(' && !quoted
    });
    identifier::split(&rest[..end.unwrap_or(rest.len())])
}
