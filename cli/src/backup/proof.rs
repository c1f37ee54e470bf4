//! What was true in the dump's snapshot, gathered before, during and after the
//! dump, and never guessed: what could not be seen in it makes it "unproven".

use std::collections::{BTreeMap, BTreeSet};

use backstop_policy::identifier;
use backstop_policy::manifest::{
    Content, Counted, Filters, Fingerprint, Proof, RootProof, SequenceProof, TableProof,
};

use super::{Error, Job};
use crate::archive::{Contents, RowKey, RowSum, Started, TableRows, Toc, Way};
use crate::postgres::snapshot::{Snapshot, Table};

/// Known before the dump starts.
pub struct Before {
    fingerprint: Fingerprint,
    /// `None` where the dump leaves large objects out.
    large_objects: Option<u64>,
    /// Every table whose rows a whole dump holds.
    tables: Vec<Table>,
}

pub async fn before(snapshot: &Snapshot, job: &Job) -> Result<Before, Error> {
    let mut fingerprint =
        if job.content == Content::Data { Fingerprint::default() } else { snapshot.fingerprint().await? };
    if job.content == Content::Schema {
        // Without rows, every materialized view is restored WITH NO DATA.
        fingerprint.kinds.remove("populated");
    }
    let filters = &job.filters;
    // pg_dump takes large objects along unless it was given a choice of tables.
    let all = filters.schemas.is_empty() && filters.tables.is_empty() && job.content != Content::Schema;
    let large_objects = if all { Some(snapshot.large_objects().await?) } else { None };
    Ok(Before { fingerprint, large_objects, tables: snapshot.tables().await? })
}

/// What the archive must hold by the snapshot's own catalogue, and does not even
/// name, one line each: an archive cannot vouch for its own table of contents.
pub fn missing(before: &Before, contents: &Contents, job: &Job) -> Vec<String> {
    if job.content == Content::Schema || !job.filters.exclude_table_data.is_empty() {
        return Vec::new();
    }
    let there: BTreeSet<u32> = contents.tables.iter().map(|table| table.oid).collect();
    let defined: BTreeSet<u32> =
        contents.toc.entries.iter().filter(|entry| entry.desc == "TABLE").map(|entry| entry.oid).collect();
    // Of a part, only pg_dump knows what the patterns match; but whatever table it
    // defines has rows too.
    let wanted = |table: &Table| job.filters.is_empty() || defined.contains(&table.oid);
    let mut missing: Vec<String> = before
        .tables
        .iter()
        .filter(|table| wanted(table) && !there.contains(&table.oid))
        .map(|table| format!("the rows of table {}.{} are not in the archive", table.schema, table.name))
        .collect();
    let (expected, found) = (before.fingerprint.count("sequence"), sequences(&contents.toc).len());
    if job.filters.is_empty() && found < expected {
        missing.push(format!("the positions of {found} of {expected} sequences are in the archive"));
    }
    missing
}

/// What the server says while `pg_dump` is at work.
#[derive(Default)]
pub struct Meanwhile {
    /// Rows by the table's oid.
    counts: BTreeMap<u32, u64>,
    /// The partitioned table at the top of a partition.
    roots: BTreeMap<u32, String>,
    /// Truncated or rewritten since the snapshot.
    rewritten: BTreeSet<u32>,
}

/// Ask beside a dump: first whether others changed something between the
/// snapshot and the dump's locks, then, where `pg_dump` copies the rows, for their
/// counts. Our own connections count what they copy, in the same snapshot.
pub async fn meanwhile(snapshot: &Snapshot, before: &Before, started: &Started) -> Result<Meanwhile, Error> {
    let mut seen = Meanwhile::default();
    if snapshot.id().is_none() {
        return Ok(seen);
    }
    let tables = &started.tables;
    seen.rewritten = snapshot.rewritten(tables).await?;
    let changed = snapshot.changed_since(&before.fingerprint).await?;
    if !changed.is_empty() {
        return Err(Error::Disturbed { database: snapshot.target().database().to_owned(), changed });
    }
    seen.roots = snapshot.roots(tables).await?;
    if let Way::Parallel { .. } = started.way {
        return Ok(seen);
    }
    for batch in tables.chunks(200) {
        for (table, rows) in batch.iter().zip(snapshot.count(batch).await?) {
            seen.counts.extend(rows.map(|rows| (table.oid, rows)));
        }
    }
    Ok(seen)
}

/// Tables that look empty in the dump and were truncated or rewritten since the
/// snapshot, one line each: had they rows before `pg_dump` locked them? Nobody
/// can say any more.
pub fn emptied(seen: &Meanwhile, contents: &Contents) -> Vec<String> {
    let doubtful =
        contents.tables.iter().filter(|table| table.rows == Some(0) && seen.rewritten.contains(&table.oid));
    doubtful.map(|table| format!("table {}.{}", table.schema, table.name)).collect()
}

