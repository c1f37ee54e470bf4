//! What goes with a dropped table beside what belongs to it: foreign keys from
//! and to tables that live on come back with it, views on it are told.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::tables::Name;
use crate::archive::{Plan, Toc};
use crate::postgres;
use crate::postgres::session::Session;

/// Foreign keys of the archive between a table that comes back and one that is
/// there, or comes back too, where the target does not have them.
pub async fn keys(
    session: &Session,
    toc: &Toc,
    plan: &Plan,
    missing: &BTreeSet<Name>,
) -> Result<BTreeSet<i32>, Error> {
    if missing.is_empty() {
        return Ok(BTreeSet::new());
    }
    let back: BTreeSet<String> = missing.iter().map(|(schema, name)| format!("{schema}.{name}")).collect();
    let ends = |pick: fn(&crate::archive::ForeignKey) -> &String| plan.foreign_keys.iter().map(pick).cloned();
    let tables: Vec<String> = ends(|key| &key.from_table).chain(ends(|key| &key.to_table)).collect();
    let living: BTreeMap<String, Vec<String>> = session
        .query(
            "SELECT n.nspname || '.' || c.relname, array_remove(array_agg(k.conname::text), NULL) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f' \
             WHERE n.nspname || '.' || c.relname = ANY ($1) AND c.relkind IN ('r', 'p') GROUP BY 1",
            &[&tables],
        )
        .await
        .map_err(postgres::Error::asking("look at the tables around"))?
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let mut revived = BTreeSet::new();
    for key in &plan.foreign_keys {
        let (from, to) = (&key.from_table, &key.to_table);
        let concerned = back.contains(from) || back.contains(to);
        let both = [from, to].iter().all(|table| back.contains(*table) || living.contains_key(*table));
        let there = living.get(from).is_some_and(|keys| keys.contains(&key.constraint));
        if concerned && both && !there {
            let name = format!("{from} {}", key.constraint);
            let entries =
                toc.entries.iter().filter(|entry| entry.desc == "FK CONSTRAINT" && entry.name() == name);
            revived.extend(entries.map(|entry| entry.dump_id).filter(|id| !plan.entries.contains(id)));
        }
    }
    Ok(revived)
}

/// Views of the archive on a table that comes back, which the target does not have.
pub async fn views(session: &Session, toc: &Toc, missing: &BTreeSet<Name>) -> Result<Vec<String>, Error> {
    let back: BTreeSet<i32> = toc
        .entries
        .iter()
        .filter(|entry| {
            entry.desc == "TABLE" && missing.contains(&(entry.namespace.clone(), entry.tag.clone()))
        })
        .map(|entry| entry.dump_id)
        .collect();
    let mut gone = Vec::new();
    for entry in &toc.entries {
        // A view that leans on a key is made empty first, and whole by a rule.
        let name = match entry.desc.as_str() {
            "VIEW" | "MATERIALIZED VIEW" => Some(entry.tag.as_str()),
            "RULE" => entry.tag.strip_suffix(" _RETURN"),
            _ => None,
        };
        let Some(name) = name.filter(|_| entry.dependencies.iter().any(|id| back.contains(id))) else {
            continue;
        };
        let there: bool = session
            .query_one(
                "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = $1 AND c.relname = $2)",
                &[&entry.namespace, &name],
            )
            .await
            .map_err(postgres::Error::asking("look for views"))?
            .get(0);
        if !there {
            gone.push(format!("view {}.{name}", entry.namespace));
        }
    }
    Ok(gone)
}
