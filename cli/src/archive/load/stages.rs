//! What a parallel load does when: the plan of a restore flows in, its parts flow
//! out: what pg_restore makes before the rows, the rows, and what pg_restore makes
//! after them.
//!
//! The borders are those that pg_restore draws itself (`restore_toc_entries_prefork`
//! and `_tocEntryRestorePass` in `pg_backup_archiver.c`): grants come behind all
//! that they would be in the way of, and event triggers and materialized views,
//! which may need grants, behind them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::archive::select::Plan;
use crate::archive::toc::{Entry, Section, Toc};

/// The parts of a plan, as dump ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stages {
    pub before: BTreeSet<i32>,
    pub tables: HashMap<i32, Arc<Table>>,
    pub large_objects: HashSet<i32>,
    pub after: BTreeSet<i32>,
    /// Indexes of partitions on their way to those of the whole, one after the other:
    /// each locks several tables, and two of them at once, or one beside a key, can
    /// stand in each other's way for good.
    pub attached: BTreeSet<i32>,
    /// What needs those, such as a foreign key to a partitioned table.
    pub behind: BTreeSet<i32>,
    /// One after the other: a role's grant may need another grant, which the archive
    /// does not say.
    pub grants: BTreeSet<i32>,
    pub last: BTreeSet<i32>,
}

/// A table whose rows are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub dump_id: i32,
    /// `schema.name`, for messages.
    pub name: String,
    /// `COPY … FROM stdin` with the encoding of the rows. It may name another table,
    /// the root of a partitioned one.
    pub copy: String,
    /// After all that stands before it, and by one connection: a check or a generated
    /// column may ask other tables, and what an extension made has keys and triggers
    /// already.
    pub alone: bool,
}

/// Why rows cannot be loaded side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// Nothing is to be loaded.
    NoRows,
    Entry(String),
}

/// Take a plan apart.
pub fn stages(toc: &Toc, plan: &Plan) -> Result<Stages, Obstacle> {
    let index = toc.index();
    let wanted: HashSet<i32> = plan.entries.iter().copied().collect();
    let encoding = toc.encoding().unwrap_or("SQL_ASCII");
    let mut stages = Stages::default();
    let mut rows_seen = false;
    for entry in &toc.entries {
        rows_seen |= matches!(entry.section, Section::Data | Section::PostData);
        let id = entry.dump_id;
        if !wanted.contains(&id) {
            continue;
        }
        match entry.desc.as_str() {
            "TABLE DATA" if entry.has_data() => {
                let copy = copy_statement(entry, encoding)?;
                let alone = is_alone(&index, &wanted, entry);
                stages.tables.insert(id, Arc::new(Table { dump_id: id, name: entry.name(), copy, alone }));
            }
            "BLOBS" if entry.has_data() => drop(stages.large_objects.insert(id)),
            _ if entry.has_data() => {
                return Err(Obstacle::Entry(format!(
                    "{} {} is of an unknown kind",
                    entry.desc,
                    entry.name()
                )));
            }
            "TABLE DATA" | "BLOBS" => {}
            // Large objects must be there before they are filled.
            "BLOB METADATA" => drop(stages.before.insert(id)),
            "ACL" | "DEFAULT ACL" => drop(stages.grants.insert(id)),
            "EVENT TRIGGER" | "MATERIALIZED VIEW DATA" => drop(stages.last.insert(id)),
            "COMMENT" if entry.tag.starts_with("EVENT TRIGGER ") => drop(stages.last.insert(id)),
            "INDEX ATTACH" => drop(stages.attached.insert(id)),
            // Those of materialized views.
            "STATISTICS DATA" if entry.section == Section::PostData => drop(stages.last.insert(id)),
            _ if entry.section == Section::PreData || (entry.section == Section::None && !rows_seen) => {
                stages.before.insert(id);
            }
            _ => {
                // The archive's order is one in which whatever is needed comes first.
                let later = |needed| stages.attached.contains(needed) || stages.behind.contains(needed);
                let behind = entry.dependencies.iter().any(later);
                if behind {
                    stages.behind.insert(id)
                } else {
                    stages.after.insert(id)
                };
            }
        }
    }
    if stages.tables.is_empty() && stages.large_objects.is_empty() {
        return Err(Obstacle::NoRows);
    }
    Ok(stages)
}

