//! A database in use while several connections copy its rows: tables that others
//! alter, time limits, too few connections, a pooler, a standby. The backup holds
//! what its snapshot saw; nobody waits for ever.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use backstop::postgres::cluster::ClusterOptions;
use backstop_policy::manifest::{Manifest, Proof};

use crate::concurrency::rows;
use crate::faults_dump::instead;
use crate::support::cluster::Server;
use crate::support::command::{Backstop, Outcome};
use crate::support::interference::{Moment, interfere};
use crate::support::scene::{Scene, big, shared, shared_18};
use crate::support::standby::Standby;
use crate::support::{equality, tools};

fn manifest(outcome: &Outcome) -> Manifest {
    serde_json::from_str(&outcome.stdout).unwrap()
}

/// Every table has a digest, which our own connections alone make.
#[track_caller]
fn by_our_own(outcome: &Outcome) -> Manifest {
    let manifest = manifest(outcome);
    let Proof::Snapshot { tables, .. } = &manifest.proof else { panic!("unproven: {manifest:#?}") };
    assert!(tables.iter().all(|table| table.digest.is_some()), "{}\n{tables:#?}", outcome.stderr);
    assert!(!outcome.stderr.contains("pg_dump copies the rows alone"), "{}", outcome.stderr);
    manifest
}

/// `pg_dump` copied the rows; why.
#[track_caller]
fn by_pg_dump(outcome: &Outcome) -> String {
    let line = outcome.stderr.lines().find_map(|line| line.split_once("pg_dump copies the rows alone: "));
    line.unwrap_or_else(|| panic!("{}", outcome.stderr)).1.to_owned()
}

fn json(scene: &Scene<'_>) -> Backstop {
    scene.backup(&["--format", "json"])
}