/// Put together what the snapshot said and what the archive holds.
pub fn after(
    snapshot: &Snapshot,
    before: Before,
    seen: &Meanwhile,
    contents: &Contents,
    filters: &Filters,
) -> Proof {
    if let Some(reason) = snapshot.not_shared() {
        return Proof::Unproven {
            reason: format!("the snapshot could not be shared with pg_dump: {reason}"),
        };
    }
    let key = contents.toc.row_key();
    let digest = |sum: RowSum| key.as_ref().map(|key| sum.digest(key));
    let tables = contents
        .tables
        .iter()
        .map(|table| {
            let (rows, counted) = match (seen.counts.get(&table.oid), table.sum) {
                (Some(rows), _) => (*rows, Counted::Snapshot),
                (None, Some(sum)) => (sum.rows, Counted::Snapshot),
                // It could not be counted: the archive's own count stands.
                (None, None) => (table.rows.unwrap_or_default(), Counted::Archive),
            };
            let root = seen.roots.get(&table.oid).cloned();
            let digest = if root.is_none() { table.sum.and_then(digest) } else { None };
            TableProof { schema: table.schema.clone(), name: table.name.clone(), root, rows, counted, digest }
        })
        .collect();
    let fingerprint =
        if filters.is_empty() { before.fingerprint } else { dumped_part(before.fingerprint, &contents.toc) };
    Proof::Snapshot {
        tables,
        sequences: sequences(&contents.toc),
        large_objects: before.large_objects.unwrap_or(contents.large_objects),
        large_object_bytes: Some(contents.large_object_bytes),
        roots: key.as_ref().map(|key| roots(seen, contents, key)).unwrap_or_default(),
        fingerprint,
    }
}

/// The rows of partitions, added up at their partitioned table: a restore may put
/// a row into another one. Where those have their columns in another order, the
/// same row reads differently, and only the count remains.
fn roots(seen: &Meanwhile, contents: &Contents, key: &RowKey) -> Vec<RootProof> {
    let index = contents.toc.index();
    let columns = |table: &TableRows| index.get(&table.dump_id).map(|entry| entry.columns());
    let mut partitions: BTreeMap<&String, Vec<&TableRows>> = BTreeMap::new();
    for table in &contents.tables {
        if let Some(root) = seen.roots.get(&table.oid) {
            partitions.entry(root).or_default().push(table);
        }
    }
    let mut proofs = Vec::new();
    for (name, tables) in partitions {
        let first = tables.first().and_then(|table| columns(table));
        let alike = tables.iter().all(|table| columns(table) == first);
        let mut sum = RowSum::default();
        let summed = tables.iter().all(|table| table.sum.inspect(|part| sum.add(*part)).is_some());
        if alike && summed {
            proofs.push(RootProof { name: name.clone(), rows: sum.rows, digest: sum.digest(key) });
        }
    }
    proofs
}

/// Sequence positions as the archive sets them. A sequence stands outside every
/// snapshot, so that what the archive holds is the only position there is.
fn sequences(toc: &Toc) -> Vec<SequenceProof> {
    toc.entries
        .iter()
        .filter_map(|entry| {
            let (last_value, is_called) = entry.position()?;
            Some(SequenceProof {
                schema: entry.namespace.clone(),
                name: entry.tag.clone(),
                last_value,
                is_called,
            })
        })
        .collect()
}

/// The part of a fingerprint that a filtered dump holds: what belongs to the
/// objects in its table of contents.
fn dumped_part(mut fingerprint: Fingerprint, toc: &Toc) -> Fingerprint {
    let entries: BTreeSet<(&str, &str, &str)> =
        toc.entries.iter().map(|entry| (&*entry.desc, &*entry.namespace, &*entry.tag)).collect();
    let inherited: BTreeSet<(&str, &str)> = toc
        .entries
        .iter()
        .filter(|entry| entry.desc == "TABLE" && entry.definition.contains("\nINHERITS ("))
        .map(|entry| (&*entry.namespace, &*entry.tag))
        .collect();
    let mut named: BTreeSet<(&str, &str)> = entries.iter().map(|(_, schema, tag)| (*schema, *tag)).collect();
    // A constraint's tag is `table name`, and its index bears the name.
    let constraints = entries.iter().filter(|(desc, ..)| *desc == "CONSTRAINT");
    named.extend(constraints.filter_map(|(_, schema, tag)| Some((*schema, tag.rsplit(' ').next()?))));
    // A partition without its parent is restored as a table of its own.
    let children: BTreeSet<String> =
        fingerprint.kinds.get("inherits").into_iter().flatten().map(|(child, _)| child.clone()).collect();
    let alone = |schema: &str, table: &str| {
        !entries.contains(&("TABLE ATTACH", schema, table)) && !inherited.contains(&(schema, table))
    };
    fingerprint.kinds.retain(|kind, objects| {
        objects.retain(|object, _| match (kind.as_str(), identifier::split(object).as_slice()) {
            ("schema", [name]) => entries.contains(&("SCHEMA", "", name)),
            ("extension", [name]) => entries.contains(&("EXTENSION", "", name)),
            ("populated", [schema, view]) => entries.contains(&("MATERIALIZED VIEW DATA", schema, view)),
            ("inherits", [schema, table]) => {
                named.contains(&(schema.as_str(), table.as_str())) && !alone(schema, table)
            }
            ("table", [schema, table]) => {
                named.contains(&(schema.as_str(), table.as_str()))
                    && !(children.contains(object) && alone(schema, table))
            }
            // A routine's arguments may be types of any schema.
            (_, [schema, ..]) if object.ends_with(')') => {
                let (_, rest) = object.split_once('.').unwrap_or_default();
                named.contains(&(schema.as_str(), rest))
            }
            (_, [schema, relation] | [schema, relation, _]) => {
                named.contains(&(schema.as_str(), relation.as_str()))
            }
            _ => false,
        });
        !objects.is_empty()
    });
    fingerprint
}
