//! What is large, and what is many: rows, large objects, tables. Memory stays what it
//! is, and all of it comes back.

use std::time::Duration;

use backstop::postgres::cluster::ClusterOptions;
use backstop_policy::manifest::{Manifest, Proof};

use crate::support::cluster::Server;
use crate::support::command::{Outcome, Running};
use crate::support::scene::{Scene, shared_18};
use crate::support::{equality, tools};

/// What was promised, for a build with all its checks in it too.
const MEMORY: u64 = 128 << 20;

/// Wait for a run; also the most memory that it had, in bytes.
async fn watched(run: Running) -> (Outcome, u64) {
    let status = format!("/proc/{}/status", run.pid());
    // Whoever does not read what it says keeps it waiting.
    let waiting = tokio::task::spawn_blocking(move || run.wait());
    let mut most = 0;
    while !waiting.is_finished() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(kib.unwrap_or(0) * 1024);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (waiting.await.unwrap(), most)
}

/// Back up within the bounds; the archive, and restored by stock tools as `name`.
async fn bounded(scene: &Scene<'_>, major: u32, again: &str) -> Manifest {
    let run = scene.backup(&["--format", "json", "--jobs", "4"]);
    let (outcome, memory) = watched(run.start()).await;
    let outcome = outcome.ended(0);
    assert!(memory > 0 && memory <= MEMORY, "{} MiB", memory >> 20);
    assert!(!outcome.stderr.contains("pg_dump copies the rows alone"), "{}", outcome.stderr);
    let manifest: Manifest = serde_json::from_str(&outcome.stdout).unwrap();
    let archive = std::fs::read(scene.store_path().join(&manifest.artifact.key)).unwrap();
    equality::restore_by_stock_tools(scene.server, major, again, &archive).await;
    manifest
}

/// A row is longer than anything that is held of one: text, and bytes, which take
/// twice as much in the text format.
#[tokio::test]
async fn rows_of_many_megabytes() {
    let megabytes = if tools::is_full() { 200 } else { 50 };
    let server = shared_18().await;
    let rows = format!(
        "CREATE TABLE huge (id int, t text, b bytea);
         ALTER TABLE huge ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
         INSERT INTO huge SELECT 1, repeat('0123456789abcde' || chr(10), {megabytes} * 65536), 'x';
         INSERT INTO huge SELECT 2, 'x', decode(repeat('00ff5c0a', {megabytes} * 131072), 'hex');
         INSERT INTO huge SELECT n, 'small', NULL FROM generate_series(3, 2000) n"
    );
    let scene = Scene::bare(server, "engine_huge", &rows).await;
    bounded(&scene, 18, "engine_huge_again").await;
    let sums = "SELECT count(*), sum(length(t)), sum(length(b)), md5(string_agg(md5(t), '' ORDER BY id)),
        md5(string_agg(md5(b), '' ORDER BY id)) FROM huge";
    assert_eq!(server.sql("engine_huge_again", sums).await, server.sql("engine_huge", sums).await);
    for name in ["engine_huge_again", "engine_huge"] {
        server.sql("postgres", &format!("DROP DATABASE {name}")).await;
    }
}

/// The server hands out no more than a gigabyte of one at once.
#[tokio::test]
async fn a_large_object_of_more_than_a_gigabyte() {
    let server = shared_18().await;
    let scene =
        Scene::bare(server, "engine_lob", "SELECT lo_create(7), lo_create(8), lo_from_bytea(9, 'small')")
            .await;
    for piece in 0..22 {
        let put = format!(
            "SELECT lo_put(7, {piece}::int8 * 52428800, decode(repeat(md5('{piece}'), 3276800), 'hex'))"
        );
        server.sql("engine_lob", &put).await;
    }
    let manifest = bounded(&scene, 18, "engine_lob_again").await;
    let Proof::Snapshot { large_objects, large_object_bytes, .. } = manifest.proof else {
        panic!("unproven")
    };
    assert_eq!((large_objects, large_object_bytes), (3, Some(22 * 52_428_800 + 5)));
    let sums = "SELECT md5(string_agg(md5(lo_get(7, n * 10485760, 10485760)), '' ORDER BY n)), md5(lo_get(8)), md5(lo_get(9))
        FROM generate_series(0::int8, 110) n";
    assert_eq!(server.sql("engine_lob_again", sums).await, server.sql("engine_lob", sums).await);
    for name in ["engine_lob_again", "engine_lob"] {
        server.sql("postgres", &format!("DROP DATABASE {name}")).await;
    }
}

/// Each of them is locked by one connection all the time.
#[tokio::test]
async fn ten_thousand_tables() {
    let settings = vec![("max_locks_per_transaction".to_owned(), "400".to_owned())];
    let server = Server::start_with(18, &ClusterOptions { settings, ..ClusterOptions::default() }).await;
    let scene = Scene::bare(&server, "engine_many", "SELECT 1").await;
    for step in 0..10 {
        let make = format!(
            "DO $$ BEGIN FOR n IN {} .. {} LOOP
               EXECUTE format('CREATE TABLE t%s (id int, word text)', n);
               EXECUTE format('INSERT INTO t%s VALUES (%s, ''word'')', n, n);
             END LOOP; END $$",
            step * 1000,
            step * 1000 + 999
        );
        server.sql("engine_many", &make).await;
    }
    let manifest = bounded(&scene, 18, "engine_many_again").await;
    let Proof::Snapshot { tables, .. } = manifest.proof else { panic!("unproven") };
    assert_eq!((tables.len(), tables.iter().map(|table| table.rows).sum::<u64>()), (10_000, 10_000));
    assert!(tables.iter().all(|table| table.digest.is_some()));
    // One by one they would take a minute.
    let sums = "CREATE FUNCTION pg_temp.sums(OUT tables int, OUT ids int8, OUT words text) LANGUAGE plpgsql AS $$
          DECLARE name regclass; id int; word text;
          BEGIN
            tables := 0; ids := 0; words := '';
            FOR name IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relname ~ '^t[0-9]*7$' ORDER BY relname LOOP
              EXECUTE format('SELECT id, word FROM %s', name) INTO STRICT id, word;
              tables := tables + 1; ids := ids + id; words := md5(words || word);
            END LOOP;
          END $$;
        SELECT * FROM pg_temp.sums()";
    assert!(server.sql("engine_many", sums).await.starts_with("1000|"));
    assert_eq!(server.sql("engine_many_again", sums).await, server.sql("engine_many", sums).await);
    let on = server.cluster.conninfo("postgres");
    scene.verify(&["--level", "restored", "--on", &on]).run().ended(0);
    server.cluster.stop().await.unwrap();
}
