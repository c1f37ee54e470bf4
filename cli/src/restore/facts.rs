//! What a target can take: its version, what it has already, what may be made there.

use crate::archive::select::TargetFacts;
use crate::postgres::Error;
use crate::postgres::session::Session;
use crate::postgres::target::Target;

pub async fn read(target: &Target) -> Result<TargetFacts, Error> {
    let session = Session::connect(target).await?;
    let failed = |error| Error::asking("ask what the target can take")(error);
    let superuser = session
        .query_one("SELECT rolsuper FROM pg_roles WHERE rolname = current_user", &[])
        .await
        .map_err(failed)?
        .get(0);
    let names = async |query: &str| {
        let rows = session.query(query, &[]).await.map_err(failed)?;
        Ok::<_, Error>(rows.iter().map(|row| row.get::<_, String>(0)).collect())
    };
    Ok(TargetFacts {
        server_major: session.server_version_num() / 10_000,
        is_superuser: superuser,
        schemas: names("SELECT nspname::text FROM pg_namespace").await?,
        roles: names("SELECT rolname::text FROM pg_roles").await?,
        extensions: names("SELECT name::text FROM pg_available_extensions").await?,
    })
}
