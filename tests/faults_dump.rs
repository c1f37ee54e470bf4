//! A `pg_dump` that copies the rows alone, and dies, is killed, lies or meets a
//! server that goes away: no backup comes of it, and nothing else suffers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use backstop::archive::{DataState, read_toc};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::cluster::Server;
use crate::support::scene::{ALONE, Scene, big, shared};
use crate::support::tools;

/// Three tables, of which the middle one is the largest.
const THREE_TABLES: &str = "
    CREATE TABLE a AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 500) n;
    CREATE TABLE b AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 5000) n;
    CREATE TABLE c AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 500) n";

/// A directory of client programs whose `pg_dump` does `body` instead of dumping;
/// `$real` is the real one.
pub fn instead(body: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let programs = tools::postgres(15);
    for name in ["pg_dumpall", "pg_restore", "psql"] {
        std::os::unix::fs::symlink(programs.join(name), folder.path().join(name)).unwrap();
    }
    let script = format!(
        "#!/bin/sh\nreal='{}'\ncase \" $* \" in *' --no-password '*) ;; *) exec \"$real\" \"$@\" ;; esac\n{body}\n",
        programs.join("pg_dump").display()
    );
    let path = folder.path().join("pg_dump");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// What a backup says whose `pg_dump` is such a one.
async fn said_with(scene: &Scene<'_>, programs: &TempDir) -> String {
    let said = scene.fails(scene.backup(ALONE).env("BACKSTOP_PG_BIN", programs.path())).await;
    said.replace(&programs.path().display().to_string(), "[WRAPPER]")
}

/// Bytes of the one dump in the store.
fn stored_dump(scene: &Scene<'_>) -> Vec<u8> {
    let is_dump = |path: &Path| path.extension().is_some_and(|extension| extension == "dump");
    scene.files().into_iter().find(|(path, _)| is_dump(path)).unwrap().1
}

/// The numbers of a message that vary with the compression.
fn without_numbers(text: &str) -> String {
    text.split(' ')
        .map(|word| if word.chars().any(|c| c.is_ascii_digit()) && word.len() > 2 { "N" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn pg_dump_exits_0_with_a_part_of_the_file() {
    let scene = Scene::new(shared().await, "part_of_file", THREE_TABLES).await;
    let whole = stored_dump(&scene).len();
    for length in [11, 200, whole / 4, whole / 2, whole * 3 / 4, whole - 1] {
        let lying = instead(&format!("\"$real\" \"$@\" | head -c {length}\nexit 0"));
        let said = said_with(&scene, &lying).await;
        assert!(said.contains("is not a whole archive\ncaused by: "), "{length} of {whole} bytes: {said}");
    }
    let half = instead(&format!("\"$real\" \"$@\" | head -c {}\nexit 0", whole / 2));
    insta::assert_snapshot!(without_numbers(&said_with(&scene, &half).await), @r"
    error: what '[WRAPPER]/pg_dump' wrote is not a whole archive
    caused by: the archive ends at byte N inside the data of 'public.b'
    hint: nothing was committed; check '[WRAPPER]/pg_dump', and run the backup again
    ");
}

#[tokio::test]
async fn pg_dump_exits_0_with_an_empty_file() {
    let scene = Scene::new(shared().await, "empty_file", THREE_TABLES).await;
    insta::assert_snapshot!(said_with(&scene, &instead("exit 0")).await, @r"
    error: what '[WRAPPER]/pg_dump' wrote is not a whole archive
    caused by: the archive ends at byte 0, inside its header
    hint: nothing was committed; check '[WRAPPER]/pg_dump', and run the backup again
    ");
}

#[tokio::test]
async fn pg_dump_exits_0_with_something_else() {
    let scene = Scene::new(shared().await, "something_else", THREE_TABLES).await;
    let plain = instead("\"$real\" \"$@\" --format=plain");
    insta::assert_snapshot!(said_with(&scene, &plain).await, @r"
    error: what '[WRAPPER]/pg_dump' wrote is not a whole archive
    caused by: this is something else, not a custom-format archive of pg_dump
    hint: nothing was committed; check '[WRAPPER]/pg_dump', and run the backup again
    ");
    let twice = instead("\"$real\" \"$@\" && \"$real\" \"$@\"");
    insta::assert_snapshot!(without_numbers(&said_with(&scene, &twice).await), @r"
    error: what '[WRAPPER]/pg_dump' wrote is not a whole archive
    caused by: the archive is complete at byte N but more bytes follow
    hint: nothing was committed; check '[WRAPPER]/pg_dump', and run the backup again
    ");
}

/// The archive's table of contents names the rows, and their block is cut out.
#[tokio::test]
async fn pg_dump_exits_0_without_the_block_of_a_table() {
    let scene = Scene::new(shared().await, "no_block", THREE_TABLES).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let target = scene.server.cluster.conninfo(&scene.database);
    let status = Command::new(tools::postgres(15).join("pg_dump"))
        .args(["--format=custom", "--compress=0", &format!("--dbname={target}"), "--file"])
        .arg(file.path())
        .status()
        .unwrap();
    assert!(status.success());
    let archive = std::fs::read(file.path()).unwrap();
    let (toc, _) = read_toc(&mut &archive[..]).unwrap();
    let start_of = |table: &str| {
        let data = toc.entries.iter().find(|entry| entry.desc == "TABLE DATA" && entry.tag == table);
        match data.unwrap().data {
            DataState::Offset(at) => usize::try_from(at).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let without = [&archive[..start_of("b")], &archive[start_of("c")..]].concat();
    std::fs::write(file.path(), without).unwrap();
    let lying = instead(&format!("cat '{}'", file.path().display()));
    insta::assert_snapshot!(without_numbers(&said_with(&scene, &lying).await), @r"
    error: what '[WRAPPER]/pg_dump' wrote is not a whole archive
    caused by: the archive is damaged at byte N block N where block N (the data of 'public.b') belongs
    hint: nothing was committed; check '[WRAPPER]/pg_dump', and run the backup again
    ");
}

/// Nor does the archive's table of contents say that there were rows.
#[tokio::test]
async fn pg_dump_exits_0_and_does_not_mention_the_rows_of_a_table() {
    let scene = Scene::new(shared().await, "no_mention", &format!("{THREE_TABLES}; CREATE SEQUENCE s")).await;
    let silent = |flag: &str| instead(&format!("\"$real\" \"$@\" {flag}"));
    insta::assert_snapshot!(said_with(&scene, &silent("--exclude-table-data=b")).await, @r"
    error: the dump of 'db' is not complete: the rows of table public.b are not in the archive
    hint: nothing was committed; the older backups are as they were
    ");
    insta::assert_snapshot!(said_with(&scene, &silent("--exclude-table-data=s")).await, @r"
    error: the dump of 'db' is not complete: the positions of 0 of 1 sequences are in the archive
    hint: nothing was committed; the older backups are as they were
    ");
    insta::assert_snapshot!(said_with(&scene, &silent("--exclude-table=b")).await, @r"
    error: the dump of 'db' is not complete: the rows of table public.b are not in the archive; table public.b is not in the archive
    hint: nothing was committed; the older backups are as they were
    ");
    insta::assert_snapshot!(said_with(&scene, &silent("--section=data")).await, @r"
    error: the dump of 'db' is not complete: table public.a is not in the archive; table public.b is not in the archive; table public.c is not in the archive; sequence public.s is not in the archive
    hint: nothing was committed; the older backups are as they were
    ");
}

/// A whole, sound archive, and not of this snapshot: of yesterday.
#[tokio::test]
async fn pg_dump_exits_0_with_an_older_dump() {
    let scene = Scene::new(shared().await, "older_dump", THREE_TABLES).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), stored_dump(&scene)).unwrap();
    scene.server.sql(&scene.database, "INSERT INTO a SELECT 0, 'new'; DELETE FROM c WHERE id < 3").await;
    let stale = instead(&format!("cat '{}'", file.path().display()));
    insta::assert_snapshot!(said_with(&scene, &stale).await, @r"
    error: the dump of 'db' is not complete: table public.a has 500 rows in the archive, but 501 in the snapshot; table public.c has 500 rows in the archive, but 498 in the snapshot
    hint: nothing was committed; the older backups are as they were
    ");
}

#[tokio::test]
async fn pg_dump_exits_1_after_a_complete_file() {
    let scene = Scene::new(shared().await, "exits_1", THREE_TABLES).await;
    let failing = instead(
        "\"$real\" \"$@\"\necho 'pg_dump: warning: something odd' >&2\necho 'pg_dump: error: a late failure' >&2\nexit 1",
    );
    insta::assert_snapshot!(said_with(&scene, &failing).await, @r"
    error: pg_dump failed (exit status: 1): a late failure
    hint: nothing was committed; run the backup again
    ");
    let silent = instead("\"$real\" \"$@\"; exit 3");
    insta::assert_snapshot!(said_with(&scene, &silent).await, @r"
    error: pg_dump failed (exit status: 3): it said nothing
    hint: nothing was committed; run the backup again
    ");
}

#[tokio::test]
async fn pg_dump_is_killed() {
    let scene = big("killed").await;
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let mut run = scene.backup(ALONE).start();
        let pg_dump = scene.freeze(&mut run).await;
        kill(pg_dump, signal).unwrap();
        // One that is dead may be gone already.
        let _ = kill(pg_dump, Signal::SIGCONT);
        let said = scene.ends_in_failure(run).await;
        match signal {
            Signal::SIGKILL => insta::assert_snapshot!(said, @r"
            error: pg_dump failed (signal: 9 (SIGKILL)): it said nothing
            hint: nothing was committed; the system's log says who killed it: the kernel does when memory runs out
            "),
            _ => insta::assert_snapshot!(said, @r"
            error: pg_dump failed (exit status: 1): terminated by user
            hint: nothing was committed; run the backup again
            "),
        }
    }
}

#[tokio::test]
async fn the_server_ends_the_session_of_the_dump() {
    let scene = big("session_ended").await;
    let mut run = scene.backup(ALONE).start();
    let pg_dump = scene.freeze(&mut run).await;
    let ended = scene
        .server
        .sql(
            "postgres",
            &format!(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = '{}' AND query LIKE 'COPY%' AND backend_type = 'client backend'",
                scene.database
            ),
        )
        .await;
    assert_eq!(ended, "1", "{}", scene.sessions().await);
    kill(pg_dump, Signal::SIGCONT).unwrap();
    let said = scene.ends_in_failure(run).await;
    // How much of the server's last word reaches it is a matter of time.
    for expected in [
        "error: pg_dump failed (exit status: 1): Dumping the contents of table \"large\" failed: ",
        "; detail: Error message from server: ",
        "; detail: Command was: COPY public.large (id, word) TO stdout;\n",
        "hint: nothing was committed; look into the server's log, and run the backup again\n",
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

/// `pg_ctl stop -m immediate`, as a crash of the machine would end it.
#[tokio::test]
async fn the_server_goes_away_in_the_middle() {
    let server = Server::start(15).await;
    server.sql("postgres", crate::support::scene::BIG).await;
    let scene = Scene::of(&server, "postgres").with_backup();
    let mut run = scene.backup(ALONE).start();
    let home = run.home.path().to_owned();
    let pg_dump = scene.freeze(&mut run).await;
    let pid = std::fs::read_to_string(server.cluster.data_dir().join("postmaster.pid")).unwrap();
    kill(Pid::from_raw(pid.lines().next().unwrap().parse().unwrap()), Signal::SIGQUIT).unwrap();
    kill(pg_dump, Signal::SIGCONT).unwrap();
    let outcome = run.wait().ended(2);
    scene.store_is_as_before();
    scene.no_process(&home).await;
    insta::assert_snapshot!(scene.redact(&outcome.stderr, &home), @r#"
    warning: the backup is not encrypted: whoever reads the store reads the data
    error: pg_dump failed (exit status: 1): Dumping the contents of table "large" failed: PQgetCopyData() failed.; detail: Error message from server: server closed the connection unexpectedly; detail: Command was: COPY public.large (id, word) TO stdout;
    hint: nothing was committed; look into the server's log, and run the backup again
    "#);
}

/// Nobody reads the words of a `pg_dump` that is silent for ever, but everybody
/// can stop it.
#[tokio::test]
async fn pg_dump_that_ends_its_output_and_does_not_exit() {
    let scene = Scene::new(shared().await, "no_exit", THREE_TABLES).await;
    let hanging = instead("\"$real\" \"$@\"; exec >&-; exec sleep 1000");
    let run = scene.backup(ALONE).env("BACKSTOP_PG_BIN", hanging.path()).start();
    let begun = std::time::Instant::now();
    while !crate::support::scene::processes(run.home.path())
        .iter()
        .any(|(_, command)| command.contains("sleep"))
    {
        assert!(begun.elapsed().as_secs() < 20);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    run.signal(Signal::SIGINT);
    insta::assert_snapshot!(scene.ends_in_failure(run).await, @r"
    error: stopped before the end
    hint: nothing was committed; the older backups are as they were
    ");
}

/// Without this, the tests above might see their own wrapper fail.
#[tokio::test]
async fn a_wrapper_that_does_nothing_is_a_good_pg_dump() {
    let scene = Scene::new(shared().await, "wrapper", THREE_TABLES).await;
    let honest = instead("\"$real\" \"$@\"");
    for arguments in [ALONE, &[]] {
        scene.backup(arguments).env("BACKSTOP_PG_BIN", honest.path()).run().ended(0);
        scene.verify(&[]).run().ended(0);
    }
}
