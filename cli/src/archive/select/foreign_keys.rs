//! Foreign keys from and to what is restored: shown, and left out where only one
//! of the two tables comes along.

use std::collections::HashSet;

use super::{Choice, ForeignKey, Graph, Halves, LeftOut, Plan, Selection, is_relation, title};
use crate::archive::toc::Entry;

pub(super) fn preview(graph: &Graph, inside: &mut HashSet<i32>, selection: &Selection, plan: &mut Plan) {
    for entry in graph.toc.entries.iter().filter(|entry| entry.desc == "FK CONSTRAINT") {
        let Some(from) = graph.table_of(entry) else { continue };
        let to = referenced(graph, entry, from);
        let from_inside = inside.contains(&from.dump_id);
        let to_inside = to.is_some_and(|to| inside.contains(&to.dump_id));
        if !from_inside && !to_inside {
            continue;
        }
        // In an archive of some tables the other end may be in no entry: whoever
        // restores everything has it, as far as anyone can tell.
        let elsewhere = to.is_none() && selection.choice == Choice::Everything;
        let both_inside = from_inside && (to_inside || elsewhere);
        let constraint =
            entry.tag.strip_prefix(from.tag.as_str()).unwrap_or(&entry.tag).trim_start().to_owned();
        let to_table = to.map_or_else(|| target_of(&entry.definition), Entry::name);
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

/// The other table among the dependencies; the same one for a key to itself.
fn referenced<'a>(graph: &Graph<'a>, entry: &Entry, from: &'a Entry) -> Option<&'a Entry> {
    let to = target_of(&entry.definition);
    let tables = || graph.dependencies(entry).filter(|table| is_relation(table));
    let other = tables().find(|table| table.dump_id != from.dump_id);
    // Unless the archive does not hold the other.
    other.or_else(|| (to == from.name()).then_some(from))
}

/// `shop.users` of `… REFERENCES shop.users(id) …`, unquoted.
fn target_of(definition: &str) -> String {
    let rest = definition.split(" REFERENCES ").nth(1).unwrap_or_default();
    let mut name = String::new();
    let mut quoted = false;
    for char in rest.chars() {
        match char {
            '"' => quoted = !quoted,
            '(' if !quoted => break,
            _ => name.push(char),
        }
    }
    name
}
