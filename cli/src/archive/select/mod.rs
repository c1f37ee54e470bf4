//! From a table of contents, what was asked for and what is known of the target
//! to the list of entries that a restore takes, with a reason for each that it
//! leaves out. Pure: no file, no server.
//!
//! `pg_restore --table` drops a table's indexes, keys, triggers and policies, and
//! pg_restore has no list of what to ignore; both are made up for here.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Error;
use super::toc::{Entry, Section, Toc};

mod choose;
mod filter;
mod foreign_keys;
mod list;
mod pattern;

pub use filter::{Managed, roles};
pub use list::{human_list, list_file};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    pub choice: Choice,
    pub halves: Halves,
    /// Objects belong to who restores; also a flag for pg_restore.
    pub no_owner: bool,
    pub no_privileges: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    #[default]
    Everything,
    /// Patterns as for `pg_dump`: `name`, `schema.name`, `*` and `?`, quotes for
    /// what is to be taken as it stands. At least one pattern is not empty.
    Some { schemas: Vec<String>, tables: Vec<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Halves {
    #[default]
    Both,
    SchemaOnly,
    DataOnly,
}

/// What is known of the server and database that are restored into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFacts {
    pub server_major: u32,
    /// Who restores.
    pub user: String,
    pub superuser: bool,
    pub provider: Option<Managed>,
    /// Schemas that are already there; a new database has `public`.
    pub schemas: BTreeSet<String>,
    /// Types and functions that are already there, as `(schema, name)`, a
    /// function's name with its arguments. Looked at when only a part is restored.
    pub present: BTreeSet<(String, String)>,
    /// All roles; `None` when they are not known or will be made.
    pub roles: Option<BTreeSet<String>>,
    /// `pg_available_extensions`; `None` when not known.
    pub extensions: Option<BTreeSet<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Dump ids in the order of the archive.
    pub entries: Vec<i32>,
    pub left_out: Vec<LeftOut>,
    /// Taken although it was not chosen, since what was chosen needs it.
    pub needed: Vec<Needed>,
    /// Needed, and not taken: tables and views that are expected in the target.
    pub expected: Vec<Needed>,
    /// Every foreign key from or to a table that is restored.
    pub foreign_keys: Vec<ForeignKey>,
    /// Owners that the target has no role for.
    pub missing_owners: BTreeSet<String>,
    /// Schemas that must be made first: an archive of some tables has the tables
    /// alone, and the target lacks them.
    pub missing_schemas: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub dump_id: i32,
    /// `COMMENT EXTENSION citext`
    pub what: String,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    pub dump_id: i32,
    /// `TYPE shop.state`
    pub what: String,
    /// The first that needs it.
    pub by: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    pub from_table: String,
    pub to_table: String,
    pub constraint: String,
    pub both_inside: bool,
}

/// What of the archive to restore.
pub fn plan(toc: &Toc, selection: &Selection, target: &TargetFacts) -> Result<Plan, Error> {
    let graph = Graph::new(toc);
    let mut plan = Plan::default();
    let mut inside: HashSet<i32> = match &selection.choice {
        Choice::Everything => {
            toc.entries.iter().filter(|entry| !is_setting(entry)).map(|entry| entry.dump_id).collect()
        }
        Choice::Some { schemas, tables } => {
            let roots = choose::roots(toc, &graph, schemas, tables)?;
            choose::close(&graph, roots, target, &mut plan)
        }
    };
    foreign_keys::preview(&graph, &mut inside, selection, target, &mut plan);
    let halves = |entry: &&Entry| match selection.halves {
        Halves::Both => true,
        Halves::SchemaOnly => !is_data(entry, &graph),
        Halves::DataOnly => is_data(entry, &graph),
    };
    inside = toc
        .entries
        .iter()
        .filter(|entry| inside.contains(&entry.dump_id))
        .filter(halves)
        .map(|entry| entry.dump_id)
        .collect();
    filter::apply(&graph, &mut inside, selection, target, &mut plan);
    let taken = || toc.entries.iter().filter(|entry| inside.contains(&entry.dump_id));
    plan.entries = taken().map(|entry| entry.dump_id).collect();
    plan.needed.retain(|needed| inside.contains(&needed.dump_id));
    let made: HashSet<&str> =
        taken().filter(|entry| entry.desc == "SCHEMA").map(|entry| entry.tag.as_str()).collect();
    plan.missing_schemas = taken()
        .map(|entry| &entry.namespace)
        .filter(|schema| !schema.is_empty() && !made.contains(schema.as_str()))
        .filter(|schema| !target.schemas.contains(*schema) && !schema.starts_with("pg_"))
        .cloned()
        .collect();
    if let Some(roles) = &target.roles
        && !selection.no_owner
    {
        let owners = taken().map(|entry| &entry.owner).filter(|owner| !owner.is_empty());
        plan.missing_owners = owners.filter(|owner| !roles.contains(*owner)).cloned().collect();
    }
    // An empty database is restored as such; a choice that comes to nothing is a mistake.
    if plan.entries.is_empty() && toc.entries.iter().any(|entry| !is_setting(entry)) {
        return Err(Error::NothingLeft);
    }
    Ok(plan)
}

