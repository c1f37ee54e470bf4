//! Indexes and keys, which a restore makes over connections of its own while other rows
//! still flow: what cannot be made, and what has to wait; and columns
//! that wait for the rows of another table.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::cluster::Server;
use crate::support::command::{Backstop, Outcome};
use crate::support::scene::{Scene, processes, shared_18};

/// More than 32 MiB, below which a key is made in one go.
const LARGE: &str = "CREATE TABLE large AS SELECT n AS id, 'code ' || n AS code, repeat('x', 900) AS pad
    FROM generate_series(1, 40000) n";
const SMALL: &str =
    "CREATE TABLE large AS SELECT n AS id, 'code ' || n AS code FROM generate_series(1, 400) n";

/// `backstop restore latest` of a scene into a new database.
fn restore(scene: &Scene<'_>, name: &str, temporary: &Path) -> Backstop {
    let run = scene.command("restore", &["latest", "--new-db", name, "--jobs", "3"]);
    let run = run.env("PGDATABASE", "postgres").env("TMPDIR", temporary);
    scene.server.environment().into_iter().fold(run, |run, (name, value)| run.env(name, value))
}

/// What a restore into a new database fails with, which leaves nothing.
async fn fails(scene: &Scene<'_>, name: &str) -> Outcome {
    let temporary = tempfile::tempdir().unwrap();
    let run = restore(scene, name, temporary.path()).start();
    let home = run.home.path().to_owned();
    let outcome = tokio::task::spawn_blocking(move || run.wait().ended(2)).await.unwrap();
    assert_eq!(outcome.stdout, "");
    let left = format!(
        "SELECT datname FROM pg_database WHERE datname = '{name}'
         UNION ALL SELECT query FROM pg_stat_activity WHERE datname IN ('{name}', '{}')
         UNION ALL SELECT gid FROM pg_prepared_xacts WHERE database = '{name}'",
        scene.database
    );
    let begun = Instant::now();
    loop {
        let left = scene.server.sql("postgres", &left).await;
        if left.is_empty() && processes(&home).is_empty() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{left}\n{:?}", processes(&home));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "a temporary file is left over");
    outcome
}

/// A backup of a table with an index that should have kept a row out, and did not.
async fn with_a_damaged_index<'a>(
    server: &'a Server,
    name: &str,
    table: &str,
    index: &str,
    damage: &str,
) -> Scene<'a> {
    let scene = Scene::bare(server, name, &format!("{table}; {index}")).await;
    let blind = |whether: bool| {
        format!(
            "SET allow_system_table_mods = on;
             UPDATE pg_index SET indisvalid = {whether}, indisready = {whether}
             WHERE indexrelid = 'large_code'::regclass"
        )
    };
    for statements in [&blind(false), damage, &blind(true)] {
        server.sql(name, statements).await;
    }
    scene.with_backup()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_rows_do_not_have_is_told_without_their_values() {
    let server = shared_18().await;
    let twice = "INSERT INTO large SELECT * FROM large WHERE id = 77";
    let mut said = Vec::new();
    for (name, table, index, damage) in [
        (
            "no_key",
            LARGE,
            "ALTER TABLE large ADD CONSTRAINT large_code PRIMARY KEY (code); CREATE INDEX ON large (pad)",
            twice,
        ),
        ("no_index", LARGE, "CREATE UNIQUE INDEX large_code ON large (id, lower(code))", twice),
        (
            "no_exclusion",
            LARGE,
            "ALTER TABLE large ADD CONSTRAINT large_code EXCLUDE USING gist (int4range(id, id, '[]') WITH &&)",
            twice,
        ),
        ("no_small_key", SMALL, "ALTER TABLE large ADD CONSTRAINT large_code PRIMARY KEY (code)", twice),
        // It runs code of the archive, and so it is made by pg_restore.
        (
            "no_late_index",
            SMALL,
            "CREATE FUNCTION same(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
             CREATE UNIQUE INDEX large_code ON large (same(code))",
            twice,
        ),
    ] {
        let scene = with_a_damaged_index(server, name, table, index, damage).await;
        let outcome = fails(&scene, &format!("{name}_again")).await;
        assert_eq!(outcome.stderr.contains("77"), name == "no_late_index", "{}", outcome.stderr);
        // A trial finds the same, and blames the backup.
        let trial = scene.verify(&["--level", "restored"]).run().ended(1);
        assert!(trial.stdout.contains("large_code"), "{}", trial.stdout);
        said.push(outcome.stderr);
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    error: constraint 'large_code' of 'public.large' could not be made: could not create unique index "large_code": several rows have the same (code)
    hint: the source has these rows too, behind a damaged index: mend them there, REINDEX, and take another backup; or load what `backstop get --decrypt` gives by pg_restore, which goes on without that index

    error: index 'large_code' of 'public.large' could not be made: could not create unique index "large_code": several rows have the same (id, lower(code))
    hint: the source has these rows too, behind a damaged index: mend them there, REINDEX, and take another backup; or load what `backstop get --decrypt` gives by pg_restore, which goes on without that index

    error: constraint 'large_code' of 'public.large' could not be made: could not create exclusion constraint "large_code": rows exclude each other by (int4range(id, id, '[]'::text))
    hint: the source has these rows too, behind a damaged index: mend them there, REINDEX, and take another backup; or load what `backstop get --decrypt` gives by pg_restore, which goes on without that index

    error: constraint 'large_code' of 'public.large' could not be made: could not create unique index "large_code": several rows have the same (code)
    hint: the source has these rows too, behind a damaged index: mend them there, REINDEX, and take another backup; or load what `backstop get --decrypt` gives by pg_restore, which goes on without that index

    error: pg_restore failed: pg_restore: error: could not execute query: ERROR:  could not create unique index "large_code"
    DETAIL:  Key (public.same(code))=(code 77) is duplicated.
    Command was: CREATE UNIQUE INDEX large_code ON public.large USING btree (public.same(code));
    hint: the source has these rows too, behind a damaged index: mend them there, REINDEX, and take another backup; or load what `backstop get --decrypt` gives by pg_restore, which goes on without that index
    "#);
}

/// A function that says that it looks at nothing and looks at another table: its index
/// is made when that one is full, as by pg_restore, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_by_a_function_waits_for_all_rows() {
    let server = shared_18().await;
    let statements = format!(
        "{LARGE};
         CREATE TABLE middle AS SELECT n AS id, repeat(md5(n::text), 3) AS pad FROM generate_series(1, 400000) n;
         CREATE TABLE names AS SELECT n AS id, 'name ' || n AS name FROM generate_series(1, 9) n;
         CREATE FUNCTION name_of(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT name FROM public.names WHERE id = $1';
         CREATE INDEX by_name ON large (name_of(id % 10))"
    );
    let scene = Scene::new(server, "lookup", &statements).await;
    let ask = "SET enable_seqscan = off; SELECT count(*) FROM large WHERE name_of(id % 10) = 'name 7'";
    assert_eq!(server.sql("lookup", ask).await, "4000");
    let temporary = tempfile::tempdir().unwrap();
    restore(&scene, "lookup_again", temporary.path()).run().ended(0);
    assert_eq!(server.sql("lookup_again", ask).await, "4000");
}

/// A column that is made from another table's rows, and a check of such, find them: the
/// table that has them comes first in the archive, and is committed before.
#[tokio::test(flavor = "multi_thread")]
async fn what_looks_into_another_table_finds_its_rows() {
    let server = shared_18().await;
    let statements = "
         CREATE TABLE names AS SELECT n AS id, 'name ' || n AS name FROM generate_series(0, 9) n;
         CREATE FUNCTION name_of(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT name FROM public.names WHERE id = $1';
         CREATE TABLE tall (id int, pad text, name text GENERATED ALWAYS AS (name_of(id % 10)) STORED);
         INSERT INTO tall SELECT n, repeat(md5(n::text), 3) FROM generate_series(1, 30000) n;
         CREATE TABLE wide (id int, pad text, CHECK (name_of(id % 10) <> '' AND name_of(id % 10) IS NOT NULL));
         INSERT INTO wide SELECT * FROM (SELECT id, pad FROM tall) t";
    let scene = Scene::new(server, "looking", statements).await;
    let ask = "SELECT count(*), md5(string_agg(name, ' ' ORDER BY id)) FROM tall";
    let temporary = tempfile::tempdir().unwrap();
    restore(&scene, "looking_again", temporary.path()).run().ended(0);
    assert_eq!(server.sql("looking_again", ask).await, server.sql("looking", ask).await);
}
