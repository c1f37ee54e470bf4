//! What goes wrong while several connections copy the rows: `pg_dump` lies or dies
//! before it has said what there is, a connection is lost, the server or backstop is.
//! No backup comes of it, and nothing is left.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::faults_dump::instead;
use crate::support::cluster::Server;
use crate::support::command::Running;
use crate::support::scene::{BIG, Scene, big, processes, shared};

const TABLES: &str = "
    CREATE TABLE a AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 500) n;
    CREATE TABLE b AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 5000) n";

/// What a backup says whose `pg_dump` is such a one.
async fn said_with(scene: &Scene<'_>, programs: &TempDir) -> String {
    let said = scene.fails(scene.backup(&[]).env("BACKSTOP_PG_BIN", programs.path())).await;
    said.replace(&programs.path().display().to_string(), "[WRAPPER]")
}

/// A large backup of which every connection stands in the middle of its rows.
async fn caught(scene: &Scene<'_>) -> (Running, Vec<i32>, tokio_postgres::Client) {
    let holder = scene.hold().await;
    let mut run = scene.backup(&["--jobs", "3"]).start();
    let copying = scene.copying(&mut run, 3).await;
    assert!(processes(run.home.path()).iter().all(|(_, command)| !command.contains("pg_dump")));
    (run, copying, holder)
}

#[tokio::test]
async fn pg_dump_ends_inside_its_table_of_contents() {
    let scene = Scene::new(shared().await, "engine_inside", TABLES).await;
    for length in [0, 4, 11, 40, 200, 900] {
        for end in ["exit 0", "exit 1", "kill -9 $$"] {
            let lying = instead(&format!("\"$real\" \"$@\" | head -c {length}\n{end}"));
            let said = said_with(&scene, &lying).await;
            let expected = match end {
                "exit 0" => "error: what '[WRAPPER]/pg_dump' wrote is not a whole archive\ncaused by: ",
                "exit 1" => "error: pg_dump failed (exit status: 1): it said nothing\n",
                _ => "error: pg_dump failed (signal: 9 (SIGKILL)): it said nothing\n",
            };
            assert!(said.starts_with(expected), "{length} bytes, {end}: {said}");
            assert!(said.contains("\nhint: nothing was committed"), "{said}");
        }
    }
    let failing = instead("echo 'pg_dump: error: no, not today' >&2; exit 1");
    insta::assert_snapshot!(said_with(&scene, &failing).await, @r"
    error: pg_dump failed (exit status: 1): no, not today
    hint: nothing was committed; run the backup again
    ");
}

/// Whoever waits for it can stop it, even where a script stands before it.
#[tokio::test]
async fn pg_dump_is_silent() {
    let scene = Scene::new(shared().await, "engine_silent", TABLES).await;
    for body in [
        "exec sleep 1000",
        "\"$real\" \"$@\" | head -c 300; exec sleep 1000",
        "\"$real\" \"$@\" | { head -c 300; exec sleep 1000; }",
    ] {
        let silent = instead(body);
        let run = scene.backup(&[]).env("BACKSTOP_PG_BIN", silent.path()).start();
        let home = run.home.path().to_owned();
        let sleeping = || processes(&home).into_iter().find(|(_, command)| command.contains("sleep 1000"));
        scene.until(|| async { sleeping().is_some() }).await;
        run.signal(Signal::SIGINT);
        let outcome = tokio::task::spawn_blocking(move || run.wait()).await.unwrap().ended(2);
        // What a script started is not known to us.
        if let Some((pid, _)) = sleeping() {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        }
        assert!(outcome.stderr.contains("error: stopped before the end\n"), "{body}: {}", outcome.stderr);
        scene.nothing_left(&home).await;
        scene.store_is_as_before();
    }
}

/// A whole table of contents, and one of yesterday: what it names is gone.
#[tokio::test]
async fn pg_dump_writes_an_older_table_of_contents() {
    let scene = Scene::new(shared().await, "engine_older", TABLES).await;
    let is_dump = |path: &std::path::Path| path.extension().is_some_and(|extension| extension == "dump");
    let old = scene.files().into_iter().find(|(path, _)| is_dump(path)).unwrap().1;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), old).unwrap();
    let stale = instead(&format!("cat '{}'", file.path().display()));

    // The tables are the same, and their rows come from the server, not from the file.
    scene.server.sql(&scene.database, "INSERT INTO a SELECT 0, 'new'").await;
    let taken = scene.backup(&["--format", "json"]).env("BACKSTOP_PG_BIN", stale.path()).run().ended(0);
    let manifest: backstop_policy::manifest::Manifest = serde_json::from_str(&taken.stdout).unwrap();
    assert_eq!(crate::concurrency::rows(&manifest, "a").0, 501);
    scene.verify(&[]).run().ended(0);

    let scene = scene.left_as_it_is();
    scene.server.sql(&scene.database, "DROP TABLE a; CREATE TABLE a AS SELECT 7 AS id, 'x' AS word").await;
    insta::assert_snapshot!(said_with(&scene, &stale).await, @r"
    warning: pg_dump copies the rows alone: table public.a was dropped or renamed meanwhile
    error: the dump of 'db' is not complete: the rows of table public.a are not in the archive
    hint: nothing was committed; the older backups are as they were
    ");
}

/// Behind a script that stays alive when it is asked to end.
#[tokio::test]
async fn pg_dump_does_not_end_when_it_is_asked_to() {
    let scene = Scene::new(shared().await, "engine_stays", TABLES).await;
    let staying = instead("trap '' TERM; \"$real\" \"$@\"; while :; do sleep 1; done");
    let run = scene.backup(&[]).env("BACKSTOP_PG_BIN", staying.path());
    let home = run.home().to_owned();
    run.run().ended(0);
    scene.nothing_left(&home).await;
    scene.verify(&[]).run().ended(0);
}

