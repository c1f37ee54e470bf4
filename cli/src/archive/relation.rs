//! The tables of an archive as they lie on a server: which they are, how large, and
//! the statements that copy their rows, whole or in parts of about the same size.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use backstop_policy::identifier::{literal, quote};

use super::toc::Entry;
use crate::postgres::Error;
use crate::postgres::lane::Lane;
use crate::postgres::snapshot::CONDITION;

/// Bytes of a table, as it lies on the server's disk, that one statement copies.
const PART: u64 = 16 * 1024 * 1024;
/// Statements for one table: its parts grow with it from there on.
const MOST_PARTS: u64 = 8192;
/// Tables that are asked for in one statement.
const BATCH: usize = 200;
/// Large objects that are opened in one statement.
const OBJECTS: usize = 1000;

/// A table on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relation {
    /// Qualified and quoted by the server.
    pub name: String,
    /// Whether it is an ordinary table whose rows lie in a heap.
    pub heap: bool,
    /// Of an extension's configuration table: which rows are dumped.
    pub condition: String,
    /// Of the heap.
    pub pages: u64,
    /// Of everything but its indexes.
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LargeObject {
    pub oid: u32,
    pub bytes: u64,
}

/// Look tables up by their OIDs and lock them, without waiting: somebody who waits
/// to change one stands before us, and waits for `pg_dump`, which waits for us. One
/// that was dropped, or has another name when it is locked, is left out.
pub(super) async fn locked(lane: &mut Lane, oids: &[u32]) -> Result<HashMap<u32, Relation>, Error> {
    let mut relations = HashMap::with_capacity(oids.len());
    for batch in oids.chunks(BATCH) {
        let list = batch.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let of = format!("unnest('{{{list}}}'::oid[])");
        let found =
            lane.query("look the tables up", &format!("SELECT o, o::regclass FROM {of} AS o")).await?;
        // A number for a name means that there is no such table any more.
        let found: HashMap<u32, String> = found
            .iter()
            .map(|row| (text(row, 0), text(row, 1)))
            .filter(|(oid, name)| oid != name)
            .filter_map(|(oid, name)| Some((oid.parse().ok()?, name)))
            .collect();
        if found.is_empty() {
            continue;
        }
        let names = found.values().map(|name| format!("ONLY {name}")).collect::<Vec<_>>().join(", ");
        lane.execute("lock the tables", &format!("LOCK TABLE {names} IN ACCESS SHARE MODE NOWAIT")).await?;
        // To measure a table takes a lock too; ours is there by now.
        let mut facts = facts(lane, &of).await?;
        facts.retain(|oid, relation| found.get(oid) == Some(&relation.name));
        relations.extend(facts);
    }
    Ok(relations)
}

/// Look the tables of entries up by their names; by dump id. One that is not there
/// is left out.
pub(super) async fn named(lane: &mut Lane, entries: &[&Entry]) -> Result<HashMap<i32, Relation>, Error> {
    let mut relations = HashMap::with_capacity(entries.len());
    for batch in entries.chunks(BATCH) {
        let name = |entry: &&Entry| literal(&format!("{}.{}", quote(&entry.namespace), quote(&entry.tag)));
        let list = batch.iter().map(name).collect::<Vec<_>>().join(",");
        let found = lane
            .query(
                "look the tables up",
                &format!(
                    "SELECT u.n - 1, to_regclass(u.name)::oid FROM unnest(ARRAY[{list}]) WITH ORDINALITY \
                     AS u(name, n) WHERE to_regclass(u.name) IS NOT NULL"
                ),
            )
            .await?;
        let oids = found.iter().map(|row| text(row, 1)).collect::<Vec<_>>().join(",");
        let mut facts = facts(lane, &format!("unnest('{{{oids}}}'::oid[])")).await?;
        for row in &found {
            let entry = usize::try_from(number(row, 0)).ok().and_then(|n| batch.get(n));
            let relation = u32::try_from(number(row, 1)).ok().and_then(|oid| facts.remove(&oid));
            if let (Some(entry), Some(relation)) = (entry, relation) {
                relations.insert(entry.dump_id, relation);
            }
        }
    }
    Ok(relations)
}

