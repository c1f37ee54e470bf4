//! A backup whose connections, whose `pg_dump` or who itself is killed at any moment:
//! it succeeds, or there is no backup, and nothing goes on or stays behind.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::support::scene::{Scene, processes, shared_18};

const ROUNDS: u64 = 50;

const TABLES: &str = "
    CREATE TABLE a AS SELECT n AS id, md5(n::text) || md5((-n)::text) AS word FROM generate_series(1, 90000) n;
    CREATE TABLE b AS SELECT n AS id, repeat(md5(n::text), 300) AS long FROM generate_series(1, 900) n;
    CREATE TABLE c AS TABLE a;
    CREATE TABLE zlast AS SELECT 1 AS id;
    SELECT lo_from_bytea(0, repeat('large object ', 30000)::bytea) FROM generate_series(1, 9)";

#[derive(Debug, Clone, Copy)]
enum Victim {
    Connection,
    PgDump(Signal),
    Backstop(Signal),
}

const VICTIMS: [Victim; 8] = [
    Victim::Connection,
    Victim::Connection,
    Victim::Connection,
    Victim::PgDump(Signal::SIGKILL),
    Victim::PgDump(Signal::SIGTERM),
    Victim::Backstop(Signal::SIGKILL),
    Victim::Backstop(Signal::SIGTERM),
    Victim::Backstop(Signal::SIGINT),
];

fn names(scene: &Scene<'_>) -> BTreeSet<PathBuf> {
    scene.files().into_keys().collect()
}

fn manifests(names: &BTreeSet<PathBuf>) -> usize {
    names
        .iter()
        .filter(|path| path.to_string_lossy().contains("/catalog/"))
        .filter(|path| path.extension().is_some())
        .count()
}

/// Moments and victims are random, the same in every run but for what the machine
/// makes of them.
#[tokio::test]
async fn fifty_kills_leave_nothing() {
    let server = shared_18().await;
    let scene = Scene::bare(server, "engine_kills", TABLES).await;
    let begun = Instant::now();
    let scene = scene.with_backup();
    let mut usual = begun.elapsed();
    let mut random = StdRng::seed_from_u64(20_261_121);
    let mut known = names(&scene);
    let (mut hit, mut survived) = (0, 0);
    for round in 0..ROUNDS {
        let victim = *VICTIMS.choose(&mut random).unwrap();
        // Most of the time goes by before the first row is copied.
        let moment = usual.mul_f64(random.gen_range(0.0..1.1));
        let what = format!("round {round}: {victim:?} after {moment:?}");
        let begun = Instant::now();
        let run = scene.backup(&["--jobs", "3"]).start();
        let (pid, home) = (run.pid(), run.home.path().to_owned());
        tokio::time::sleep(moment).await;
        let struck = match victim {
            Victim::Connection => match scene.pids("application_name <> ''").await.choose(&mut random) {
                // It may go by itself at the same time.
                Some(backend) => {
                    server.sql("postgres", &format!("SELECT pg_terminate_backend({backend})")).await == "t"
                }
                None => false,
            },
            Victim::PgDump(signal) => processes(&home)
                .into_iter()
                .find(|(_, command)| command.contains("pg_dump"))
                .is_some_and(|(pg_dump, _)| kill(Pid::from_raw(pg_dump), signal).is_ok()),
            Victim::Backstop(signal) => kill(pid, signal).is_ok(),
        };
        let outcome = tokio::task::spawn_blocking(move || run.wait()).await.unwrap();
        if !struck {
            // By now it was over: it takes no more time than that.
            usual = usual.min(begun.elapsed());
        }
        hit += u32::from(struck);
        survived += u32::from(outcome.status == Some(0));

        scene.nothing_left(&home).await;
        let locks = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE datname = 'engine_kills'";
        assert_eq!(server.sql("postgres", locks).await, "0", "{what}");
        let now = names(&scene);
        // A lease of one that was killed before may go.
        let new: Vec<_> = now.difference(&known).collect();
        match (victim, outcome.status) {
            (_, Some(0)) => assert_eq!(manifests(&now), manifests(&known) + 1, "{what}: {outcome:?}"),
            (Victim::Backstop(Signal::SIGKILL), None) => {
                // What it was writing cannot be cleaned up by who is dead; it is no backup.
                assert_eq!(manifests(&now), manifests(&known), "{what}");
            }
            // It did not listen yet, and had begun nothing.
            (Victim::Backstop(_), None) => {
                assert_eq!((outcome.stderr.as_str(), new.len()), ("", 0), "{what}: {new:?}");
            }
            (_, status) => {
                assert_eq!(status, Some(2), "{what}: {outcome:?}");
                assert!(outcome.stderr.contains("\nerror: "), "{what}: {outcome:?}");
                assert!(new.is_empty(), "{what}: {new:?}");
            }
        }
        known = now;
    }
    assert!(hit > 30, "{hit} of {ROUNDS} were struck");
    eprintln!("{hit} struck, {survived} succeeded");
    scene.backup(&[]).run().ended(0);
    assert!(scene.files().keys().all(|path| !path.ends_with("lease")), "the lease was given back");
    // All that are called backups are.
    let list = scene.command("list", &["--format", "json"]).run().ended(0);
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    let backups = list["backups"].as_array().unwrap();
    assert_eq!(
        (backups.len(), list["damaged"].as_array().unwrap().len()),
        (survived as usize + 2, 0),
        "{list}"
    );
    for backup in backups {
        scene.verify(&[backup["id"].as_str().unwrap(), "--level", "contents"]).run().ended(0);
    }
    scene.verify(&["--level", "restored"]).run().ended(0);
}
