//! A choice of tables and schemas, made whole: what belongs to a chosen table
//! comes along, what its definition needs comes along too, and what is left
//! outside on purpose is said.

use std::collections::{HashSet, VecDeque};

use super::pattern::{self, Pattern};
use super::{Graph, LeftOut, Needed, Plan, TargetFacts, is_relation, is_remark, title};
use crate::archive::Error;
use crate::archive::toc::{Entry, Toc};

/// What the patterns name.
#[derive(Default)]
pub(super) struct Roots {
    chosen: Vec<i32>,
    /// Partitioned tables through which a chosen partition's rows are loaded, with
    /// all their partitions: their definitions, not their rows.
    loaded_through: Vec<(i32, String)>,
    /// Schemas that are taken whole.
    schemas: HashSet<String>,
}

pub(super) fn roots(toc: &Toc, graph: &Graph, schemas: &[String], tables: &[String]) -> Result<Roots, Error> {
    let mut roots = Roots::default();
    for text in schemas {
        let mut named: HashSet<&str> = schema_names(toc).filter(|name| name == text).collect();
        if named.is_empty() {
            let pattern = Pattern::schema(text)?;
            named = schema_names(toc).filter(|name| pattern.matches_schema(name)).collect();
        }
        if named.is_empty() {
            let near = pattern::near(text, schema_names(toc).map(str::to_owned));
            return Err(Error::NotInArchive { what: "schema", name: text.clone(), near });
        }
        for entry in &toc.entries {
            let itself = entry.desc == "SCHEMA" && named.contains(entry.tag.as_str());
            // What belongs to a publication is chosen with it, not with the table.
            let within = named.contains(entry.namespace.as_str()) && !entry.desc.starts_with("PUBLICATION");
            if itself || within {
                roots.chosen.push(entry.dump_id);
            }
        }
        roots.schemas.extend(named.into_iter().map(str::to_owned));
    }
    for text in tables {
        for entry in named_tables(toc, text)? {
            roots.chosen.push(entry.dump_id);
            roots.chosen.extend(partitions(graph, entry));
            if let Some(top) = loaded_through(graph, entry) {
                let all = std::iter::once(top.dump_id).chain(partitions(graph, top));
                roots.loaded_through.extend(all.map(|id| (id, title(entry))));
            }
        }
    }
    Ok(roots)
}

/// Tables, views and sequences of that name: as it is written, or as SQL reads it.
fn named_tables<'a>(toc: &'a Toc, text: &str) -> Result<Vec<&'a Entry>, Error> {
    let candidates = || toc.entries.iter().filter(|entry| is_relation(entry) || entry.desc == "SEQUENCE");
    let exact: Vec<&Entry> =
        candidates().filter(|entry| *text == entry.tag || *text == entry.name()).collect();
    if !exact.is_empty() {
        return Ok(exact);
    }
    let pattern = Pattern::table(text)?;
    let matching = |entry: &&Entry| pattern.matches(&entry.namespace, &entry.tag);
    let found: Vec<&Entry> = candidates().filter(matching).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    // A dump of data only has no definitions.
    let data = |entry: &&Entry| entry.desc == "TABLE DATA" && (*text == entry.name() || matching(entry));
    let found: Vec<&Entry> = toc.entries.iter().filter(data).collect();
    if found.is_empty() {
        let near = pattern::near(text, candidates().map(Entry::name));
        return Err(Error::NotInArchive { what: "table", name: text.to_owned(), near });
    }
    Ok(found)
}

/// The top of a partitioned table whose name the partition's COPY bears: rows of
/// hash partitions over an enum are routed anew, since its OIDs change.
fn loaded_through<'a>(graph: &Graph<'a>, partition: &'a Entry) -> Option<&'a Entry> {
    let marked = |entry: &&&Entry| {
        entry.desc == "TABLE DATA" && entry.definition.starts_with("-- load via partition root")
    };
    graph.dependents(partition.dump_id).iter().find(marked)?;
    let mut top = partition;
    // Bounded: a hostile archive may hold a circle.
    for _ in 0..graph.toc.entries.len() {
        let attach = graph
            .dependents(top.dump_id)
            .iter()
            .find(|attach| attach.desc == "TABLE ATTACH" && is_attached(attach, top));
        let parent = attach.and_then(|attach| {
            graph.dependencies(attach).find(|entry| is_relation(entry) && entry.dump_id != top.dump_id)
        });
        match parent {
            Some(parent) => top = parent,
            None => break,
        }
    }
    Some(top)
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
pub(super) fn close(graph: &Graph, roots: Roots, target: &TargetFacts, plan: &mut Plan) -> HashSet<i32> {
    let whole = roots.schemas;
    let mut inside: HashSet<i32> = roots.chosen.iter().copied().collect();
    let mut waiting: VecDeque<i32> = roots.chosen.into();
    // What is only needed brings its remarks, not its data or triggers.
    let mut only_needed = HashSet::new();
    for (id, by) in roots.loaded_through {
        if inside.insert(id) {
            only_needed.insert(id);
            waiting.push_back(id);
            plan.needed.extend(graph.by_id.get(&id).map(|entry| Needed {
                dump_id: id,
                what: title(entry),
                by,
            }));
        }
    }
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
            let needed = || Needed { dump_id: other.dump_id, what: title(other), by: title(entry) };
            match need(graph, entry, other) {
                Need::None => {}
                Need::There => {
                    if expected.insert(other.dump_id) {
                        plan.expected.push(needed());
                    }
                }
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
        "TABLE DATA"
        | "ROW SECURITY"
        | "MATERIALIZED VIEW DATA"
        | "STATISTICS DATA"
        | "SEQUENCE SET"
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
    // Indexes and constraints belong to their tables; a partition's depend on
    // those of its parent only to be attached.
    let of_a_table =
        matches!(other.desc.as_str(), "INDEX" | "CONSTRAINT" | "CHECK CONSTRAINT" | "TRIGGER" | "RULE");
    if is_remark(entry) || of_a_table || other.desc.ends_with(" ATTACH") {
        return Need::None;
    }
    if !is_relation(other) {
        return Need::Definition;
    }
    match entry.desc.as_str() {
        // A column's sequence that something else uses can do without the table.
        // An identity column's is made by altering the table.
        "SEQUENCE" if entry.definition.starts_with("ALTER TABLE") => Need::There,
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
