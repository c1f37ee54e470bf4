//! Some tables of an archive into a database that goes on living, in one
//! transaction. A table that is gone comes back with all that belongs to it; one
//! that is there keeps its definition and gets the archived rows.
//!
//! Its foreign keys are taken off and put on again, which checks every row on
//! both sides: rows that others refer to cannot be lost that way. Its triggers
//! rest meanwhile. Sequences never go back, so no number is given twice.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use backstop_policy::identifier::{literal, quote};
use tokio_util::sync::CancellationToken;

use super::fill::{self, Content, Filled};
use super::report::{self, LeftOut};
use super::{Error, Request, revived};
use crate::archive::{self, Entry, Halves, Plan, Selection, Toc};
use crate::load::{self, Frame, Load, facts};
use crate::postgres;
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::ui::Ui;

/// What is to happen to which table.
pub struct Choice {
    plan: Plan,
    frame: Frame,
    /// Tables whose rows are replaced.
    tables: BTreeSet<Name>,
    server_major: u32,
}

/// Schema and name.
pub type Name = (String, String);

impl Choice {
    /// Look at archive and target, and refuse what cannot be done safely.
    pub async fn of(request: &Request, content: &Content, session: &Session, ui: Ui) -> Result<Self, Error> {
        let toc = content.toc().ok_or(Error::NoChoiceInSql)?;
        let facts = facts::read(session.target()).await?;
        let selection = &request.selection;
        let whole = archive::plan(toc, selection, &facts)?;
        let chosen = tables_of(toc, &whole);
        let existing = existing(session, &chosen).await?;
        let missing: Vec<&Name> = chosen.iter().filter(|name| !existing.contains(name)).collect();
        if selection.halves == Halves::DataOnly && !missing.is_empty() {
            let tables = missing.iter().map(|name| shown(name)).collect();
            return Err(Error::CannotFill { tables, why: "they are not there" });
        }
        let index = toc.index();
        let whole_entries = whole.entries.clone();
        let mut plan = if existing.is_empty() {
            whole
        } else {
            Plan { foreign_keys: whole.foreign_keys, ..Plan::default() }
        };
        let mut frame = Frame::default();
        if !existing.is_empty() {
            let part = |names: &mut dyn Iterator<Item = &Name>, halves| {
                let tables: Vec<String> = names.map(qualified).collect();
                let choice = archive::Choice::Some { schemas: Vec::new(), tables };
                archive::plan(toc, &Selection { choice, halves, ..selection.clone() }, &facts)
            };
            let mut ids: BTreeSet<i32> = BTreeSet::new();
            if !missing.is_empty() {
                let new = part(&mut missing.iter().copied(), selection.halves)?;
                ids.extend(&new.entries);
                plan.left_out.extend(new.left_out);
                plan.needed.extend(new.needed);
            }
            let rows = part(&mut existing.iter(), Halves::DataOnly)?;
            let filled = rows.entries.iter().filter_map(|id| index.get(id)).filter(|entry| {
                entry.desc == "TABLE DATA" && existing.contains(&(entry.namespace.clone(), entry.tag.clone()))
            });
            ids.extend(filled.map(|entry| entry.dump_id));
            if selection.halves == Halves::DataOnly && selection.choice == archive::Choice::Everything {
                ids.extend(beside_tables(session, toc, &whole_entries, &mut plan).await?);
            }
            frame = around(session, toc, &existing, &rows).await?;
            plan.entries = in_order(toc, &ids);
        }
        let taken: BTreeSet<i32> = plan.entries.iter().copied().collect();
        for id in &whole_entries {
            const KEPT: &[&str] = &[
                "VIEW",
                "MATERIALIZED VIEW",
                "FUNCTION",
                "PROCEDURE",
                "AGGREGATE",
                "TYPE",
                "DOMAIN",
                "FOREIGN TABLE",
            ];
            let entry = index.get(id).filter(|entry| KEPT.contains(&entry.desc.as_str()));
            if let Some(entry) = entry.filter(|_| !existing.is_empty() && !taken.contains(id)) {
                plan.left_out.push(archive::LeftOut {
                    dump_id: *id,
                    what: format!("{} {}", entry.desc, entry.name()),
                    why: "beside tables that are there, only rows are restored".to_owned(),
                });
            }
        }
        let missing: BTreeSet<Name> = missing.into_iter().cloned().collect();
        let revived = revived::keys(session, toc, &plan, &missing).await?;
        if !revived.is_empty() {
            plan.left_out.retain(|left_out| !revived.contains(&left_out.dump_id));
            let ids: BTreeSet<i32> = plan.entries.iter().copied().chain(revived.iter().copied()).collect();
            plan.entries = in_order(toc, &ids);
            let titles = toc.entries.iter().filter(|entry| revived.contains(&entry.dump_id)).map(Entry::name);
            ui.note(format!("foreign keys come back with it: {}", titles.collect::<Vec<_>>().join(", ")));
        }
        for view in revived::views(session, toc, &missing).await? {
            ui.note(format!("{view} was gone with it and is not restored: name it with --table"));
        }
        for key in plan.foreign_keys.iter().filter(|key| !existing.is_empty() && !key.both_inside) {
            ui.note(format!(
                "foreign key '{}' from {} to {} is checked",
                key.constraint, key.from_table, key.to_table
            ));
        }
        for name in &existing {
            ui.note(format!("the rows of {} are replaced by those of the archive", shown(name)));
        }
        for name in &missing {
            ui.note(format!("{} comes back with all that belongs to it", shown(name)));
        }
        Ok(Self { plan, frame, server_major: facts.server_major, tables: existing })
    }

