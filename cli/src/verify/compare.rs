//! Hold a restored database against what was true in the dump's snapshot: row
//! counts, sequence positions, large objects, and the catalogue.

use std::collections::{BTreeMap, BTreeSet};

use backstop_policy::identifier;
use backstop_policy::manifest::{Change, Manifest, Proof, RootProof, SequenceProof, TableProof};

use super::left_out::LeftOut;
use crate::archive::{self, Plan, RowSum, Sum, Toc, add_part, sums};
use crate::postgres::fingerprint;
use crate::postgres::snapshot::Snapshot;
use crate::postgres::target::Target;

/// What the comparison found.
#[derive(Debug, Default)]
pub struct Compared {
    /// Whatever is not as it was, one line each.
    pub failures: Vec<String>,
    /// What is missing because the target could not take it.
    pub partial: Vec<String>,
    /// Tables and rows that were found equal.
    pub tables: usize,
    pub rows: u64,
    /// Tables among them of which every row was compared, and not only the number.
    pub digests: usize,
}

/// How far rows are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth<'a> {
    /// Their number.
    Counts {
        /// As the server said when it took them, by the dump id of their entry. The others
        /// are counted.
        taken: &'a BTreeMap<i32, u64>,
    },
    /// Every row, by its digest: all of them are read again.
    Rows {
        /// Connections that read them.
        jobs: usize,
    },
}

/// Compare a freshly restored database. `left_out` are the entries that the
/// restore left out on purpose.
pub async fn compare(
    target: &Target,
    manifest: &Manifest,
    toc: &Toc,
    plan: &Plan,
    depth: Depth<'_>,
) -> Result<Compared, archive::Error> {
    let Proof::Snapshot { tables, sequences, large_objects, roots, fingerprint, .. } = &manifest.proof else {
        return Ok(Compared::default());
    };
    let mut compared = Compared::default();
    // Names of an SQL_ASCII database may be any bytes, which the protocol's UTF-8
    // cannot say. Whether the object is there at all, the fingerprint tells.
    let unspeakable = |name: &str| manifest.source.encoding == "SQL_ASCII" && name.contains("\\x");
    let gone = LeftOut::new(toc, plan);
    let snapshot = Snapshot::open(target).await?;

    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for table in tables.iter().filter(|table| !gone.relation(&table.schema, &table.name)) {
        *expected.entry(place(table)).or_default() += table.rows;
    }
    // A table that the fingerprint names has a line of its own below.
    let defined: BTreeSet<Vec<String>> = fingerprint
        .kinds
        .get("table")
        .into_iter()
        .flatten()
        .map(|(name, _)| identifier::split(name))
        .collect();
    for table in tables.iter().filter(|table| gone.relation(&table.schema, &table.name)) {
        if !defined.contains([table.schema.clone(), table.name.clone()].as_slice()) {
            compared.partial.push(format!("{} rows of {}.{}", table.rows, table.schema, table.name));
        }
    }
    let mut found = match depth {
        Depth::Counts { taken } => rows_taken(tables, toc, taken),
        Depth::Rows { .. } => BTreeMap::new(),
    };
    let rest = expected.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
    found.extend(snapshot.rows_of(rest).await?);
    let digests = match depth {
        Depth::Counts { .. } => Digests::default(),
        Depth::Rows { jobs } => Digests::of(&snapshot, toc, tables, roots, jobs).await?,
    };
    for (name, rows) in &expected {
        match found.get(name) {
            None if unspeakable(name) => {
                compared.partial.push(format!("table {name} (its name is no UTF-8, so it was not counted)"));
            }
            None => compared.failures.push(format!("table {name} is missing")),
            Some(there) if there != rows => {
                compared
                    .failures
                    .push(format!("table {name} has {there} rows, but {rows} were in the snapshot"));
            }
            Some(_) => match digests.0.get(name) {
                Some(Digest::Differs { expected, found }) => compared.failures.push(format!(
                    "table {name} has {rows} rows as in the snapshot, but not the same ones \
                     (digest {found}, in the snapshot {expected})"
                )),
                Some(Digest::Unread(why)) => {
                    compared.failures.push(format!("the rows of table {name} cannot be compared: {why}"));
                }
                digest => {
                    compared.tables += 1;
                    compared.rows += rows;
                    compared.digests += usize::from(digest.is_some());
                }
            },
        }
    }

    let expected: Vec<(String, &SequenceProof)> = sequences
        .iter()
        .filter(|sequence| !gone.relation(&sequence.schema, &sequence.name))
        .map(|sequence| (qualified(&sequence.schema, &sequence.name), sequence))
        .collect();
    let names: Vec<String> = expected.iter().map(|(name, _)| name.clone()).collect();
    let found = snapshot.positions_of(&names).await?;
    for (name, sequence) in &expected {
        match found.get(name).copied() {
            None if unspeakable(name) => {
                compared.partial.push(format!("sequence {name} (its name is no UTF-8, so it was not read)"));
            }
            None => compared.failures.push(format!("sequence {name} is missing")),
            Some(there) if there != (sequence.last_value, sequence.is_called) => {
                let stands = |(value, called): (i64, bool)| {
                    format!("{value}{}", if called { "" } else { ", which it has yet to give out" })
                };
                compared.failures.push(format!(
                    "sequence {name} stands at {}; in the archive it stands at {}",
                    stands(there),
                    stands((sequence.last_value, sequence.is_called))
                ));
            }
            Some(_) => {}
        }
    }

    let there = snapshot.large_objects().await?;
    if there != *large_objects && !gone.large_objects() && concerns_large_objects(toc, plan, *large_objects) {
        compared.failures.push(format!("{there} large objects, but {large_objects} were in the snapshot"));
    }

    let same_major = snapshot.server_major() == manifest.source.server_version_num / 10_000;
    let now = fingerprint::read(snapshot.client(), snapshot.server_major()).await?;
    for difference in fingerprint.differences(&now, same_major, &[]) {
        // What the target's own template brought along is no loss.
        if difference.change == Change::Added {
            continue;
        }
        if gone.explains(&difference) {
            compared.partial.push(format!("{} {}", difference.kind, difference.object));
        } else {
            compared.failures.push(difference.to_string());
        }
    }
    Ok(compared)
}

fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", identifier::quote(schema), identifier::quote(name))
}

/// Where the rows of a table are compared: at its root, or at itself.
fn place(table: &TableProof) -> String {
    table.root.clone().unwrap_or_else(|| qualified(&table.schema, &table.name))
}

/// Rows by their place, where all that belong there are known.
fn rows_taken(tables: &[TableProof], toc: &Toc, taken: &BTreeMap<i32, u64>) -> BTreeMap<String, u64> {
    let entries: BTreeMap<(&str, &str), i32> = toc
        .entries
        .iter()
        .filter(|entry| entry.desc == "TABLE DATA")
        .map(|entry| ((entry.namespace.as_str(), entry.tag.as_str()), entry.dump_id))
        .collect();
    let mut places: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for table in tables {
        let entry = entries.get(&(table.schema.as_str(), table.name.as_str()));
        let rows = entry.and_then(|entry| taken.get(entry));
        let sum = places.entry(place(table)).or_insert(Some(0));
        *sum = sum.zip(rows).map(|(sum, rows)| sum + rows);
    }
    places.into_iter().filter_map(|(place, rows)| Some((place, rows?))).collect()
}

/// What a table's rows add up to beside what they did in the snapshot.
enum Digest {
    Equal,
    Differs { expected: String, found: String },
    Unread(String),
}

/// By the names of tables and of partitioned tables.
#[derive(Default)]
struct Digests(BTreeMap<String, Digest>);

impl Digests {
    async fn of(
        snapshot: &Snapshot,
        toc: &Toc,
        tables: &[TableProof],
        roots: &[RootProof],
        jobs: usize,
    ) -> Result<Self, archive::Error> {
        let Some(key) = toc.row_key() else { return Ok(Self::default()) };
        let mut expected: BTreeMap<String, &str> =
            roots.iter().map(|root| (root.name.clone(), root.digest.as_str())).collect();
        let mut places: BTreeMap<String, String> = BTreeMap::new();
        for table in tables {
            let own = qualified(&table.schema, &table.name);
            let place = place(table);
            if let Some(digest) = &table.digest {
                expected.insert(place.clone(), digest);
            }
            if expected.contains_key(&place) {
                places.insert(own, place);
            }
        }
        let wanted = |entry: &archive::Entry| places.contains_key(&qualified(&entry.namespace, &entry.tag));
        let Some(found) = sums(snapshot, toc, wanted, &key, jobs).await? else { return Ok(Self::default()) };
        let mut added: BTreeMap<&String, Sum> = BTreeMap::new();
        let index = toc.index();
        for (dump_id, part) in found {
            let own = index.get(&dump_id).map(|entry| qualified(&entry.namespace, &entry.tag));
            if let Some(place) = own.and_then(|own| places.get(&own)) {
                add_part(added.entry(place).or_insert_with(|| Ok(RowSum::default())), part);
            }
        }
        let digest = |(name, sum): (&String, Sum)| {
            let expected = *expected.get(name)?;
            let digest = match sum.map(|sum| sum.digest(&key)) {
                Ok(found) if found == expected => Digest::Equal,
                Ok(found) => Digest::Differs { expected: expected.to_owned(), found },
                Err(why) => Digest::Unread(why),
            };
            Some((name.clone(), digest))
        };
        Ok(Self(added.into_iter().filter_map(digest).collect()))
    }
}

/// Whether large objects were to be restored: a choice of tables leaves those of
/// the target alone.
fn concerns_large_objects(toc: &Toc, plan: &Plan, expected: u64) -> bool {
    let mut entries = toc.entries.iter().filter(|entry| entry.desc == "BLOBS").peekable();
    if entries.peek().is_none() {
        expected > 0
    } else {
        entries.any(|entry| plan.entries.contains(&entry.dump_id))
    }
}

#[cfg(test)]
mod tests {
    use backstop_policy::manifest::Counted;

    use super::*;
    use crate::archive::fixtures;

    #[test]
    fn rows_are_known_where_all_that_belong_to_a_place_were_taken() {
        let (toc, _) = fixtures::toc(fixtures::ZOO_18_NONE);
        let table = |schema: &str, name: &str, root: Option<&str>| TableProof {
            schema: schema.to_owned(),
            name: name.to_owned(),
            root: root.map(str::to_owned),
            rows: 0,
            counted: Counted::Snapshot,
            digest: None,
        };
        let data = |name: &str| {
            let entry = |entry: &&archive::Entry| entry.desc == "TABLE DATA" && entry.tag == name;
            toc.entries.iter().find(entry).unwrap().dump_id
        };
        let tables = [
            table("shop", "orders", None),
            table("shop", "users", Some("shop.people")),
            table("shop", "products", Some("shop.people")),
            table("public", "egg", None),
        ];
        let mut taken = BTreeMap::from([(data("orders"), 7), (data("users"), 2)]);
        let known =
            |taken: &BTreeMap<i32, u64>| rows_taken(&tables, &toc, taken).into_iter().collect::<Vec<_>>();
        assert_eq!(known(&taken), [("\"shop\".\"orders\"".to_owned(), 7)]);
        taken.insert(data("products"), 3);
        assert_eq!(known(&taken), [("\"shop\".\"orders\"".to_owned(), 7), ("shop.people".to_owned(), 5)]);
    }
}
