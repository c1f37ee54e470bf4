//! Discovery against directories of small programs that only tell a version.

use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use tempfile::TempDir;

/// A directory of places, each readable by everybody, as package places are.
fn places() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
    root
}

fn program(dir: &Path, name: &str, script: &str) {
    fs::create_dir_all(dir).unwrap();
    let path = dir.join(name);
    // Written by another process: where ours had it open, a child that another
    // test forks meanwhile would hold it, and a busy file does not run.
    let writer = ["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$2\" && chmod 755 \"$2\"", "write", script];
    assert!(Command::new("/bin/sh").args(writer).arg(&path).status().unwrap().success());
}

/// Client programs of one version, whose pg_dump knows some compressions.
fn client(root: &Path, place: &str, version: &str, compressions: &str) -> PathBuf {
    let dir = root.join(place);
    for name in CLIENT_PROGRAMS {
        let script = format!(
            "case \"$*\" in --version) echo '{name} (PostgreSQL) {version}'; exit;; esac
             for known in {compressions}; do
                 case \"$*\" in *--compress=$known*)
                     echo \"{name}: error: connection to server on socket failed\" >&2; exit 1;;
                 esac
             done
             echo '{name}: error: this build does not support compression with that' >&2; exit 1"
        );
        program(&dir, name, &script);
    }
    dir.canonicalize().unwrap()
}

fn server(root: &Path, place: &str, version: &str) -> PathBuf {
    let dir = root.join(place);
    for name in SERVER_PROGRAMS {
        program(&dir, name, &format!("echo '{name} (PostgreSQL) {version}'"));
    }
    dir.canonicalize().unwrap()
}

/// A finder that has only these places and may not download.
fn finder(places: &[&PathBuf]) -> Finder {
    let nowhere = Wheel::in_cache(Some(PathBuf::from("/nonexistent"))).without_download();
    Finder::new(&places.iter().copied().cloned().collect::<Vec<_>>(), nowhere)
}

#[tokio::test]
async fn the_client_of_the_servers_major_is_chosen_else_the_nearest_newer() {
    let root = places();
    let newest = client(root.path(), "18", "18.6", "1");
    let old = client(root.path(), "15", "15.18", "1");
    let middle = client(root.path(), "16", "16.10", "1");
    let finder = finder(&[&newest, &old, &middle]);
    for (server, expected) in [(13, &old), (15, &old), (16, &middle), (17, &newest), (18, &newest)] {
        assert_eq!(&finder.client_for_server(server).await.unwrap().dir, expected, "server {server}");
    }
}