    /// Refuse to fill a table that has rows.
    pub async fn must_be_empty(&self, session: &Session) -> Result<(), Error> {
        let mut filled = Vec::new();
        for name in &self.tables {
            let rows = session
                .query(&format!("SELECT FROM {} LIMIT 1", qualified(name)), &[])
                .await
                .map_err(postgres::Error::asking("look whether the tables are empty"))?;
            if !rows.is_empty() {
                filled.push(format!("rows in {}", shown(name)));
            }
        }
        if filled.is_empty() {
            return Ok(());
        }
        Err(Error::NotEmpty { database: session.target().database().to_owned(), objects: filled })
    }

    /// What is taken from the archive.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether anything that is there changes.
    pub fn overwrites(&self) -> bool {
        !self.tables.is_empty()
    }
}

pub async fn restore(
    request: &Request,
    choice: Choice,
    content: Content,
    target: &Target,
    stop: &CancellationToken,
) -> Result<Filled, Error> {
    let Content::Archive(archive) = content else { return Err(Error::NoChoiceInSql) };
    let load = Load { target, selection: &request.selection, frame: Some(&choice.frame), jobs: request.jobs };
    let loaded = load::restore(&load, archive, choice.plan, choice.server_major, stop).await?;
    let mut filled = fill::held_against(request, target, &loaded).await?;
    filled.left_out = loaded.plan.left_out.iter().map(LeftOut::from).collect();
    if choice.tables.is_empty() {
        filled.notes = report::notes(&loaded.plan);
    } else {
        let tables: Vec<String> = choice.tables.iter().map(shown).collect();
        filled.notes.push(format!("rows replaced in {}; all foreign keys hold", tables.join(", ")));
    }
    filled.notes.extend(loaded.notes);
    Ok(filled)
}