#[tokio::test]
async fn a_connection_that_copies_is_ended() {
    let scene = big("engine_worker").await;
    for victim in 0..3 {
        let (run, copying, holder) = caught(&scene).await;
        scene.terminate(copying[victim]).await;
        // The others go too, though what they wait for never comes.
        let said = scene.ends_in_failure(run).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(said, @r"
            error: cannot copy the rows of 'public.large'
            caused by: the server could not copy its rows: terminating connection due to administrator command (SQLSTATE 57P01)
            hint: nothing was committed; look into the server's log, and run the backup again
            ");
        }
        drop(holder);
    }
}

/// Its locks go with it, and whoever waits for them empties a table for every
/// snapshot: so the backup ends at once.
#[tokio::test]
async fn the_connection_that_holds_the_locks_is_ended() {
    let scene = big("engine_keeper").await;
    let (run, _, holder) = caught(&scene).await;
    let truncating = scene.session().await;
    let truncated = tokio::spawn(async move { truncating.batch_execute("TRUNCATE zlast").await.unwrap() });
    scene.until(|| async { scene.sessions().await.contains("TRUNCATE") }).await;
    assert!(!truncated.is_finished());
    scene.terminate(scene.keeper().await).await;
    let said = scene.ends_in_failure(run).await;
    insta::assert_snapshot!(said, @r"
    error: the connection that kept the tables locked was lost
    caused by: the server could not keep the tables locked: terminating connection due to administrator command (SQLSTATE 57P01)
    hint: nothing was committed; look into the server's log, and run the backup again
    ");
    truncated.await.unwrap();
    drop(holder);
}

/// The same when backstop cannot hear of it before everything is copied.
#[tokio::test]
async fn the_connection_that_holds_the_locks_is_ended_unseen() {
    let scene = big("engine_keeper_unseen").await;
    let (run, _, holder) = caught(&scene).await;
    run.signal(Signal::SIGSTOP);
    scene.terminate(scene.keeper().await).await;
    scene.server.sql(&scene.database, "TRUNCATE zlast").await;
    holder.batch_execute("ROLLBACK").await.unwrap();
    drop(holder);
    run.signal(Signal::SIGCONT);
    let said = scene.ends_in_failure(run).await;
    assert!(said.starts_with("error: the connection that kept the tables locked was lost\n"), "{said}");
}

/// `pg_ctl stop -m immediate`, as a crash of the machine would end it.
#[tokio::test]
async fn the_server_goes_away() {
    let server = Server::start(15).await;
    server.sql("postgres", BIG).await;
    let scene = Scene::of(&server, "postgres").with_backup();
    let (run, _, _holder) = caught(&scene).await;
    let home = run.home.path().to_owned();
    let pid = std::fs::read_to_string(server.cluster.data_dir().join("postmaster.pid")).unwrap();
    kill(Pid::from_raw(pid.lines().next().unwrap().parse().unwrap()), Signal::SIGQUIT).unwrap();
    let outcome = tokio::task::spawn_blocking(move || run.wait()).await.unwrap().ended(2);
    scene.store_is_as_before();
    scene.no_process(&home).await;
    // Whichever connection hears of it first.
    let (error, hint) = outcome.stderr.split_once("\nhint: ").unwrap();
    let known =
        ["cannot copy the rows of 'public.large'", "the connection that kept the tables locked was lost"];
    assert!(known.iter().any(|known| error.contains(&format!("error: {known}\ncaused by: "))), "{error}");
    assert_eq!(hint, "nothing was committed; look into the server's log, and run the backup again\n");
}

#[tokio::test]
async fn interrupted_while_it_copies() {
    let scene = big("engine_interrupted").await;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (run, _, holder) = caught(&scene).await;
        run.signal(signal);
        let said = scene.ends_in_failure(run).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(said, @r"
            error: stopped before the end
            hint: nothing was committed; the older backups are as they were
            ");
        }
        drop(holder);
    }
}

/// Nobody tells the server, but every connection breaks, and its locks go.
#[tokio::test]
async fn killed_while_it_copies() {
    let scene = big("engine_killed").await;
    let (run, _, holder) = caught(&scene).await;
    run.signal(Signal::SIGKILL);
    let home = run.home.path().to_owned();
    assert_eq!(run.wait().status, None, "killed");
    // Those who wait for a lock notice when they have it.
    holder.batch_execute("ROLLBACK").await.unwrap();
    drop(holder);
    scene.nothing_left(&home).await;

    scene.only_unfinished_left();
    scene.verify(&["--level", "stored"]).run().ended(0);
    scene.backup(&[]).run().ended(0);
    scene.verify(&[]).run().ended(0);
}

/// Stopped and continued, as a laptop that sleeps.
#[tokio::test]
async fn suspended_while_it_copies() {
    let scene = big("engine_suspended").await;
    let (run, _, holder) = caught(&scene).await;
    run.signal(Signal::SIGSTOP);
    holder.batch_execute("ROLLBACK").await.unwrap();
    drop(holder);
    tokio::time::sleep(Duration::from_millis(500)).await;
    run.signal(Signal::SIGCONT);
    let home = run.home.path().to_owned();
    tokio::task::spawn_blocking(move || run.wait().ended(0)).await.unwrap();
    scene.nothing_left(&home).await;
    scene.verify(&[]).run().ended(0);
}
