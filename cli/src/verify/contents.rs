//! Level `contents`: what must be in an archive is in it. Used in flight, while
//! a dump is sealed, and later on the stored object.

use std::collections::{BTreeMap, BTreeSet};

use backstop_policy::identifier;
use backstop_policy::manifest::{Content, Fingerprint, Proof};

use crate::archive::{Contents, Entry, Toc};

/// What an archive is held against.
pub struct Expected<'a> {
    pub content: Content,
    pub proof: &'a Proof,
    /// Tables that must hold rows: `schema.name`, or a name in any schema.
    pub critical_tables: &'a [String],
}

/// Every way in which the archive falls short, one line each.
pub fn check(contents: &Contents, expected: &Expected<'_>) -> Vec<String> {
    let mut failures = Vec::new();
    if let Proof::Snapshot { tables, large_objects, fingerprint, .. } = expected.proof {
        if expected.content != Content::Schema {
            let found: BTreeMap<_, _> = contents
                .tables
                .iter()
                .map(|table| ((&*table.schema, &*table.name), table.rows.unwrap_or_default()))
                .collect();
            for table in tables {
                match found.get(&(&*table.schema, &*table.name)) {
                    None => failures
                        .push(format!("the rows of table {}.{} are missing", table.schema, table.name)),
                    Some(rows) if *rows != table.rows => failures.push(format!(
                        "table {}.{} has {rows} rows in the archive, but {} in the snapshot",
                        table.schema, table.name, table.rows
                    )),
                    Some(_) => {}
                }
            }
            if contents.large_objects != *large_objects {
                failures.push(format!(
                    "{} large objects in the archive, but {large_objects} in the snapshot",
                    contents.large_objects
                ));
            }
        }
        if expected.content != Content::Data {
            failures.extend(missing_objects(&contents.toc, fingerprint));
        }
    }
    if expected.content != Content::Schema {
        for wanted in expected.critical_tables {
            let rows = contents
                .tables
                .iter()
                .filter(|table| {
                    table.name == *wanted || format!("{}.{}", table.schema, table.name) == *wanted
                })
                .map(|table| table.rows.unwrap_or_default())
                .reduce(|a, b| a + b);
            match rows {
                None => failures.push(format!("critical table {wanted} is not in the archive")),
                Some(0) => failures.push(format!("critical table {wanted} is empty")),
                Some(_) => {}
            }
        }
    }
    failures
}

/// Kinds whose names can be found in a table of contents, and the entries that
/// carry them. An index that belongs to a constraint comes with the constraint.
const NAMED: [(&str, &[&str]); 6] = [
    ("table", &["TABLE", "FOREIGN TABLE"]),
    ("view", &["VIEW", "MATERIALIZED VIEW"]),
    ("sequence", &["SEQUENCE"]),
    ("index", &["INDEX", "CONSTRAINT"]),
    ("policy", &["POLICY"]),
    ("trigger", &["TRIGGER"]),
];

/// Kinds whose names are written differently here and there: only their number
/// is held together.
const COUNTED: [(&str, &[&str]); 2] =
    [("function", &["FUNCTION", "PROCEDURE", "AGGREGATE"]), ("extension", &["EXTENSION"])];

fn missing_objects(toc: &Toc, fingerprint: &Fingerprint) -> Vec<String> {
    let mut failures = Vec::new();
    for (kind, descs) in NAMED {
        let there: BTreeSet<(&str, &str)> = entries(toc, descs)
            .flat_map(|entry| {
                // A constraint's tag is `table name`; its index bears the last part.
                let tag = entry.tag.as_str();
                let short = entry.desc.eq("CONSTRAINT").then(|| tag.rsplit(' ').next()).flatten();
                [Some((entry.namespace.as_str(), tag)), short.map(|short| (entry.namespace.as_str(), short))]
            })
            .flatten()
            .collect();
        for object in fingerprint.kinds.get(kind).into_iter().flat_map(BTreeMap::keys) {
            let parts = identifier::split(object);
            let (schema, tag) = match parts.as_slice() {
                [schema, name] => (schema.as_str(), name.clone()),
                // Policies and triggers are tagged `table name`.
                [schema, table, name] => (schema.as_str(), format!("{table} {name}")),
                _ => continue,
            };
            let bare = tag.rsplit(' ').next().unwrap_or(&tag);
            let by_constraint = kind == "index" && there.contains(&(schema, bare));
            if !by_constraint && !there.contains(&(schema, tag.as_str())) {
                failures.push(format!("{kind} {object} is not in the archive"));
            }
        }
    }
    for (kind, descs) in COUNTED {
        let (expected, found) = (fingerprint.count(kind), entries(toc, descs).count());
        if found < expected {
            failures.push(format!("{found} of {expected} {kind}s are in the archive"));
        }
    }
    failures
}

fn entries<'a>(toc: &'a Toc, descs: &'a [&str]) -> impl Iterator<Item = &'a Entry> {
    toc.entries.iter().filter(move |entry| descs.contains(&entry.desc.as_str()))
}