/// What is filled beside tables when all rows are restored: materialized views
/// that are there, and large objects where there are none yet.
async fn beside_tables(
    session: &Session,
    toc: &Toc,
    entries: &[i32],
    plan: &mut Plan,
) -> Result<BTreeSet<i32>, Error> {
    let index = toc.index();
    let entries: Vec<&Entry> = entries.iter().filter_map(|id| index.get(id).copied()).collect();
    let name = |entry: &Entry| (entry.namespace.clone(), entry.tag.clone());
    let views = entries.iter().filter(|entry| entry.desc == "MATERIALIZED VIEW DATA");
    let there = existing(session, &views.clone().map(|entry| name(entry)).collect()).await?;
    let mut taken: BTreeSet<i32> =
        views.filter(|entry| there.contains(&name(entry))).map(|entry| entry.dump_id).collect();
    let free: bool = session
        .query_one("SELECT NOT EXISTS (SELECT FROM pg_largeobject_metadata)", &[])
        .await
        .map_err(postgres::Error::asking("look for large objects"))?
        .get(0);
    for entry in entries {
        if !entry.desc.starts_with("BLOB") && !entry.tag.starts_with("LARGE OBJECT") {
            continue;
        }
        if free {
            taken.insert(entry.dump_id);
        } else {
            let why = "the target has large objects of its own".to_owned();
            let what = format!("{} {}", entry.desc, entry.name());
            plan.left_out.push(archive::LeftOut { dump_id: entry.dump_id, what, why });
        }
    }
    Ok(taken)
}

fn tables_of(toc: &Toc, plan: &Plan) -> BTreeSet<Name> {
    let chosen: BTreeSet<i32> = plan.entries.iter().copied().collect();
    toc.entries
        .iter()
        .filter(|entry| {
            chosen.contains(&entry.dump_id) && matches!(entry.desc.as_str(), "TABLE" | "TABLE DATA")
        })
        .map(|entry| (entry.namespace.clone(), entry.tag.clone()))
        .collect()
}

/// Data blocks come in the archive's order.
fn in_order(toc: &Toc, ids: &BTreeSet<i32>) -> Vec<i32> {
    toc.entries.iter().map(|entry| entry.dump_id).filter(|id| ids.contains(id)).collect()
}

fn qualified((schema, name): &Name) -> String {
    format!("{}.{}", quote(schema), quote(name))
}

fn shown((schema, name): &Name) -> String {
    format!("{schema}.{name}")
}

