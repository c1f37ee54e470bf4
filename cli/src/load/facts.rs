//! What a target can take: its version, what it has already, what may be made there.

use std::collections::BTreeSet;

use crate::archive::{Managed, TargetFacts};
use crate::postgres::Error;
use crate::postgres::session::Session;
use crate::postgres::target::Target;

/// Ask the database that is restored into.
pub async fn read(target: &Target) -> Result<TargetFacts, Error> {
    let session = Session::connect(target).await?;
    let facts = ask(&session).await?;
    session.close().await;
    Ok(facts)
}

/// What holds for a database that is made on this server from template0.
pub async fn of_new_database(admin: &Session) -> Result<TargetFacts, Error> {
    let schemas = ["information_schema", "pg_catalog", "pg_toast", "public"].map(str::to_owned);
    Ok(TargetFacts { schemas: schemas.into(), present: BTreeSet::new(), ..ask(admin).await? })
}

async fn ask(session: &Session) -> Result<TargetFacts, Error> {
    let row = session
        .query_one("SELECT rolname::text, rolsuper FROM pg_roles WHERE rolname = current_user", &[])
        .await
        .map_err(failed)?;
    let present = session
        .query(
            "SELECT n.nspname::text, t.typname::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
             WHERE t.typtype IN ('d', 'e', 'r') OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_class c \
             WHERE c.oid = t.typrelid AND c.relkind = 'c') \
             UNION ALL SELECT n.nspname::text, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' \
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
             WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')",
            &[],
        )
        .await
        .map_err(failed)?;
    let roles = roles(session).await?;
    Ok(TargetFacts {
        server_major: session.server_version_num() / 10_000,
        user: row.get(0),
        superuser: row.get(1),
        provider: provider(&roles),
        schemas: names(session, "SELECT nspname::text FROM pg_namespace").await?,
        present: present.iter().map(|row| (row.get(0), row.get(1))).collect(),
        roles: Some(roles),
        extensions: Some(names(session, "SELECT name::text FROM pg_available_extensions").await?),
    })
}

/// Managed providers keep the superuser, and are known by the role that they
/// give in place of it; a host's name may be anything.
fn provider(roles: &BTreeSet<String>) -> Option<Managed> {
    [
        ("supabase_admin", Managed::Supabase),
        ("neon_superuser", Managed::Neon),
        ("rds_superuser", Managed::Rds),
        ("cloudsqlsuperuser", Managed::CloudSql),
        ("azure_pg_admin", Managed::Azure),
    ]
    .into_iter()
    .find_map(|(role, provider)| roles.contains(role).then_some(provider))
}

/// Every role of the server.
pub async fn roles(session: &Session) -> Result<BTreeSet<String>, Error> {
    names(session, "SELECT rolname::text FROM pg_roles").await
}

async fn names(session: &Session, query: &str) -> Result<BTreeSet<String>, Error> {
    let rows = session.query(query, &[]).await.map_err(failed)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn failed(error: tokio_postgres::Error) -> Error {
    Error::asking("ask what the target can take")(error)
}
