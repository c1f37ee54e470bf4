//! What a target can take: its version, what it has already, what may be made there.

use std::collections::BTreeSet;

use backstop_policy::provider::Provider;

use crate::archive::{Managed, TargetFacts};
use crate::postgres::Error;
use crate::postgres::session::Session;
use crate::postgres::target::Target;

pub async fn read(target: &Target) -> Result<TargetFacts, Error> {
    let session = Session::connect(target).await?;
    let failed = |error| Error::asking("ask what the target can take")(error);
    let me = session
        .query_one("SELECT rolname::text, rolsuper FROM pg_roles WHERE rolname = current_user", &[])
        .await
        .map_err(failed)?;
    let names = async |query: &str| {
        let rows = session.query(query, &[]).await.map_err(failed)?;
        Ok::<BTreeSet<String>, Error>(rows.iter().map(|row| row.get(0)).collect())
    };
    let present = session
        .query(
            "SELECT n.nspname::text, t.typname::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
             WHERE n.nspname <> 'pg_catalog' UNION ALL SELECT n.nspname::text, \
             format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) \
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname <> 'pg_catalog'",
            &[],
        )
        .await
        .map_err(failed)?;
    Ok(TargetFacts {
        server_major: session.server_version_num() / 10_000,
        user: me.get(0),
        superuser: me.get(1),
        provider: Managed::of(&Provider::detect(target.host(), Some(target.port()), Some(target.user()))),
        schemas: names("SELECT nspname::text FROM pg_namespace").await?,
        present: present.iter().map(|row| (row.get(0), row.get(1))).collect(),
        roles: Some(names("SELECT rolname::text FROM pg_roles").await?),
        extensions: Some(names("SELECT name::text FROM pg_available_extensions").await?),
    })
}