async fn existing(session: &Session, tables: &BTreeSet<Name>) -> Result<BTreeSet<Name>, Error> {
    let names: Vec<String> = tables.iter().map(qualified).collect();
    let rows = session
        .query(
            "SELECT n.nspname::text, c.relname::text FROM unnest($1::text[]) AS wanted \
             JOIN pg_class c ON c.oid = to_regclass(wanted) JOIN pg_namespace n ON n.oid = c.relnamespace",
            &[&names],
        )
        .await
        .map_err(postgres::Error::asking("look for the tables"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// What is done before and after the rows of existing tables are loaded.
async fn around(
    session: &Session,
    toc: &Toc,
    existing: &BTreeSet<Name>,
    rows: &Plan,
) -> Result<Frame, Error> {
    let failed = || postgres::Error::asking("read the keys and triggers of the tables");
    session.batch_execute("SET search_path = ''").await.map_err(failed())?;
    let names: Vec<String> = existing.iter().map(qualified).collect();
    let (mut before, mut after) = (String::new(), String::new());

    let tables = session
        .query(
            "SELECT n, c.relkind = 'p', pg_has_role(c.relowner, 'USAGE') FROM unnest($1::text[]) n \
             JOIN pg_class c ON c.oid = to_regclass(n)",
            &[&names],
        )
        .await
        .map_err(failed())?;
    let keys = session
        .query(
            "WITH RECURSIVE ours AS (SELECT to_regclass(n)::oid AS oid FROM unnest($1::text[]) n), \
             up AS (SELECT k.oid, k.conparentid FROM pg_constraint k WHERE k.contype = 'f' \
               AND (k.conrelid IN (SELECT oid FROM ours) OR k.confrelid IN (SELECT oid FROM ours)) \
               UNION SELECT p.oid, p.conparentid FROM up JOIN pg_constraint p ON p.oid = up.conparentid) \
             SELECT DISTINCT k.conrelid::regclass::text, quote_ident(k.conname), pg_get_constraintdef(k.oid), \
               pg_has_role(c.relowner, 'USAGE') AND pg_has_role(f.relowner, 'USAGE'), \
               obj_description(k.oid, 'pg_constraint') \
             FROM up JOIN pg_constraint k ON k.oid = up.oid JOIN pg_class c ON c.oid = k.conrelid \
             JOIN pg_class f ON f.oid = k.confrelid WHERE up.conparentid = 0 ORDER BY 1, 2",
            &[&names],
        )
        .await
        .map_err(failed())?;
    let not_ours =
        tables.iter().any(|row| !row.get::<_, bool>(2)) || keys.iter().any(|row| !row.get::<_, bool>(3));
    if not_ours {
        let tables = existing.iter().map(shown).collect();
        let why = "they, or tables that their foreign keys join them to, belong to another role";
        return Err(Error::CannotFill { tables, why });
    }
    let triggers = session
        .query(
            "SELECT t.tgrelid::regclass::text, quote_ident(t.tgname), t.tgenabled::text FROM pg_trigger t \
             WHERE t.tgrelid IN (SELECT to_regclass(n) FROM unnest($1::text[]) n) AND NOT t.tgisinternal \
             AND t.tgenabled <> 'D'",
            &[&names],
        )
        .await
        .map_err(failed())?;

    let _ = writeln!(before, "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE;", names.join(", "));
    for row in &keys {
        let (table, key): (&str, &str) = (row.get(0), row.get(1));
        let _ = writeln!(before, "ALTER TABLE {table} DROP CONSTRAINT {key};");
    }
    for row in &triggers {
        let (table, trigger, state): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let _ = writeln!(before, "ALTER TABLE ONLY {table} DISABLE TRIGGER {trigger};");
        let how = match state {
            "R" => "ENABLE REPLICA",
            "A" => "ENABLE ALWAYS",
            _ => "ENABLE",
        };
        let _ = writeln!(after, "ALTER TABLE ONLY {table} {how} TRIGGER {trigger};");
    }
    let emptied: Vec<String> = tables
        .iter()
        .map(|row| format!("{}{}", if row.get(1) { "" } else { "ONLY " }, row.get::<_, &str>(0)))
        .collect();
    let _ = writeln!(before, "TRUNCATE {};", emptied.join(", "));
    for row in &keys {
        let (table, key, definition): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let _ = writeln!(after, "ALTER TABLE {table} ADD CONSTRAINT {key} {definition};");
        if let Some(comment) = row.get::<_, Option<&str>>(4) {
            let _ = writeln!(after, "COMMENT ON CONSTRAINT {key} ON {table} IS {};", literal(comment));
        }
    }
    after += &forward(session, toc, rows).await?;
    Ok(Frame { before, after })
}

/// Sequences of the tables, where the number that the archive gave last is still
/// to come: ahead of theirs, whichever way they count.
async fn forward(session: &Session, toc: &Toc, rows: &Plan) -> Result<String, Error> {
    let mut sql = String::new();
    let index = toc.index();
    for entry in rows.entries.iter().filter_map(|id| index.get(id)) {
        let Some((position, true)) = entry.position() else { continue };
        let name = qualified(&(entry.namespace.clone(), entry.tag.clone()));
        let there: bool = session
            .query_one("SELECT to_regclass($1) IS NOT NULL", &[&name])
            .await
            .map_err(postgres::Error::asking("look for the sequences"))?
            .get(0);
        if there {
            let _ = writeln!(
                sql,
                "SELECT pg_catalog.setval({literal}, {position}) FROM {name} WHERE CASE \
                 WHEN last_value = {position} THEN NOT is_called \
                 ELSE (last_value < {position}) = (SELECT seqincrement > 0 FROM pg_catalog.pg_sequence \
                 WHERE seqrelid = {literal}::pg_catalog.regclass) END;",
                literal = literal(&name)
            );
        }
    }
    Ok(sql)
}
