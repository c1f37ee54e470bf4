//! A choice of tables and schemas, made whole: what belongs to a chosen table
//! comes along, what its definition needs comes along too, and what is left
//! outside on purpose is said.

use std::collections::{HashSet, VecDeque};

use super::pattern::{self, Pattern};
use super::{Graph, LeftOut, Needed, Plan, TargetFacts, is_relation, is_remark, title};
use crate::archive::Error;
use crate::archive::toc::{Entry, Toc};

/// The entries that the patterns name; the schemas that are taken whole.
pub(super) fn roots(
    toc: &Toc,
    graph: &Graph,
    schemas: &[String],
    tables: &[String],
) -> Result<(Vec<i32>, HashSet<String>), Error> {
    let mut roots = Vec::new();
    let mut whole = HashSet::new();
    for text in schemas {
        let pattern = Pattern::schema(text)?;
        let named: HashSet<&str> = schema_names(toc).filter(|name| pattern.matches_schema(name)).collect();
        if named.is_empty() {
            let near = pattern::near(text, schema_names(toc).map(str::to_owned));
            return Err(Error::NotInArchive { what: "schema", name: text.clone(), near });
        }
        for entry in &toc.entries {
            let itself = entry.desc == "SCHEMA" && named.contains(entry.tag.as_str());
            // What belongs to a publication is chosen with it, not with the table.
            let within = named.contains(entry.namespace.as_str()) && !entry.desc.starts_with("PUBLICATION");
            if itself || within {
                roots.push(entry.dump_id);
            }
        }
        whole.extend(named.into_iter().map(str::to_owned));
    }
    for text in tables {
        let pattern = Pattern::table(text)?;
        let candidates = || toc.entries.iter().filter(|e| is_relation(e) || e.desc == "SEQUENCE");
        let exact: Vec<&Entry> = candidates().filter(|e| pattern.is(&e.namespace, &e.tag)).collect();
        let found = match exact.is_empty() {
            false => exact,
            true => candidates().filter(|e| pattern.matches(&e.namespace, &e.tag)).collect(),
        };
        // A dump of data only has no definitions.
        let found = match found.is_empty() {
            false => found,
            true => toc
                .entries
                .iter()
                .filter(|e| e.desc == "TABLE DATA" && pattern.matches(&e.namespace, &e.tag))
                .collect(),
        };
        if found.is_empty() {
            let near = pattern::near(text, candidates().map(Entry::name));
            return Err(Error::NotInArchive { what: "table", name: text.clone(), near });
        }
        for entry in found {
            roots.push(entry.dump_id);
            roots.extend(partitions(graph, entry));
        }
    }
    Ok((roots, whole))
}

fn schema_names(toc: &Toc) -> impl Iterator<Item = &str> {
    let named = |entry: &'_ Entry| entry.desc == "SCHEMA";
    let own = toc.entries.iter().filter(move |entry| named(entry)).map(|entry| entry.tag.as_str());
    // `public` has no entry while nobody changed it.
    own.chain(toc.entries.iter().map(|entry| entry.namespace.as_str()).filter(|name| !name.is_empty()))
}

/// A partitioned table holds its rows in its partitions.
fn partitions(graph: &Graph, root: &Entry) -> Vec<i32> {
    let mut found = Vec::new();
    let mut waiting = vec![root.dump_id];
    let mut seen = HashSet::from([root.dump_id]);
    while let Some(parent) = waiting.pop() {
        for attach in graph.dependents(parent).iter().filter(|entry| entry.desc == "TABLE ATTACH") {
            let child = graph.dependencies(attach).find(|entry| is_attached(attach, entry));
            if let Some(child) = child
                && seen.insert(child.dump_id)
            {
                found.push(child.dump_id);
                waiting.push(child.dump_id);
            }
        }
    }
    found
}

/// Whether a TABLE ATTACH entry is the one of this partition.
fn is_attached(attach: &Entry, table: &Entry) -> bool {
    is_relation(table) && table.tag == attach.tag && table.namespace == attach.namespace
}

