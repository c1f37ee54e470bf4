//! Roles whose settings are not the usual ones: what they back up and restore is what
//! others would; and the one setting that a restore changes for itself.

use backstop::postgres::cluster::ClusterOptions;

use crate::support::cluster::Server;
use crate::support::command::Backstop;
use crate::support::equality;
use crate::support::scene::{Scene, shared_18};

const ODD: &[&str] = &[
    "statement_timeout = '2s'",
    "transaction_timeout = '2s'",
    "idle_in_transaction_session_timeout = '1s'",
    "idle_session_timeout = '1s'",
    "default_transaction_isolation = 'serializable'",
    "array_nulls = off",
    "bytea_output = 'escape'",
    "extra_float_digits = -5",
    "timezone = 'Asia/Tokyo'",
    "datestyle = 'German'",
    "intervalstyle = 'sql_standard'",
    "standard_conforming_strings = off",
    "row_security = on",
    "client_encoding = 'LATIN1'",
    "quote_all_identifiers = on",
    "enable_tidscan = off",
    "search_path = odd, pg_catalog",
    "session_replication_role = 'replica'",
];
/// The large one has more than 32 MiB, so that its indexes are made by our own
/// connections; the slow one outlasts the limits of time.
const TABLES: &str = r"
    CREATE SCHEMA odd;
    CREATE OPERATOR odd.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_catalog.textne);
    CREATE TABLE odd.large AS SELECT n AS id, n::float8 / 3 AS real, ARRAY['ü', NULL, 'NULL'] AS list,
        '\x00ff5c'::bytea AS bytes, timestamptz '2026-10-25 00:30:00+00' + n * interval '1 minute' AS at,
        n * interval '1 day 2 hours' AS long, 'a\b' || n AS text, repeat('x', 900) AS pad FROM generate_series(1, 40000) n;
    ALTER TABLE odd.large ADD PRIMARY KEY (id);
    CREATE UNIQUE INDEX by_text ON odd.large (text, at) WHERE text <> 'a\b3';
    CREATE FUNCTION odd.slow(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        IF current_setting('story.quick', true) IS NULL THEN PERFORM pg_sleep(0.2); END IF; RETURN true; END $$;
    SET story.quick = 'on';
    CREATE TABLE odd.slow (id int CHECK (odd.slow(id)));
    INSERT INTO odd.slow SELECT generate_series(1, 20)";

fn restore(scene: &Scene, arguments: &[&str]) -> Backstop {
    let restore = scene.command("restore", arguments).env("PGDATABASE", "postgres");
    scene.server.environment().into_iter().fold(restore, |run, (name, value)| run.env(name, value))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_role_is_set_to() {
    let server = shared_18().await;
    let scene = Scene::bare(server, "settings", TABLES).await;
    server.sql("postgres", "CREATE ROLE odd SUPERUSER LOGIN").await;
    for setting in ODD {
        server.sql("postgres", &format!("ALTER ROLE odd SET {setting}")).await;
    }
    scene.backup(&["--jobs", "3"]).env("PGUSER", "odd").run().ended(0);
    let again = restore(&scene, &["latest", "--new-db", "settings_again", "--jobs", "3"]);
    let done = again.env("PGUSER", "odd").run().ended(0);
    assert!(done.stdout.contains("equal to the snapshot"), "{}", done.stdout);
    equality::same(
        "rows",
        &equality::rows(server, "settings").await,
        &equality::rows(server, "settings_again").await,
    );
    equality::same(
        "definitions",
        &equality::definitions(server, 18, "settings"),
        &equality::definitions(server, 18, "settings_again"),
    );
    scene.verify(&["--level", "restored"]).run().ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_take_memory_that_a_server_of_this_machine_can_spare() {
    let settings = [("maintenance_work_mem", "1MB"), ("log_statement", "all")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Server::start_with(18, &ClusterOptions { settings, ..ClusterOptions::default() }).await;
    let scene =
        Scene::bare(&server, "spare", "CREATE TABLE t AS SELECT 1 AS id; CREATE INDEX ON t (id)").await;
    scene.backup(&[]).run().ended(0);
    let given = async |name: &str, options: &str| {
        let before = server.log().len();
        restore(&scene, &["latest", "--new-db", name, "--jobs", "2"])
            .env("PGOPTIONS", options)
            .run()
            .ended(0);
        let log = server.log()[before..].to_owned();
        let memory = |line: &str| line.split_once("SET maintenance_work_mem = ")?.1.parse().ok();
        log.lines().filter_map(memory).collect::<Vec<u64>>()
    };
    let each = given("spare_again", "").await;
    assert_eq!(each.len(), 2, "{each:?}");
    assert!(each.iter().all(|kilobytes| (1025..=1024 * 1024).contains(kilobytes)), "{each:?}");
    assert_eq!(given("spare_as_told", "-c maintenance_work_mem=2MB").await, [] as [u64; 0]);
}
