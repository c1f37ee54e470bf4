//! What happens while `pg_dump` copies the rows: the backup is interrupted, killed,
//! started twice, or somebody changes the tables under it.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use crate::support::scene::{ALONE, Scene, big, shared};

#[tokio::test]
async fn interrupted_in_the_middle() {
    let scene = big("interrupted").await;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut run = scene.backup(ALONE).start();
        let pg_dump = scene.freeze(&mut run).await;
        kill(pg_dump, Signal::SIGCONT).unwrap();
        run.signal(signal);
        let said = scene.ends_in_failure(run).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(said, @r"
            error: stopped before the end
            hint: nothing was committed; the older backups are as they were
            ");
        }
    }
}

#[tokio::test]
async fn interrupted_while_pg_dump_is_suspended() {
    let scene = big("suspended").await;
    let mut run = scene.backup(ALONE).start();
    scene.freeze(&mut run).await;
    run.signal(Signal::SIGINT);
    insta::assert_snapshot!(scene.ends_in_failure(run).await, @r"
    error: stopped before the end
    hint: nothing was committed; the older backups are as they were
    ");
}

/// Somebody holds a table, and the dump waits for it.
#[tokio::test]
async fn interrupted_while_pg_dump_waits_for_a_lock() {
    let scene = Scene::new(shared().await, "lock_wait", "CREATE TABLE t AS SELECT 1 AS id").await;
    let holder = scene.session().await;
    holder.batch_execute("BEGIN; LOCK TABLE t").await.unwrap();
    let run = scene.backup(&[]).start();
    scene.until(|| async { scene.sessions().await.contains("LOCK TABLE public.t IN ACCESS SHARE") }).await;
    run.signal(Signal::SIGTERM);
    let home = run.home.path().to_owned();
    let outcome = tokio::task::spawn_blocking(move || run.wait()).await.unwrap().ended(2);
    holder.batch_execute("ROLLBACK").await.unwrap();
    drop(holder);
    scene.nothing_left(&home).await;
    scene.store_is_as_before();
    insta::assert_snapshot!(scene.redact(&outcome.stderr, &home), @r"
    warning: the backup is not encrypted: whoever reads the store reads the data
    error: stopped before the end
    hint: nothing was committed; the older backups are as they were
    ");
}

/// Nothing can be cleaned up by who was killed; it must not count, and must not
/// be in the way.
#[tokio::test]
async fn killed_in_the_middle() {
    let scene = big("killed_outright").await;
    let mut run = scene.backup(ALONE).start();
    let pg_dump = scene.freeze(&mut run).await;
    run.signal(Signal::SIGKILL);
    let home = run.home.path().to_owned();
    assert_eq!(run.wait().status, None, "killed");
    // Its output has no reader any more.
    kill(pg_dump, Signal::SIGCONT).unwrap();
    scene.nothing_left(&home).await;

    scene.only_unfinished_left();
    let list = scene.command("list", &["--format", "json"]).run().ended(0);
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list["backups"].as_array().unwrap().len(), 1, "{list}");
    scene.verify(&["--level", "stored"]).run().ended(0);

    // The lease of the dead is no obstacle.
    scene.backup(&[]).run().ended(0);
    let list = scene.command("list", &["--format", "json"]).run().ended(0);
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list["backups"].as_array().unwrap().len(), 2, "{list}");
}

