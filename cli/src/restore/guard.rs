//! Whether a database may be restored into: it is not the source, and nothing of
//! the user's is in it.

use rand::Rng;

use super::Error;
use crate::postgres;
use crate::postgres::session::Session;

/// Roles of managed providers, whose schemas are no one's loss.
const PROVIDERS: &[&str] = &[
    "supabase_admin",
    "supabase_auth_admin",
    "supabase_storage_admin",
    "supabase_functions_admin",
    "supabase_realtime_admin",
    "cloud_admin",
    "neon_superuser",
    "rdsadmin",
    "rds_superuser",
    "cloudsqladmin",
    "cloudsqlsuperuser",
    "azuresu",
    "azure_superuser",
];
/// Objects that an error names.
const SHOWN: i64 = 5;

/// Whether two sessions are in one database, whatever their URLs say: an
/// advisory lock that one takes is held for the other only in the same database.
pub async fn same_database(one: &Session, other: &Session) -> Result<bool, Error> {
    let failed = || postgres::Error::asking("tell source and target apart");
    let key: i64 = rand::thread_rng().r#gen();
    one.execute("SELECT pg_advisory_lock($1)", &[&key]).await.map_err(failed())?;
    let free: bool =
        other.query_one("SELECT pg_try_advisory_lock($1)", &[&key]).await.map_err(failed())?.get(0);
    one.execute("SELECT pg_advisory_unlock($1)", &[&key]).await.map_err(failed())?;
    if free {
        other.execute("SELECT pg_advisory_unlock($1)", &[&key]).await.map_err(failed())?;
    }
    Ok(!free)
}

/// Refuse a database with objects of the user's in it.
pub async fn must_be_empty(session: &Session, database: &str) -> Result<(), Error> {
    let objects = objects(session).await?;
    if objects.is_empty() { Ok(()) } else { Err(Error::NotEmpty { database: database.to_owned(), objects }) }
}

/// Some of the user's objects in a database, and how many there are beside.
pub async fn objects(session: &Session) -> Result<Vec<String>, Error> {
    let rows = session
        .query(
            "WITH mine AS (SELECT oid, nspname FROM pg_namespace n \
               WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND (nspname = 'public' OR NOT EXISTS \
               (SELECT FROM pg_roles r WHERE r.oid = n.nspowner AND r.rolname = ANY ($1::text[])))), \
             members AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'), \
             found AS ( \
               SELECT 1 AS rank, CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' \
                      WHEN 'S' THEN 'sequence ' ELSE 'table ' END || c.oid::regclass::text AS name \
               FROM pg_class c JOIN mine ON mine.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
               AND ('pg_class'::regclass::oid, c.oid) NOT IN (SELECT * FROM members) \
               UNION ALL SELECT 2, 'function ' || p.oid::regprocedure::text FROM pg_proc p \
               JOIN mine ON mine.oid = pronamespace \
               WHERE ('pg_proc'::regclass::oid, p.oid) NOT IN (SELECT * FROM members) \
               UNION ALL SELECT 3, 'type ' || format_type(t.oid, NULL) FROM pg_type t \
               JOIN mine ON mine.oid = typnamespace WHERE typtype IN ('d', 'e', 'r') \
               AND ('pg_type'::regclass::oid, t.oid) NOT IN (SELECT * FROM members) \
               UNION ALL SELECT 4, 'schema ' || quote_ident(nspname) FROM mine WHERE nspname <> 'public' \
               AND ('pg_namespace'::regclass::oid, oid) NOT IN (SELECT * FROM members) \
               UNION ALL SELECT 5, 'large object ' || oid FROM pg_largeobject_metadata) \
             SELECT name, count(*) OVER () FROM found ORDER BY rank, name LIMIT $2",
            &[&PROVIDERS, &SHOWN],
        )
        .await
        .map_err(postgres::Error::asking("look whether the database is empty"))?;
    let mut names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let all = rows.first().map_or(0, |row| row.get::<_, i64>(1));
    if all > SHOWN {
        names.push(format!("and {} more", all - SHOWN));
    }
    Ok(names)
}
