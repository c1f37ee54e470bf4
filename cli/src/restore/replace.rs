//! Where databases cannot be renamed: one transaction drops the schemas that the
//! dump brings, and restores them. Either all of it happens or nothing.
//!
//! Never `--clean --if-exists`: over objects that something depends on it leaves
//! the old ones standing and doubles their rows.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use backstop_policy::identifier::quote;
use tokio_util::sync::CancellationToken;

use super::fill::{self, Content, Filled};
use super::report::{self, LeftOut};
use super::{Error, Request};
use crate::archive::{self, Toc};
use crate::load::{self, Frame, Load, facts};
use crate::postgres;
use crate::postgres::session::Session;
use crate::postgres::target::Target;
use crate::ui::Ui;

/// Kinds outside schemas that can be there already.
const OUTSIDE: &[&str] = &["EVENT TRIGGER", "PUBLICATION", "SERVER", "FOREIGN DATA WRAPPER"];

pub async fn run(
    request: &Request,
    content: Content,
    target: &Target,
    ui: Ui,
    stop: &CancellationToken,
) -> Result<Filled, Error> {
    let session = Session::connect(target).await?;
    let going = nothing_outside(&session, content.toc()).await?;
    let frame = Frame { before: clear(&session, &going, content.toc()).await?, after: String::new() };
    session.close().await;
    let archive = match content {
        Content::Sql(_) => return fill::into(request, content, target, Some(&frame), ui, stop).await,
        Content::Archive(archive) => archive,
    };
    let mut facts = facts::read(target).await?;
    // `public` is made again by us, the others by the archive.
    facts.schemas.retain(|schema| schema == "public" || !going.contains(schema));
    facts.present.retain(|(schema, _)| !going.contains(schema));
    let plan = archive::plan(&archive.toc, &request.selection, &facts)?;
    fill::say_plan(&plan, ui);
    let load = Load { target, selection: &request.selection, frame: Some(&frame), jobs: request.jobs };
    let loaded = load::restore(&load, archive, plan, facts.server_major, stop).await?;
    let mut filled = fill::held_against(request, target, &loaded).await?;
    filled.left_out = loaded.plan.left_out.iter().map(LeftOut::from).collect();
    filled.notes = report::notes(&loaded.plan);
    filled.notes.extend(loaded.notes);
    Ok(filled)
}

/// The schemas that are dropped and restored. Refused where something outside of
/// them hangs on what is in them: it would be dropped too, and is in no dump.
pub async fn nothing_outside(session: &Session, toc: Option<&Toc>) -> Result<BTreeSet<String>, Error> {
    let there = user_schemas(session).await?;
    let going: BTreeSet<String> = match toc {
        Some(toc) => schemas_of(toc).into_iter().filter(|schema| there.contains(schema)).collect(),
        None => there,
    };
    let names: Vec<&String> = going.iter().collect();
    // As DROP ... CASCADE goes: down to what depends on something, and from a part
    // of something up to its whole.
    let rows = session
        .query(
            "WITH RECURSIVE gone AS ( \
               SELECT 'pg_namespace'::regclass::oid AS classid, oid AS objid, 0 AS objsubid \
                 FROM pg_namespace WHERE nspname = ANY ($1::text[]) \
               UNION SELECT next.* FROM gone g, LATERAL ( \
                 SELECT d.classid, d.objid, d.objsubid FROM pg_depend d WHERE d.refclassid = g.classid \
                   AND d.refobjid = g.objid AND (g.objsubid = 0 OR d.refobjsubid = g.objsubid) \
                 UNION ALL SELECT d.refclassid, d.refobjid, d.refobjsubid FROM pg_depend d \
                   WHERE d.classid = g.classid AND d.objid = g.objid AND d.objsubid = g.objsubid \
                   AND d.deptype = 'i') next), \
             named AS (SELECT i.type || ' ' || i.identity AS name, coalesce(i.schema, a.object_names[1]) AS schema \
               FROM gone g, pg_identify_object(g.classid, g.objid, g.objsubid) i, \
                 pg_identify_object_as_address(g.classid, g.objid, g.objsubid) a \
               WHERE g.classid = ANY ('{pg_class,pg_proc,pg_type,pg_constraint,pg_attrdef,pg_trigger,pg_policy}'::regclass[]::oid[]) \
                 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = g.classid AND d.objid = g.objid \
                   AND d.deptype = 'i')) \
             SELECT DISTINCT name FROM named WHERE schema <> ALL ($1::text[]) AND schema !~ '^pg_' ORDER BY name",
            &[&names],
        )
        .await
        .map_err(postgres::Error::asking("look what depends on the schemas"))?;
    if rows.is_empty() {
        return Ok(going);
    }
    Err(Error::Dependents { objects: rows.iter().map(|row| row.get(0)).collect() })
}