/// The roots with all that belongs to them and all that they need.
pub(super) fn close(
    graph: &Graph,
    roots: Vec<i32>,
    whole: &HashSet<String>,
    target: &TargetFacts,
    plan: &mut Plan,
) -> HashSet<i32> {
    let mut inside: HashSet<i32> = roots.iter().copied().collect();
    let mut waiting: VecDeque<i32> = roots.into();
    // What is only needed brings its remarks, not its data or triggers.
    let mut only_needed = HashSet::new();
    let mut expected = HashSet::new();
    while let Some(id) = waiting.pop_front() {
        let Some(entry) = graph.by_id.get(&id).copied() else { continue };
        for other in graph.dependents(id) {
            let comes = is_remark(other) || (!only_needed.contains(&id) && belongs(graph, other, entry));
            if comes && inside.insert(other.dump_id) {
                waiting.push_back(other.dump_id);
            }
        }
        for other in graph.dependencies(entry) {
            if inside.contains(&other.dump_id) || entry.desc == "FK CONSTRAINT" {
                continue;
            }
            let needed =
                || Needed { dump_id: other.dump_id, what: title(other), by: title(entry) };
            match need(graph, entry, other) {
                Need::None => {}
                Need::There if expected.insert(other.dump_id) => plan.expected.push(needed()),
                Need::There => {}
                Need::Definition => {
                    let key = (other.namespace.clone(), other.tag.clone());
                    if target.present.contains(&key) {
                        if expected.insert(other.dump_id) {
                            plan.left_out.push(LeftOut {
                                dump_id: other.dump_id,
                                what: title(other),
                                why: "it is already there".to_owned(),
                            });
                        }
                        continue;
                    }
                    inside.insert(other.dump_id);
                    only_needed.insert(other.dump_id);
                    if !whole.contains(&other.namespace) {
                        plan.needed.push(needed());
                    }
                    waiting.push_back(other.dump_id);
                }
            }
        }
    }
    plan.expected.retain(|needed| !inside.contains(&needed.dump_id));
    attachments(graph, &mut inside);
    inside
}

/// Whether `entry` is a part of `of`, so that whoever wants that wants this.
fn belongs(graph: &Graph, entry: &Entry, of: &Entry) -> bool {
    match entry.desc.as_str() {
        "TABLE DATA" | "ROW SECURITY" | "MATERIALIZED VIEW DATA" | "STATISTICS DATA" | "SEQUENCE SET"
        | "SEQUENCE OWNED BY" => entry.tag == of.tag && entry.namespace == of.namespace,
        "CONSTRAINT" | "CHECK CONSTRAINT" | "FK CONSTRAINT" | "TRIGGER" | "RULE" | "POLICY" | "DEFAULT" => {
            graph.table_of(entry).is_some_and(|table| table.dump_id == of.dump_id)
        }
        // A sequence depends on a table when a column owns it.
        "INDEX" | "STATISTICS" | "SEQUENCE" => is_relation(of),
        _ => false,
    }
}

enum Need {
    None,
    /// Made first, from the archive.
    Definition,
    /// Expected in the target: tables and views are not pulled in unasked.
    There,
}

/// What `entry` wants of `other`, on which it depends.
fn need(graph: &Graph, entry: &Entry, other: &Entry) -> Need {
    if is_remark(entry) || other.desc.ends_with(" ATTACH") {
        return Need::None;
    }
    if !is_relation(other) {
        return Need::Definition;
    }
    match entry.desc.as_str() {
        // A column's sequence that something else uses can do without the table.
        "SEQUENCE" | "SEQUENCE OWNED BY" => Need::None,
        "TABLE" | "FOREIGN TABLE" => {
            let attached = graph
                .dependents(other.dump_id)
                .iter()
                .any(|attach| attach.desc == "TABLE ATTACH" && is_attached(attach, entry));
            // A partition is a table of its own until it is attached; a child
            // cannot be made without its parent.
            if attached { Need::None } else { Need::Definition }
        }
        _ if graph.table_of(entry).is_some_and(|table| table.dump_id == other.dump_id) => Need::None,
        _ => Need::There,
    }
}

/// A partition or its index is attached when both sides are here; a sequence is
/// owned by a column when the column is here.
fn attachments(graph: &Graph, inside: &mut HashSet<i32>) {
    loop {
        let ready: Vec<i32> = graph
            .toc
            .entries
            .iter()
            .filter(|entry| entry.desc.ends_with(" ATTACH") && !inside.contains(&entry.dump_id))
            .filter(|entry| graph.dependencies(entry).all(|other| inside.contains(&other.dump_id)))
            .map(|entry| entry.dump_id)
            .collect();
        if ready.is_empty() {
            break;
        }
        inside.extend(ready);
    }
    let is_orphan = |entry: &&Entry| {
        entry.desc == "SEQUENCE OWNED BY" && {
            let sequence = graph.dependencies(entry).find(|other| other.desc == "SEQUENCE");
            sequence.is_some_and(|sequence| {
                graph
                    .dependencies(sequence)
                    .any(|table| is_relation(table) && !inside.contains(&table.dump_id))
            })
        }
    };
    let orphans: Vec<i32> = graph.toc.entries.iter().filter(is_orphan).map(|entry| entry.dump_id).collect();
    for id in orphans {
        inside.remove(&id);
    }
}