/// By OID; `of` is a set of them.
async fn facts(lane: &mut Lane, of: &str) -> Result<HashMap<u32, Relation>, Error> {
    let rows = lane
        .query(
            "measure the tables",
            &format!(
                "SELECT t.oid, t.oid::regclass, c.relkind = 'r' AND m.amname = 'heap', {CONDITION}, \
                 pg_relation_size(t.oid) / current_setting('block_size')::int8, pg_table_size(t.oid) \
                 FROM {of} AS t(oid) JOIN pg_class c ON c.oid = t.oid LEFT JOIN pg_am m ON m.oid = c.relam"
            ),
        )
        .await?;
    let fact = |row: &Vec<Option<Vec<u8>>>| {
        let relation = Relation {
            name: text(row, 1),
            heap: text(row, 2) == "t",
            condition: text(row, 3),
            pages: number(row, 4),
            bytes: number(row, 5),
        };
        (u32::try_from(number(row, 0)).unwrap_or_default(), relation)
    };
    Ok(rows.iter().map(fact).collect())
}

/// How long large objects are. Each is opened, asked for its end, and closed.
pub(super) async fn measured(
    lane: &mut Lane,
    lists: BTreeMap<i32, Vec<u32>>,
) -> Result<BTreeMap<i32, Vec<LargeObject>>, Error> {
    const READ: u32 = 0x4_0000;
    let mut measured = BTreeMap::new();
    for (dump_id, oids) in lists {
        let objects: &mut Vec<LargeObject> = measured.entry(dump_id).or_default();
        for batch in oids.chunks(OBJECTS) {
            let list = batch.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
            let rows = lane
                .query(
                    "measure the large objects",
                    &format!(
                        "SELECT o.oid, lo_lseek64(o.fd, 0, 2), lo_close(o.fd) FROM \
                         (SELECT l.oid, lo_open(l.oid, {READ}) AS fd \
                          FROM unnest('{{{list}}}'::oid[]) WITH ORDINALITY AS l(oid, n) OFFSET 0) AS o"
                    ),
                )
                .await?;
            objects.extend(rows.iter().map(|row| LargeObject {
                oid: u32::try_from(number(row, 0)).unwrap_or_default(),
                bytes: number(row, 1),
            }));
        }
    }
    Ok(measured)
}

fn text(row: &[Option<Vec<u8>>], column: usize) -> String {
    let value = row.get(column).and_then(Option::as_deref).unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}

fn number(row: &[Option<Vec<u8>>], column: usize) -> u64 {
    text(row, column).parse().unwrap_or_default()
}