/// The statement as pg_dump wrote it, for a session that speaks UTF-8 although the
/// rows do not.
fn copy_statement(entry: &Entry, encoding: &str) -> Result<String, Obstacle> {
    let cannot = |why: &str| Err(Obstacle::Entry(format!("the rows of '{}' are {why}", entry.name())));
    if entry.copy.is_empty() {
        return cannot("INSERT statements");
    }
    let Some(copy) =
        entry.copy.trim_end().strip_suffix(" FROM stdin;").filter(|copy| copy.starts_with("COPY "))
    else {
        return cannot("in another form than that of COPY");
    };
    // Of these encodings we know each name's letters exactly as the server does. In
    // the last of them a name may be any bytes; what is no UTF-8 was decoded to `\xNN`.
    let known = match encoding {
        "UTF8" | "LATIN1" => true,
        "SQL_ASCII" => !copy.contains("\\x"),
        _ => copy.is_ascii() && !copy.contains("\\x"),
    };
    if !known {
        return cannot("of a table whose name is not known in UTF-8");
    }
    Ok(format!("{copy} FROM stdin WITH (ENCODING '{}')", encoding.replace('\'', "''")))
}

fn is_alone(index: &HashMap<i32, &Entry>, wanted: &HashSet<i32>, data: &Entry) -> bool {
    let table =
        data.dependencies.iter().filter_map(|id| index.get(id)).find(|entry| {
            entry.desc == "TABLE" && entry.tag == data.tag && entry.namespace == data.namespace
        });
    match table {
        Some(table) if wanted.contains(&table.dump_id) => asks_around(index, table),
        _ => true,
    }
}

/// Whether a check of the table, or of the domain of a column, calls a function of
/// the archive that does not say of itself that it looks at nothing else, or reads all
/// the same; or a generated column calls any. Only what says so can be generated, true
/// or not, and what it made of an empty table nobody would see.
fn asks_around(index: &HashMap<i32, &Entry>, table: &Entry) -> bool {
    let mut waiting = vec![table];
    let mut seen = HashSet::new();
    let (mut checks, mut generates) = (false, false);
    let (mut asks, mut calls) = (false, false);
    while let Some(entry) = waiting.pop() {
        checks |= entry.definition.contains("CHECK");
        generates |= entry.definition.contains("GENERATED ALWAYS AS (");
        for id in &entry.dependencies {
            let Some(other) = index.get(id).copied().filter(|other| seen.insert(other.dump_id)) else {
                continue;
            };
            match other.desc.as_str() {
                "DOMAIN" | "TYPE" | "OPERATOR" | "CAST" => waiting.push(other),
                // Its checks are those of its parents.
                "TABLE" if entry.definition.contains("INHERITS") => waiting.push(other),
                "FUNCTION" => {
                    asks |= !other.definition.contains("IMMUTABLE") || reads(&other.definition);
                    calls = true;
                    waiting.push(other);
                }
                _ => {}
            }
        }
    }
    checks && asks || generates && calls
}