/// pg_restore sets these itself, or makes them with `--create` only; its own
/// listing does not show them.
fn is_setting(entry: &Entry) -> bool {
    matches!(
        entry.desc.as_str(),
        "ENCODING" | "STDSTRINGS" | "SEARCHPATH" | "DATABASE" | "DATABASE PROPERTIES"
    ) || (is_remark(entry) && entry.tag.starts_with("DATABASE "))
}

/// What says something of one other object, and goes where that goes.
fn is_remark(entry: &Entry) -> bool {
    matches!(entry.desc.as_str(), "COMMENT" | "ACL" | "SECURITY LABEL")
}

fn is_relation(entry: &Entry) -> bool {
    matches!(entry.desc.as_str(), "TABLE" | "VIEW" | "MATERIALIZED VIEW" | "FOREIGN TABLE")
}

/// What `pg_restore --data-only` takes.
fn is_data(entry: &Entry, graph: &Graph) -> bool {
    let own = |entry: &Entry| {
        entry.section == Section::Data
            || matches!(entry.desc.as_str(), "BLOB" | "MATERIALIZED VIEW DATA" | "SEQUENCE SET")
    };
    // Remarks on large objects go with them.
    own(entry) || (is_remark(entry) && graph.dependencies(entry).any(own))
}

/// `TYPE shop.state`
fn title(entry: &Entry) -> String {
    format!("{} {}", entry.desc, entry.name())
}

/// The entries with their edges in both directions.
struct Graph<'a> {
    toc: &'a Toc,
    by_id: HashMap<i32, &'a Entry>,
    dependents: HashMap<i32, Vec<&'a Entry>>,
}

impl<'a> Graph<'a> {
    fn new(toc: &'a Toc) -> Self {
        let mut dependents: HashMap<i32, Vec<&Entry>> = HashMap::new();
        for entry in &toc.entries {
            let distinct: BTreeSet<i32> = entry.dependencies.iter().copied().collect();
            for id in distinct {
                dependents.entry(id).or_default().push(entry);
            }
        }
        Self { toc, by_id: toc.index(), dependents }
    }

    /// Those that are in the archive.
    fn dependencies(&self, entry: &Entry) -> impl Iterator<Item = &'a Entry> {
        entry.dependencies.iter().filter_map(|id| self.by_id.get(id).copied())
    }

    fn dependents(&self, dump_id: i32) -> &[&'a Entry] {
        self.dependents.get(&dump_id).map_or(&[], Vec::as_slice)
    }

    /// The table that a constraint, trigger, rule, policy or default belongs to:
    /// its tag is `table name`, and other tables may be among its dependencies.
    fn table_of(&self, entry: &Entry) -> Option<&'a Entry> {
        let belongs = |table: &&Entry| {
            is_relation(table)
                && table.namespace == entry.namespace
                && entry.tag.strip_prefix(table.tag.as_str()).is_some_and(|rest| rest.starts_with(' '))
        };
        self.dependencies(entry).filter(belongs).max_by_key(|table| table.tag.len())
    }
}

#[cfg(test)]
mod tests;
