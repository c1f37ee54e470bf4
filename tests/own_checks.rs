//! What a user adds to a trial restore: SQL assertions and a command of their own;
//! and that a trial leaves a server of the user's own as it was.

use nix::sys::signal::Signal;

use crate::support::command::Backstop;
use crate::support::depot::until;
use crate::support::keys::Age;
use crate::support::scene::{Scene, processes, shared};

const TABLES: &str = "CREATE TABLE users AS SELECT 1 AS id; CREATE TABLE orders (at timestamptz)";

/// A trial on the server of the scene itself.
fn on_the_server(scene: &Scene<'_>, arguments: &[&str]) -> Backstop {
    let cluster = &scene.server.cluster;
    let on = format!("{} port={}", cluster.conninfo("postgres"), cluster.port());
    scene.verify(&[arguments, &["--on", &on]].concat())
}

/// The records of verifications in the store.
fn records(scene: &Scene<'_>) -> Vec<serde_json::Value> {
    let files = scene.files().into_iter();
    let records = files.filter(|(path, _)| path.to_string_lossy().contains(".verified-"));
    records
        .map(|(_, bytes)| serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()["record"].take())
        .collect()
}

#[tokio::test]
async fn only_what_is_true_passes() {
    let scene = Scene::new(shared().await, "assertions", TABLES).await;
    let good = "SET search_path = public; SELECT count(*) > 0 AS there_are_users, true AS yes FROM users;";
    let passed = on_the_server(&scene, &["--checks", "checks.sql"]).file("checks.sql", good).run().ended(0);
    assert!(passed.stdout.contains("checks     there_are_users, yes\n"), "{}", passed.stdout);

    let bad = "
        SELECT count(*) > 1 AS two_users FROM public.users;
        SELECT max(at) > now() - interval '1 day' AS fresh FROM public.orders;
        SELECT at > now() AS each_order FROM public.orders;
        SELECT count(*) AS many FROM public.users;
        SELECT n > 2 AS every_one FROM generate_series(1, 5) n;
        SELECT true AS good;
        SELECT 1 / (count(*) - 1) FROM public.users;
        SELECT true AS never_asked";
    let failed = on_the_server(&scene, &["--checks", "checks.sql", "--format", "json"]);
    let failed = failed.file("checks.sql", bad).run().ended(1);
    let record: serde_json::Value = serde_json::from_str(&failed.stdout).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&record["failures"]).unwrap(), @r#"
    [
      "check 'two_users' does not hold",
      "check 'fresh' is neither true nor false, but NULL",
      "check 'each_order' gave no row",
      "check 'many' is neither true nor false",
      "check 'every_one' does not hold",
      "check 'checks.sql' failed: division by zero"
    ]
    "#);
    insta::assert_snapshot!(record["checks"], @r#"["two_users","fresh","each_order","many","every_one","good","?column?"]"#);
}