/// Whether a function's text has a word in it that leads to a table.
fn reads(definition: &str) -> bool {
    definition
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| ["from", "perform", "execute"].iter().any(|reads| word.eq_ignore_ascii_case(reads)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::fixtures::{self, everything};

    #[test]
    fn what_is_made_before_the_rows_and_what_after_them() {
        let kinds = |toc: &Toc, ids: &BTreeSet<i32>| {
            let kinds: BTreeSet<&str> =
                toc.entries.iter().filter(|e| ids.contains(&e.dump_id)).map(|e| e.desc.as_str()).collect();
            kinds.into_iter().collect::<Vec<_>>().join(", ")
        };
        for (archive, large_objects) in
            [(fixtures::ZOO_15_GZIP, "BLOB"), (fixtures::ZOO_18_NONE, "BLOB METADATA")]
        {
            let (toc, _) = fixtures::toc(archive);
            let stages = stages(&toc, &everything(&toc)).unwrap();
            let (before, after) = (kinds(&toc, &stages.before), kinds(&toc, &stages.after));
            assert_eq!(kinds(&toc, &stages.grants), "ACL, DEFAULT ACL");
            assert_eq!(kinds(&toc, &stages.last), "EVENT TRIGGER, MATERIALIZED VIEW DATA");
            assert!(before.contains(large_objects) && before.contains("TABLE ATTACH"), "{before}");
            for late in ["SEQUENCE SET", "INDEX", "CONSTRAINT", "TRIGGER"] {
                assert!(after.contains(late), "{late} in {after}");
                assert!(!before.split(", ").any(|kind| kind == late), "{late} in {before}");
            }
            assert_eq!(kinds(&toc, &stages.attached), "INDEX ATTACH");
            let made = [
                &stages.before,
                &stages.after,
                &stages.attached,
                &stages.behind,
                &stages.grants,
                &stages.last,
            ]
            .map(BTreeSet::len);
            let all = made.iter().sum::<usize>() + stages.tables.len() + stages.large_objects.len();
            assert_eq!(all, toc.entries.len());
        }
    }

    #[test]
    fn the_statement_keeps_its_names_and_says_the_encoding() {
        let (toc, _) = fixtures::toc(fixtures::LATIN1_15);
        let stages = stages(&toc, &everything(&toc)).unwrap();
        let table = stages.tables.values().next().unwrap();
        assert_eq!(table.copy, "COPY public.\"größe\" (id, \"schön\") FROM stdin WITH (ENCODING 'LATIN1')");
        assert!(!table.alone);
    }

    #[test]
    fn what_is_no_copy_is_not_taken() {
        let (toc, _) = fixtures::toc(fixtures::INSERTS_15);
        let Err(Obstacle::Entry(why)) = stages(&toc, &everything(&toc)) else { panic!("it was taken") };
        assert!(why.ends_with("are INSERT statements"), "{why}");
        assert_eq!(stages(&toc, &Plan::default()), Err(Obstacle::NoRows));
    }

    #[test]
    fn a_table_whose_check_asks_others_is_loaded_alone() {
        let (toc, _) = fixtures::toc(fixtures::ZOO_18_NONE);
        let table = |desc: &str, id: i32, definition: &str, dependencies: &[i32]| Entry {
            dump_id: id,
            desc: desc.to_owned(),
            definition: definition.to_owned(),
            dependencies: dependencies.to_vec(),
            ..toc.entries[0].clone()
        };
        let function = |how: &str| table("FUNCTION", 1, &format!("CREATE FUNCTION f() {how}"), &[]);
        let domain = table("DOMAIN", 2, "CREATE DOMAIN d AS int CHECK (f(VALUE))", &[1]);
        let parent = table("TABLE", 4, "CREATE TABLE p (a int, CHECK (f(a)))", &[1]);
        for (how, definition, dependencies, expected) in [
            ("STABLE", "CREATE TABLE t (a int, CHECK (f(a)))", &[1][..], true),
            ("", "CREATE TABLE t (a d)", &[2], true),
            ("", "CREATE TABLE t () INHERITS (p)", &[4], true),
            ("IMMUTABLE", "CREATE TABLE t (a int, CHECK (f(a)))", &[1], false),
            ("IMMUTABLE AS 'SELECT true from other'", "CREATE TABLE t (a int, CHECK (f(a)))", &[1], true),
            ("IMMUTABLE", "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (f(a)) STORED)", &[1], true),
            ("IMMUTABLE", "CREATE TABLE t (a int, b int GENERATED ALWAYS AS ((a + 1)) STORED)", &[], false),
            (
                "STABLE",
                "CREATE TABLE t (a int DEFAULT f(1), b int GENERATED ALWAYS AS IDENTITY)",
                &[1],
                false,
            ),
            ("STABLE", "CREATE TABLE t (a int DEFAULT f(1))", &[1], false),
        ] {
            let table = table("TABLE", 3, definition, dependencies);
            let function = function(how);
            let index = HashMap::from([(1, &function), (2, &domain), (3, &table), (4, &parent)]);
            assert_eq!(asks_around(&index, &table), expected, "{how} {definition}");
        }
    }
}
