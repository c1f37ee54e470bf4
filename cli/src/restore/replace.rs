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
    let there = user_schemas(&session).await?;
    let going: BTreeSet<String> = match content.toc() {
        Some(toc) => schemas_of(toc).into_iter().filter(|schema| there.contains(schema)).collect(),
        None => there,
    };
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
    let mut filled = fill::held_against(request, target, &loaded.toc, &loaded.plan).await?;
    filled.left_out = loaded.plan.left_out.iter().map(LeftOut::from).collect();
    filled.notes = report::notes(&loaded.plan);
    filled.notes.extend(loaded.notes);
    Ok(filled)
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