#[tokio::test]
async fn a_file_that_is_missing_is_told_before_the_trial() {
    let scene = Scene::new(shared().await, "no_checks", TABLES).await;
    let nowhere = ["--on", "host=/nonexistent", "--checks", "missing.sql"];
    let said = scene.verify(&nowhere).run().ended(2);
    insta::assert_snapshot!(said.stderr, @r"
    error: cannot read the checks in 'missing.sql'
    caused by: No such file or directory (os error 2)
    hint: `checks:` in backstop.yml names the file, relative to that file
    ");
    scene.store_is_as_before();
}

/// Its text is in nothing that is kept or printed, and it is given no key.
#[tokio::test]
async fn a_command_keeps_its_secrets_and_is_given_none() {
    let scene = Scene::new(shared().await, "command", TABLES).await;
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let env = format!("env > '{}'; : token-s3cret", seen.display());
    let run = on_the_server(&scene, &["--run", &env]).env("BACKSTOP_PASSPHRASE", "the passphrase");
    let identity = std::fs::read_to_string(Age::new().identity()).unwrap();
    let passed = run.env("BACKSTOP_IDENTITY", identity).env("MINE", "is passed on").run().ended(0);
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(seen.contains("MINE=is passed on\n") && seen.contains("/backstop_trial_"), "{seen}");
    assert!(!seen.contains("BACKSTOP_PASSPHRASE") && !seen.contains("BACKSTOP_IDENTITY"), "{seen}");
    assert!(passed.stdout.contains("checks     command (exit status: 0)\n"), "{}", passed.stdout);

    let failed = on_the_server(&scene, &["--run", "exit 3 # token-s3cret"]).run().ended(1);
    let failure = "failed     the command of --run ended with exit status: 3\n";
    assert!(failed.stdout.contains(failure), "{}", failed.stdout);
    assert_eq!(records(&scene).len(), 2);
    for text in [passed.stdout, passed.stderr, failed.stdout, failed.stderr] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    for (path, bytes) in scene.files() {
        assert!(!String::from_utf8_lossy(&bytes).contains("s3cret"), "in '{}'", path.display());
    }
}

/// Neither a query that never ends nor a command that started others.
#[tokio::test]
async fn what_never_ends_can_be_stopped() {
    let scene = Scene::new(shared().await, "endless_checks", TABLES).await;
    let id = scene.newest();
    for arguments in [["--checks", "checks.sql"], ["--run", "trap '' TERM; sleep 1000 & sleep 1000"]] {
        let run = on_the_server(&scene, &arguments).file("checks.sql", "SELECT pg_sleep(1000)");
        let mut run = run.start();
        let home = run.home.path().to_owned();
        let command = || processes(&home).iter().any(|(_, command)| command.starts_with("sleep 1000"));
        let query = "SELECT query FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(1000)%'";
        scene.until(|| async { command() || !scene.server.sql("postgres", query).await.is_empty() }).await;
        run.signal(Signal::SIGTERM);
        until("the end", async || run.is_over()).await;
        let said = run.wait().ended(2);
        assert!(said.stderr.ends_with("error: interrupted\n"), "{arguments:?}: {}", said.stderr);
        scene.no_process(&home).await;
        assert_eq!(scene.trials(&id).await, "");
        scene.store_is_as_before();
    }
}

/// Another trial of the same backup, or what somebody called so.
#[tokio::test]
async fn a_database_of_somebody_else_stays() {
    let scene = Scene::new(shared().await, "trial_beside", TABLES).await;
    let id = scene.newest();
    let other = format!("backstop_trial_{}", id.to_lowercase().replace('-', "_"));
    scene.server.sql("postgres", &format!("CREATE DATABASE {other} TEMPLATE template0")).await;
    on_the_server(&scene, &[]).run().ended(0);
    assert_eq!(scene.trials(&id).await, other);
}

/// The server ends the session of pg_restore: that says nothing about the backup.
#[tokio::test]
async fn a_trial_that_the_server_ends_is_no_verdict() {
    let tables = "CREATE FUNCTION ends() RETURNS boolean LANGUAGE sql AS $$
        SELECT current_database() NOT LIKE 'backstop_trial%' OR pg_terminate_backend(pg_backend_pid()) $$;
        CREATE MATERIALIZED VIEW v AS SELECT ends() AS it";
    let scene = Scene::new(shared().await, "ended_trial", tables).await;
    let said = on_the_server(&scene, &[]).run().ended(2);
    assert!(said.stderr.contains("terminating connection due to administrator command"), "{}", said.stderr);
    let hint = "\nhint: this is not about the dump: mend it on the server, then run again\n";
    assert!(said.stderr.ends_with(hint), "{}", said.stderr);
    assert_eq!(scene.trials(&scene.newest()).await, "");
    scene.store_is_as_before();

    let scene = Scene::new(shared().await, "ended_checks", TABLES).await;
    let ends = "SELECT true AS good; SELECT pg_terminate_backend(pg_backend_pid())";
    let said = on_the_server(&scene, &["--checks", "checks.sql"]).file("checks.sql", ends).run().ended(2);
    assert!(said.stderr.contains("run the checks: terminating connection"), "{}", said.stderr);
    assert!(said.stderr.ends_with("\nhint: look into the server's log, and try again\n"), "{}", said.stderr);
    scene.store_is_as_before();
}