impl Relation {
    /// The statements that copy the rows that an entry stands for. `ranges` says
    /// whether the server reads a range of pages without reading all of them.
    pub(super) fn copies(&self, entry: &Entry, encoding: &str, ranges: bool) -> Vec<String> {
        let Self { name, condition, pages, bytes, heap } = self;
        let columns = entry.columns().iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ");
        let options = format!("TO STDOUT WITH (ENCODING {})", literal(encoding));
        // Rows that lie apart from a small heap (TOAST) count too.
        let wanted = bytes.div_ceil(PART).clamp(1, MOST_PARTS).min((*pages).max(1));
        if columns.is_empty() {
            return vec![format!("COPY {name} {options}")];
        }
        if !condition.is_empty() {
            return vec![format!("COPY (SELECT {columns} FROM ONLY {name} {condition}) {options}")];
        }
        if !ranges || !heap || wanted == 1 {
            return vec![format!("COPY {name} ({columns}) {options}")];
        }
        let step = pages.div_ceil(wanted);
        let count = pages.div_ceil(step);
        let part = |part: u64| {
            let Range { start, end } = part * step..(part + 1) * step;
            // The last is open: rows that are older than they seem may lie behind it.
            let until = if part + 1 == count { String::new() } else { format!(" AND ctid < '({end},0)'") };
            format!("COPY (SELECT {columns} FROM ONLY {name} WHERE ctid >= '({start},0)'{until}) {options}")
        };
        (0..count).map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::fixtures::ZOO_15_NONE;
    use crate::archive::toc::read_toc;
    use proptest::prelude::*;

    fn relation(pages: u64, bytes: u64) -> Relation {
        Relation { name: "public.\"T\"".to_owned(), heap: true, condition: String::new(), pages, bytes }
    }

    /// Of a table with these columns.
    fn entry(columns: &str) -> Entry {
        let (toc, _) = read_toc(&mut &ZOO_15_NONE[..]).unwrap();
        let mut entry = toc.entries.into_iter().find(Entry::is_copy).unwrap();
        entry.copy = format!("COPY public.\"T\" {columns} FROM stdin;\n");
        entry
    }

    /// First and last page of each part; the last has no end.
    fn parts(copies: &[String]) -> Vec<(u64, Option<u64>)> {
        let page = |text: &str| text.split_once(",0)'").unwrap().0.parse().unwrap();
        let part = |copy: &String| {
            let (_, from) = copy.split_once("ctid >= '(").unwrap();
            (page(from), from.split_once("ctid < '(").map(|(_, until)| page(until)))
        };
        copies.iter().map(part).collect()
    }

    proptest! {
        #[test]
        fn the_parts_of_a_table_hold_every_page_once(
            pages in 0u64..3_000_000_000,
            apart in prop_oneof![Just(0), 0u64..1 << 20, 0u64..1 << 44],
        ) {
            let copies = relation(pages, pages * 8192 + apart).copies(&entry("(a, b)"), "UTF8", true);
            prop_assert!(copies.len() as u64 <= MOST_PARTS.max(1));
            prop_assert!(copies.len() as u64 <= pages.max(1));
            if copies.len() == 1 {
                prop_assert!(!copies[0].contains("ctid"));
                return Ok(());
            }
            let mut at = 0;
            let parts = parts(&copies);
            for (from, until) in &parts[..parts.len() - 1] {
                prop_assert_eq!(*from, at);
                at = until.unwrap();
                prop_assert!(at > *from);
            }
            prop_assert_eq!(parts[parts.len() - 1], (at, None));
            prop_assert!(at < pages, "the last part is not empty");
        }
    }

    #[test]
    fn what_is_copied_whole_and_what_in_parts() {
        let (small, large) = (relation(2048, PART), relation(5000, 3 * PART));
        let two = entry("(a, \"b c\"\"d\")");
        let mut said = Vec::new();
        said.extend(small.copies(&two, "UTF8", true));
        said.extend(large.copies(&two, "UTF8", true));
        // Before PostgreSQL 14 a part would be read by reading all of it.
        said.extend(large.copies(&two, "LATIN1", false));
        said.extend(Relation { heap: false, ..large.clone() }.copies(&two, "UTF8", true));
        said.extend(large.copies(&entry(""), "UTF8", true));
        let condition = "WHERE NOT builtin".to_owned();
        said.extend(Relation { condition, ..large }.copies(&two, "UTF8", true));
        insta::assert_snapshot!(said.join("\n"), @r#"
        COPY public."T" ("a", "b c""d") TO STDOUT WITH (ENCODING 'UTF8')
        COPY (SELECT "a", "b c""d" FROM ONLY public."T" WHERE ctid >= '(0,0)' AND ctid < '(1667,0)') TO STDOUT WITH (ENCODING 'UTF8')
        COPY (SELECT "a", "b c""d" FROM ONLY public."T" WHERE ctid >= '(1667,0)' AND ctid < '(3334,0)') TO STDOUT WITH (ENCODING 'UTF8')
        COPY (SELECT "a", "b c""d" FROM ONLY public."T" WHERE ctid >= '(3334,0)') TO STDOUT WITH (ENCODING 'UTF8')
        COPY public."T" ("a", "b c""d") TO STDOUT WITH (ENCODING 'LATIN1')
        COPY public."T" ("a", "b c""d") TO STDOUT WITH (ENCODING 'UTF8')
        COPY public."T" TO STDOUT WITH (ENCODING 'UTF8')
        COPY (SELECT "a", "b c""d" FROM ONLY public."T" WHERE NOT builtin) TO STDOUT WITH (ENCODING 'UTF8')
        "#);
    }
}
