//! What is to be copied, cut into jobs: the table of contents and what the server
//! says of its tables flow in; jobs in the order of the archive flow out, each of
//! about the same size, and the blocks that they belong to.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::super::relation::{LargeObject, Relation};
use super::super::toc::{Entry, Toc};

/// Bytes of large objects that one job reads; a larger one is a job of its own.
const OBJECTS: u64 = 16 * 1024 * 1024;
/// And how many of them.
const MOST_OBJECTS: usize = 1000;

/// One data block of the archive.
pub(super) struct Block {
    pub dump_id: i32,
    pub kind: Kind,
    pub jobs: usize,
}

pub(super) enum Kind {
    Table { oid: u32, schema: String, name: String },
    LargeObjects,
}

pub(super) enum Job {
    Rows {
        /// For messages.
        name: String,
        /// Qualified and quoted.
        table: String,
        copy: String,
    },
    Objects(Vec<LargeObject>),
}

pub(super) struct Plan {
    pub blocks: Vec<Block>,
    pub jobs: Vec<Job>,
    /// Of all tables and large objects, as they lie on the server's disk.
    pub bytes: u64,
}

/// Why an archive like this must be left to pg_dump alone.
pub(super) fn refusal(toc: &Toc) -> Option<String> {
    let unknown =
        toc.entries.iter().find(|entry| entry.has_data() && !(entry.is_copy() || entry.desc == "BLOBS"));
    if let Some(entry) = unknown {
        return Some(format!("its '{}' entry has data of an unknown kind", entry.desc));
    }
    let encoding = toc.encoding()?;
    // Such names are bytes that mean nothing, and a query is text. What is no text in
    // them was read as `\xe9`; a name that really reads so goes the slow way for nothing.
    let is_text = |name: &str| name.is_ascii() && !name.contains("\\x");
    let names = |entry: &Entry| !(is_text(&entry.copy) && is_text(&entry.tag) && is_text(&entry.namespace));
    if encoding == "SQL_ASCII" && toc.entries.iter().any(|entry| entry.is_copy() && names(entry)) {
        return Some("names in a database without an encoding are not ASCII".to_owned());
    }
    None
}

/// `large_objects` by the dump id of the `BLOBS` entry that they belong to.
pub(super) fn plan(
    toc: &Toc,
    relations: &HashMap<u32, Relation>,
    mut large_objects: BTreeMap<i32, Vec<LargeObject>>,
    ranges: bool,
) -> Result<Plan, String> {
    let encoding = toc.encoding().unwrap_or("UTF8");
    let mut plan = Plan { blocks: Vec::new(), jobs: Vec::new(), bytes: 0 };
    for entry in toc.entries.iter().filter(|entry| entry.has_data()) {
        let before = plan.jobs.len();
        let kind = if entry.is_copy() {
            let relation = relations
                .get(&entry.oid)
                .ok_or_else(|| format!("table {} was dropped or renamed meanwhile", entry.name()))?;
            plan.bytes += relation.bytes;
            let (name, table) = (entry.name(), &relation.name);
            let copies = relation.copies(entry, encoding, ranges).into_iter();
            plan.jobs.extend(copies.map(|copy| Job::Rows { name: name.clone(), table: table.clone(), copy }));
            Kind::Table { oid: entry.oid, schema: entry.namespace.clone(), name: entry.tag.clone() }
        } else {
            let objects = large_objects.remove(&entry.dump_id).unwrap_or_default();
            plan.bytes += objects.iter().map(|object| object.bytes).sum::<u64>();
            plan.jobs.extend(groups(objects));
            Kind::LargeObjects
        };
        plan.blocks.push(Block { dump_id: entry.dump_id, kind, jobs: plan.jobs.len() - before });
    }
    Ok(plan)
}

/// The large objects of each `BLOBS` entry: up to pg_dump 16 there is one such
/// entry, for all that have an entry of their own; since 17 each belongs to the
/// list that it depends on.
pub(super) fn listed_objects(toc: &Toc) -> BTreeMap<i32, Vec<u32>> {
    let index = toc.index();
    let mut lists = BTreeMap::new();
    for entry in toc.entries.iter().filter(|entry| entry.desc == "BLOBS") {
        let groups = entry.dependencies.iter().filter_map(|id| index.get(id));
        let mut oids: Vec<u32> = groups
            .filter(|group| group.desc == "BLOB METADATA")
            .flat_map(|group| group.definition.split_ascii_whitespace())
            .filter_map(|oid| oid.parse().ok())
            .collect();
        oids.extend(toc.entries.iter().filter(|entry| entry.desc == "BLOB").map(|entry| entry.oid));
        // As pg_dump does; the entries themselves lie in the order of their names.
        oids.sort_unstable();
        lists.insert(entry.dump_id, oids);
    }
    lists
}

/// Large objects in groups.
fn groups(objects: Vec<LargeObject>) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut left = VecDeque::from(objects);
    while !left.is_empty() {
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(object) = left.pop_front_if(|object| {
            group.is_empty() || (bytes + object.bytes <= OBJECTS && group.len() < MOST_OBJECTS)
        }) {
            bytes += object.bytes;
            group.push(object);
        }
        jobs.push(Job::Objects(group));
    }
    jobs
}