fn schemas_of(toc: &Toc) -> BTreeSet<String> {
    let own = toc.entries.iter().filter(|entry| entry.desc == "SCHEMA").map(|entry| entry.tag.clone());
    own.chain(toc.entries.iter().map(|entry| entry.namespace.clone()))
        .filter(|name| !name.is_empty())
        .collect()
}

/// Schemas whose contents are this role's to replace.
async fn user_schemas(session: &Session) -> Result<BTreeSet<String>, Error> {
    let rows = session
        .query(
            "SELECT nspname::text FROM pg_namespace n WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' \
             AND (nspname = 'public' OR pg_has_role(nspowner, 'USAGE')) AND NOT EXISTS (SELECT FROM pg_depend e \
             WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e')",
            &[],
        )
        .await
        .map_err(postgres::Error::asking("list the schemas"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The statements that make room.
async fn clear(session: &Session, going: &BTreeSet<String>, toc: Option<&Toc>) -> Result<String, Error> {
    let mut sql = String::new();
    for entry in toc.into_iter().flat_map(|toc| &toc.entries) {
        if OUTSIDE.contains(&entry.desc.as_str()) {
            let _ = writeln!(sql, "DROP {} IF EXISTS {} CASCADE;", entry.desc, quote(&entry.tag));
        }
    }
    if toc.is_none_or(|toc| toc.entries.iter().any(|entry| entry.desc == "BLOBS")) {
        sql += "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata;\n";
    }
    for schema in going {
        let _ = writeln!(sql, "DROP SCHEMA {} CASCADE;", quote(schema));
        let made_by_dump = toc
            .is_none_or(|toc| toc.entries.iter().any(|entry| entry.desc == "SCHEMA" && entry.tag == *schema));
        if schema == "public" || !made_by_dump {
            sql += &make_again(session, schema).await?;
        }
    }
    Ok(sql)
}

/// A schema with the owner and the privileges that it has now.
async fn make_again(session: &Session, schema: &str) -> Result<String, Error> {
    let name = quote(schema);
    let mut sql = format!("CREATE SCHEMA {name};\n");
    let rows = session
        .query(
            "SELECT pg_get_userbyid(n.nspowner)::text, n.nspowner = u.oid, a.privilege_type, a.is_grantable, \
             a.grantee <> 0, pg_get_userbyid(a.grantee)::text FROM pg_namespace n \
             JOIN pg_roles u ON u.rolname = current_user, \
             LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a WHERE n.nspname = $1",
            &[&schema],
        )
        .await
        .map_err(postgres::Error::asking(format!("read the privileges of schema '{schema}'")))?;
    for row in &rows {
        let (privilege, role): (&str, String) = (row.get(2), row.get(5));
        let role = if row.get(4) { quote(&role) } else { "PUBLIC".to_owned() };
        let option = if row.get(3) { " WITH GRANT OPTION" } else { "" };
        let _ = writeln!(sql, "GRANT {privilege} ON SCHEMA {name} TO {role}{option};");
    }
    if let Some(row) = rows.first().filter(|row| !row.get::<_, bool>(1)) {
        let _ = writeln!(sql, "ALTER SCHEMA {name} OWNER TO {};", quote(row.get(0)));
    }
    Ok(sql)
}