/// Somebody waits to change a table that `pg_dump` has locked: who takes the same lock
/// would wait behind them, and they wait for `pg_dump`.
#[tokio::test]
async fn a_change_that_waits_before_our_locks() {
    let tables = "CREATE TABLE victim AS SELECT generate_series(1, 10) AS id;
        CREATE TABLE zz_filler AS SELECT n, sha256(n::text::bytea) FROM generate_series(1, 30000) n";
    for (n, change) in
        ["ALTER TABLE victim ADD COLUMN more int", "TRUNCATE victim", "DROP TABLE victim"].iter().enumerate()
    {
        let scene = Scene::bare(shared().await, &format!("waits_before_{n}"), tables).await;
        let folder = tempfile::tempdir().unwrap();
        let programs = interfere(folder.path(), 15, Moment::WhileItDumps, change);
        let places = std::env::join_paths([programs, tools::postgres(15)]).unwrap();
        let outcome = json(&scene).env("BACKSTOP_PG_BIN", places).run().ended(0);
        insta::allow_duplicates! { insta::assert_snapshot!(by_pg_dump(&outcome), @r#"the server could not lock the tables: could not obtain lock on relation "public.victim" (SQLSTATE 55P03)"#); }
        assert_eq!(rows(&manifest(&outcome), "victim").0, 10);
        scene.verify(&[]).run().ended(0);
    }
}

/// And a change that begins to wait when our locks are there: a connection that
/// copies is refused the table, and the one that holds all locks copies it.
#[tokio::test]
async fn a_change_that_waits_behind_our_locks() {
    for (n, change) in [
        "ALTER TABLE large ADD COLUMN more int; TRUNCATE small",
        "TRUNCATE zlast",
        "DROP TABLE zlast",
        "ALTER TABLE zlast ALTER id TYPE bigint",
        "BEGIN; LOCK TABLE large, zlast; COMMIT",
        "VACUUM FULL large",
    ]
    .iter()
    .enumerate()
    {
        let scene = big(&format!("waits_behind_{n}")).await;
        let holder = scene.hold().await;
        let mut run = scene.backup(&["--jobs", "2", "--format", "json"]).start();
        scene.copying(&mut run, 2).await;
        let others = scene.session().await;
        let changed = tokio::spawn(async move { others.batch_execute(change).await.unwrap() });
        let first = change.split(';').next().unwrap();
        scene
            .until(|| async {
                !scene.pids(&format!("wait_event_type = 'Lock' AND query LIKE '{first}%'")).await.is_empty()
            })
            .await;
        holder.batch_execute("ROLLBACK").await.unwrap();
        drop(holder);
        let home = run.home.path().to_owned();
        let outcome = tokio::task::spawn_blocking(move || run.wait().ended(0)).await.unwrap();
        let manifest = by_our_own(&outcome);
        assert_eq!(rows(&manifest, "large").0, 350_000, "{change}");
        assert_eq!((rows(&manifest, "small").0, rows(&manifest, "zlast").0), (1, 1), "{change}");
        changed.await.unwrap();
        scene.nothing_left(&home).await;
        scene.verify(&[]).run().ended(0);
    }
}

/// Somebody has an index to himself and then wants the table, which we have: the
/// server sees the circle, and nobody waits for ever.
#[tokio::test]
async fn a_deadlock_ends() {
    let scene = big("engine_deadlock").await;
    // Whoever looks first gives in. We do, where they take their time.
    let holder = scene.hold().await;
    holder.batch_execute("SET deadlock_timeout = '10min'").await.unwrap();
    let mut run = scene.backup(&["--jobs", "2"]).start();
    scene.copying(&mut run, 2).await;
    holder.batch_execute("ALTER TABLE large ADD COLUMN more int; ROLLBACK").await.unwrap();
    insta::assert_snapshot!(scene.ends_in_failure(run).await, @r"
    error: cannot copy the rows of 'public.large'
    caused by: the server could not copy its rows: deadlock detected (SQLSTATE 40P01)
    hint: nothing was committed; run it again when no migration is under way
    ");

    let mut run = scene.backup(&["--jobs", "2"]).start();
    holder.batch_execute("SET deadlock_timeout = '1s'; BEGIN; REINDEX INDEX large_id").await.unwrap();
    scene.copying(&mut run, 2).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let refused = holder.batch_execute("ALTER TABLE large ADD COLUMN more int").await.unwrap_err();
    assert!(format!("{refused:?}").contains("deadlock detected"), "{refused:?}");
    drop(holder);
    let home = run.home.path().to_owned();
    tokio::task::spawn_blocking(move || run.wait().ended(0)).await.unwrap();
    scene.nothing_left(&home).await;
    scene.verify(&[]).run().ended(0);
}

/// A role whose statements, locks, idle transactions and transactions may take no time.
#[tokio::test]
async fn time_limits_of_the_role() {
    for server in [shared().await, shared_18().await] {
        let role = "in_a_hurry";
        server.sql("postgres", "DROP ROLE IF EXISTS in_a_hurry").await;
        let scene = Scene::bare(server, "engine_hurry", crate::support::scene::BIG).await;
        let newer =
            if server.sql("postgres", "SHOW server_version_num").await.parse::<u32>().unwrap() >= 170_000 {
                "ALTER ROLE in_a_hurry SET transaction_timeout = '200ms';"
            } else {
                ""
            };
        server
            .sql(
                "postgres",
                &format!(
                    "CREATE ROLE {role} LOGIN IN ROLE pg_read_all_data; {newer}
                     ALTER ROLE {role} SET statement_timeout = '200ms';
                     ALTER ROLE {role} SET lock_timeout = '200ms';
                     ALTER ROLE {role} SET idle_in_transaction_session_timeout = '200ms';
                     ALTER ROLE {role} SET idle_session_timeout = '200ms'"
                ),
            )
            .await;
        let holder = scene.hold().await;
        let mut run = scene.backup(&["--format", "json", "--jobs", "3"]).env("PGUSER", role).start();
        scene.copying(&mut run, 3).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        holder.batch_execute("ROLLBACK").await.unwrap();
        drop(holder);
        by_our_own(&tokio::task::spawn_blocking(move || run.wait().ended(0)).await.unwrap());
        server.sql("postgres", "DROP DATABASE engine_hurry").await;
    }
}

/// A role that may open so many connections. Fewer copy, or only the one that holds
/// the locks, or `pg_dump` alone.
#[tokio::test]
async fn a_limit_of_connections() {
    let scene = big("engine_limit").await;
    let role = "limited_much";
    scene.server.sql("postgres", &format!("CREATE ROLE {role} LOGIN IN ROLE pg_read_all_data")).await;
    let taken = async |limit: u32| {
        scene.server.sql("postgres", &format!("ALTER ROLE {role} CONNECTION LIMIT {limit}")).await;
        let run = json(&scene).env("PGUSER", role);
        let home = run.home().to_owned();
        let outcome = run.run();
        scene.nothing_left(&home).await;
        outcome
    };
    // The snapshot, pg_dump, who holds the locks, and the rest for who copies.
    for limit in [3, 4, 5] {
        by_our_own(&taken(limit).await.ended(0));
        scene.verify(&[]).run().ended(0);
    }
    let alone = by_pg_dump(&taken(2).await.ended(0));
    insta::assert_snapshot!(scene.redact(&alone, Path::new("/nowhere")), @r#"socket [SOCKET]/.s.PGSQL.[PORT] has no free connection: too many connections for role "limited_much""#);
    scene.verify(&[]).run().ended(0);
    let scene = scene.left_as_it_is();
    scene.server.sql("postgres", &format!("ALTER ROLE {role} CONNECTION LIMIT 1")).await;
    insta::assert_snapshot!(scene.fails(scene.backup(&[]).env("PGUSER", role)).await, @r#"
    error: pg_dump failed (exit status: 1): connection to server on socket "[SOCKET]/.s.PGSQL.[PORT]" failed: FATAL:  too many connections for role "limited_much"
    hint: nothing was committed; a backup needs two connections at least: raise the role's CONNECTION LIMIT, or the server's max_connections
    "#);
}

/// When `pg_dump` goes, somebody takes its place before we do.
#[tokio::test]
async fn only_the_connection_that_holds_the_locks() {
    let scene = big("engine_only").await;
    let role = "limited_to_one";
    scene
        .server
        .sql("postgres", &format!("CREATE ROLE {role} LOGIN IN ROLE pg_read_all_data CONNECTION LIMIT 3"))
        .await;
    let seated = instead(
        "\"$real\" \"$@\" & dump=$!
         seat() {
             kill $dump; wait $dump
             ${real%/*}/psql -X -c 'SELECT pg_sleep(600)' >/dev/null 2>&1 </dev/null &
             until [ \"$(${real%/*}/psql -X -A -t -U postgres -c \"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)'\")\" = 1 ]; do sleep 0.05; done
             exit 1
         }
         trap seat TERM; wait $dump",
    );
    let outcome = json(&scene).env("BACKSTOP_PG_BIN", seated.path()).env("PGUSER", role).run().ended(0);
    by_our_own(&outcome);
    let seats = scene.pids("query LIKE '%pg_sleep(600)'").await;
    assert_eq!(seats.len(), 1, "the seat was taken all the time");
    scene.terminate(seats[0]).await;
    scene.verify(&[]).run().ended(0);
}

/// As many connections as the server has: it is full when `pg_dump` is there.
#[tokio::test]
async fn a_server_without_a_free_connection() {
    let options = ClusterOptions {
        max_connections: 6,
        settings: vec![("superuser_reserved_connections".into(), "0".into())],
        ..ClusterOptions::default()
    };
    let server = Server::start_with(15, &options).await;
    let tables = "CREATE TABLE t AS SELECT generate_series(1, 100000) AS id";
    let scene = Scene::new(&server, "engine_full", tables).await;
    let mut seats = Vec::new();
    for _ in 0..4 {
        seats.push(scene.session().await);
    }
    let outcome = json(&scene).run().ended(0);
    insta::assert_snapshot!(scene.redact(&by_pg_dump(&outcome), Path::new("/nowhere")), @"socket [SOCKET]/.s.PGSQL.[PORT] has no free connection: sorry, too many clients already");
    seats.pop();
    // A server that is full takes nobody who could look: a seat that is left does.
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'";
    scene.until(|| async { seats[0].query_one(sessions, &[]).await.unwrap().get::<_, i64>(0) == 3 }).await;
    by_our_own(&json(&scene).run().ended(0));
    drop(seats);
    scene.verify(&[]).run().ended(0);
}

/// Eight clients move money all the while, with pgbench's own tables.
#[tokio::test]
async fn pgbench_while_it_copies() {
    for (server, major) in [(shared().await, 15), (shared_18().await, 18)] {
        let scene = Scene::bare(server, "engine_pgbench", "SELECT 1").await;
        let pgbench = |arguments: &[&str]| {
            let mut command = Command::new(tools::postgres(major).join("pgbench"));
            command
                .args(arguments)
                .env_clear()
                .env("PGDATABASE", "engine_pgbench")
                .envs(server.environment());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        assert!(pgbench(&["--initialize", "--quiet", "--scale=4"]).status().unwrap().success());
        let mut load = pgbench(&["--client=8", "--jobs=2", "--time=600", "--no-vacuum"]).spawn().unwrap();
        let history = || server.sql("engine_pgbench", "SELECT count(*) FROM pgbench_history");
        scene.until(|| async { history().await != "0" }).await;
        for round in 0..2 {
            let before: u64 = history().await.parse().unwrap();
            let manifest = by_our_own(&json(&scene).run().ended(0));
            let after: u64 = history().await.parse().unwrap();
            let counted = rows(&manifest, "pgbench_history").0;
            assert!(before <= counted && counted < after, "{before} <= {counted} < {after}");
            assert_eq!(rows(&manifest, "pgbench_accounts").0, 400_000);
            let archive = std::fs::read(scene.store_path().join(&manifest.artifact.key)).unwrap();
            let again = format!("engine_pgbench_{round}");
            equality::restore_by_stock_tools(server, major, &again, &archive).await;
            let sums = "SELECT (SELECT sum(abalance) FROM pgbench_accounts) - sum(delta),
                    (SELECT sum(bbalance) FROM pgbench_branches) - sum(delta),
                    (SELECT sum(tbalance) FROM pgbench_tellers) - sum(delta), count(*) FROM pgbench_history";
            assert_eq!(server.sql(&again, sums).await, format!("0|0|0|{counted}"));
            server.sql("postgres", &format!("DROP DATABASE {again}")).await;
        }
        load.kill().unwrap();
        load.wait().unwrap();
        // The proof is of the snapshot, and the trial restore has just that.
        scene.verify(&["--level", "restored"]).run().ended(0);
    }
}

/// A standby has no transactions of its own, and plays changes while it is read.
#[tokio::test]
async fn a_standby_as_the_source() {
    for major in [15, 18] {
        let settings = [("wal_level", "replica"), ("max_wal_senders", "4"), ("full_page_writes", "on")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let primary =
            Server::start_with(major, &ClusterOptions { settings, ..ClusterOptions::default() }).await;
        primary.sql("postgres", "CREATE DATABASE far TEMPLATE template0").await;
        primary.sql("far", crate::support::scene::BIG).await;
        primary
            .sql("far", "SELECT lo_from_bytea(0, 'large object'); CREATE SEQUENCE s; SELECT nextval('s')")
            .await;
        let standby = Standby::of(&primary, major);
        standby.follows(&primary).await;
        let scene = Scene::of(&primary, "far");
        let run = json(&scene).env("PGHOST", standby.socket_dir());
        let manifest = by_our_own(&run.run().ended(0));
        assert_eq!(rows(&manifest, "large").0, 350_000);
        scene.verify(&["--level", "restored"]).run().ended(0);
        let archive = std::fs::read(scene.store_path().join(&manifest.artifact.key)).unwrap();
        equality::restore_by_stock_tools(&primary, major, "again", &archive).await;
        let source = equality::rows(&primary, "far").await;
        equality::same("rows", &source, &equality::rows(&primary, "again").await);
        drop(standby);
        primary.cluster.stop().await.unwrap();
    }
}
