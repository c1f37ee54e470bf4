//! Roles whose settings are not the usual ones: what they back up and restore is what
//! others would.

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

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_role_is_set_to() {
    let server = shared_18().await;
    let scene = Scene::bare(server, "settings", TABLES).await;
    server.sql("postgres", "CREATE ROLE odd SUPERUSER LOGIN").await;
    for setting in ODD {
        server.sql("postgres", &format!("ALTER ROLE odd SET {setting}")).await;
    }
    scene.backup(&["--jobs", "3"]).env("PGUSER", "odd").run().ended(0);
    let restore = scene.command("restore", &["latest", "--new-db", "settings_again", "--jobs", "3"]);
    let restore = server.environment().into_iter().fold(restore, |run, (name, value)| run.env(name, value));
    let done = restore.env("PGDATABASE", "postgres").env("PGUSER", "odd").run().ended(0);
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
