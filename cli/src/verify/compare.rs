//! Hold a restored database against what was true in the dump's snapshot: row
//! counts, sequence positions, large objects, and the catalogue.

use std::collections::BTreeMap;

use backstop_policy::identifier;
use backstop_policy::manifest::{Change, Manifest, Proof, SequenceProof};

use super::left_out::LeftOut;
use crate::archive::{Plan, Toc};
use crate::postgres::snapshot::Snapshot;
use crate::postgres::target::Target;
use crate::postgres::{Error, fingerprint};

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
}

/// Compare a freshly restored database. `left_out` are the entries that the
/// restore left out on purpose.
pub async fn compare(
    target: &Target,
    manifest: &Manifest,
    toc: &Toc,
    plan: &Plan,
) -> Result<Compared, Error> {
    let Proof::Snapshot { tables, sequences, large_objects, fingerprint } = &manifest.proof else {
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
        let name = table.root.clone().unwrap_or_else(|| {
            format!("{}.{}", identifier::quote(&table.schema), identifier::quote(&table.name))
        });
        *expected.entry(name).or_default() += table.rows;
    }
    let found = snapshot.rows_of(expected.keys().cloned().collect()).await?;
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
            Some(_) => {
                compared.tables += 1;
                compared.rows += rows;
            }
        }
    }

    let expected: Vec<(String, &SequenceProof)> = sequences
        .iter()
        .filter(|sequence| !gone.relation(&sequence.schema, &sequence.name))
        .map(|sequence| {
            (
                format!("{}.{}", identifier::quote(&sequence.schema), identifier::quote(&sequence.name)),
                sequence,
            )
        })
        .collect();
    let names: Vec<String> = expected.iter().map(|(name, _)| name.clone()).collect();
    let found = snapshot.positions_of(&names).await?;
    for (name, sequence) in &expected {
        match found.get(name).copied() {
            None if unspeakable(name) => {
                compared.partial.push(format!("sequence {name} (its name is no UTF-8, so it was not read)"));
            }
            None => compared.failures.push(format!("sequence {name} is missing")),
            Some((last_value, is_called))
                if (last_value, is_called) != (sequence.last_value, sequence.is_called) =>
            {
                compared.failures.push(format!(
                    "sequence {name} stands at {last_value}, but at {} in the archive",
                    sequence.last_value
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