#[tokio::test]
async fn two_backups_at_once() {
    let scene = big("two_at_once").await;
    let mut first = scene.backup(ALONE).start();
    let pg_dump = scene.freeze(&mut first).await;
    let second = scene.backup(&[]).run().ended(2);
    kill(pg_dump, Signal::SIGCONT).unwrap();
    // The host, the process and the time are those of the first.
    let said = second.stderr.lines().skip(1).collect::<Vec<_>>().join("\n");
    let said = said.replace(&format!("process {}", first.pid()), "process [PID]");
    let (before, after) = said.split_once(" on '").unwrap();
    let (_, hint) = after.split_once('\n').unwrap();
    insta::assert_snapshot!(format!("{before}\n{hint}"), @r"
    error: a backup of 'db' is already running: process [PID]
    hint: wait for it to end; if it was killed on another machine, its lease runs out ten minutes after its last sign of life
    ");

    let home = first.home.path().to_owned();
    tokio::task::spawn_blocking(move || first.wait().ended(0)).await.unwrap();
    scene.nothing_left(&home).await;
    assert!(scene.files().keys().all(|path| !path.ends_with("lease")), "the lease was given back");
}

/// `ALTER TABLE` queues behind the dump's lock, and everybody else behind it: the
/// counts must not wait there, and nobody waits for ever.
#[tokio::test]
async fn a_table_is_altered_behind_the_dump() {
    let scene = big("altered").await;
    let mut run = scene.backup(ALONE).start();
    let pg_dump = scene.freeze(&mut run).await;
    let change = scene.session().await;
    let altering = tokio::spawn(async move {
        change.batch_execute("ALTER TABLE large ADD COLUMN more int; TRUNCATE small").await.unwrap();
    });
    scene.until(|| async { scene.sessions().await.contains("ALTER TABLE") }).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!altering.is_finished(), "the dump's lock holds it back");
    kill(pg_dump, Signal::SIGCONT).unwrap();
    let home = run.home.path().to_owned();
    tokio::task::spawn_blocking(move || run.wait().ended(0)).await.unwrap();
    altering.await.unwrap();
    scene.nothing_left(&home).await;
    scene.verify(&[]).run().ended(0);
}

/// The locks of a small dump are gone before its rows could be counted, and what
/// was truncated since looks empty to every older snapshot.
#[tokio::test]
async fn tables_are_emptied_dropped_and_rewritten_before_they_are_counted() {
    let tables = "CREATE TABLE emptied AS SELECT generate_series(1, 10) AS id;
        CREATE TABLE dropped AS TABLE emptied; CREATE TABLE rewritten AS TABLE emptied;
        CREATE TABLE renamed AS TABLE emptied; CREATE TABLE deleted AS TABLE emptied;
        CREATE SCHEMA gone; CREATE TABLE gone.t AS TABLE emptied";
    let scene = Scene::new(shared().await, "emptied", tables).await;
    let go = tempfile::tempdir().unwrap();
    let (ready, went) = (go.path().join("ready"), go.path().join("go"));
    // pg_dump ends, and only then does backstop see its first byte.
    let held = crate::faults_dump::instead(&format!(
        "\"$real\" \"$@\" >'{dump}' || exit\ntouch '{ready}'\nwhile [ ! -e '{go}' ]; do sleep 0.05; done\ncat '{dump}'",
        dump = go.path().join("dump").display(),
        ready = ready.display(),
        go = went.display()
    ));
    let run = scene.backup(&["--format", "json"]).env("BACKSTOP_PG_BIN", held.path()).start();
    scene.until(|| async { ready.exists() }).await;
    scene
        .server
        .sql(
            &scene.database,
            "TRUNCATE emptied; DROP TABLE dropped; ALTER TABLE rewritten ALTER id TYPE bigint USING id + 1;
             ALTER TABLE renamed RENAME TO other; DELETE FROM deleted; DROP SCHEMA gone CASCADE",
        )
        .await;
    std::fs::write(&went, "").unwrap();
    let home = run.home.path().to_owned();
    // The snapshot is older than what pg_dump locked: nobody can say any more
    // what it should have held, so there is no backup.
    let outcome = tokio::task::spawn_blocking(move || run.wait().ended(2)).await.unwrap();
    scene.nothing_left(&home).await;
    let said = outcome.stderr;
    assert!(said.contains("error: others changed 'emptied' while its backup began: "), "{said}");
    assert!(
        said.contains("hint: nothing was committed; run it again when no migration is under way"),
        "{said}"
    );
}