#[tokio::test]
async fn a_client_older_than_the_server_is_never_chosen() {
    let root = places();
    let old = client(root.path(), "15", "15.18", "1");
    let finder = finder(&[&old]);

    let error = finder.client_for_server(17).await.unwrap_err();
    assert_eq!(error.to_string(), "pg_dump 15 cannot dump server version 17");
    let said = crate::commands::failure::render(&error.into());
    insta::assert_snapshot!(said, @r"
    error: pg_dump 15 cannot dump server version 17
    caused by: the download of PostgreSQL's programs is switched off by BACKSTOP_NO_DOWNLOAD
    hint: install postgresql-client-17 (apt), postgresql17 (dnf) or postgresql@17 (brew), or name its directory in BACKSTOP_PG_BIN
    ");

    // Newer than the wheel too: a download is not even tried.
    let error = finder.client_for_server(19).await.unwrap_err();
    assert!(matches!(error, Error::NoClient { server: 19, newest: Some(15), wheel: None }), "{error:?}");
    assert!(finder.client_for_restore(15, 16).await.is_err());
    assert!(finder.client_for_restore(16, 15).await.is_err());
    assert_eq!(finder.client_for_restore(14, 15).await.unwrap().version.major, 15);
}

#[tokio::test]
async fn a_machine_without_any_programs_is_told_what_to_install() {
    let error = finder(&[]).client_for_server(16).await.unwrap_err();
    insta::assert_snapshot!(crate::commands::failure::render(&error.into()), @r"
    error: no pg_dump was found on this machine
    caused by: the download of PostgreSQL's programs is switched off by BACKSTOP_NO_DOWNLOAD
    hint: install postgresql-client-16 (apt), postgresql16 (dnf) or postgresql@16 (brew), or name its directory in BACKSTOP_PG_BIN
    ");
    let error = finder(&[]).server_for_major(16).await.unwrap_err();
    insta::assert_snapshot!(crate::commands::failure::render(&error.into()), @r"
    error: no server was found on this machine
    caused by: the download of PostgreSQL's programs is switched off by BACKSTOP_NO_DOWNLOAD
    hint: install postgresql-16 (apt), postgresql16-server (dnf) or postgresql@16 (brew), or name its directory in BACKSTOP_PG_BIN
    ");
}

#[tokio::test]
async fn a_build_knows_some_compressions() {
    let root = places();
    let full = client(root.path(), "18", "18.6", "1 zstd:1 lz4:1");
    let plain = client(root.path(), "17", "17.6", "1");
    let (full, plain) = (ClientTools::at(full).await.unwrap(), ClientTools::at(plain).await.unwrap());
    for compression in ["zstd", "lz4", "gzip", "none"] {
        assert!(full.supports(compression).await, "{compression}");
    }
    assert!(plain.supports("none").await && plain.supports("gzip").await && !plain.supports("zstd").await);
}

#[tokio::test]
async fn the_servers_major_is_chosen_else_the_nearest_newer_never_an_older_one() {
    let root = places();
    let (old, new) = (server(root.path(), "14", "14.19"), server(root.path(), "17", "17.6"));
    let finder = finder(&[&new, &old]);
    assert_eq!(finder.server_for_major(14).await.unwrap().dir, old);
    let newer = finder.server_for_major(15).await.unwrap();
    assert_eq!((newer.dir, newer.version.major), (new, 17));
    let error = finder.server_for_major(18).await.unwrap_err();
    assert_eq!(error.to_string(), "server 17 cannot stand in for version 18");
}

#[tokio::test]
async fn debians_wrapper_and_broken_programs_are_passed_over() {
    let root = places();
    let good = client(root.path(), "16", "16.10", "1");
    let broken = client(root.path(), "broken", "15.1", "1");
    program(&broken, "pg_dump", "echo 'error while loading shared libraries' >&2; exit 127");
    let partial = client(root.path(), "partial", "15.2", "1");
    fs::remove_file(partial.join("pg_restore")).unwrap();

    let wrapped = root.path().join("wrapped");
    program(&root.path().join("share"), "pg_wrapper", "echo 'pg_dump (PostgreSQL) 15.3'");
    fs::create_dir(&wrapped).unwrap();
    for name in CLIENT_PROGRAMS {
        std::os::unix::fs::symlink(root.path().join("share/pg_wrapper"), wrapped.join(name)).unwrap();
    }
    let finder = finder(&[&wrapped, &broken, &partial, &good]);
    let found: Vec<_> = finder.clients().await.iter().map(|tools| tools.dir.clone()).collect();
    assert_eq!(found, [good]);
}

#[tokio::test]
async fn of_two_equal_finds_the_earlier_place_wins() {
    let root = places();
    let first = client(root.path(), "named", "16.1", "1");
    let second = client(root.path(), "packaged", "16.10", "1");
    assert_eq!(finder(&[&first, &second]).client_for_server(16).await.unwrap().dir, first);
    assert_eq!(finder(&[&second, &first]).client_for_server(16).await.unwrap().dir, second);
}

#[tokio::test]
async fn programs_are_asked_once() {
    let root = places();
    let dir = client(root.path(), "16", "16.10", "1");
    let tally = root.path().join("asked");
    let script = format!("echo >> '{}'; echo 'pg_dump (PostgreSQL) 16.10'", tally.display());
    program(&dir, "pg_dump", &script);
    let finder = finder(&[&dir]);
    finder.client_for_server(16).await.unwrap();
    let first = fs::read_to_string(&tally).unwrap().len();
    finder.client_for_server(15).await.unwrap();
    finder.client_for_restore(15, 15).await.unwrap();
    assert_eq!(fs::read_to_string(&tally).unwrap().len(), first);
}

#[test]
fn the_newest_of_the_package_places_comes_first() {
    let root = places();
    for name in ["postgresql@15/bin", "postgresql@17/bin", "mysql@8/bin", "postgresql@16"] {
        fs::create_dir_all(root.path().join(name)).unwrap();
    }
    let before = format!("{}/postgresql@", root.path().display());
    let found = numbered(&before, "/bin");
    let ends = ["postgresql@17/bin", "postgresql@15/bin"].map(|end| root.path().join(end));
    assert_eq!(found, ends);
}
