//! Rows over several connections: whatever a database holds comes out as a stock
//! pg_restore would have made it, from archives of every kind; and when anything
//! goes wrong on the way, it is said which table, and nothing stays.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backstop::archive::{Coding, Recoding, recode};
use nix::sys::signal::Signal;

use crate::support::cluster::{Server, awkward, zoo};
use crate::support::command::{Backstop, Running, backstop};
use crate::support::equality::{self, client, output};
use crate::support::scene::{BIG, Scene, processes, shared, shared_18};

/// What makes rows hard to cut, to send side by side, or to send at all.
pub const HARD: &str = r#"
    CREATE SCHEMA hard;
    SET search_path = hard;
    CREATE TABLE huge AS SELECT 1 AS id, repeat('fifty megabytes ', 3500000) AS text UNION ALL SELECT 2, 'small';
    ALTER TABLE huge ALTER text SET STORAGE EXTERNAL;
    -- Made by the connections that load, of which a key is an index first.
    ALTER TABLE huge ADD CONSTRAINT "the ""key"" (id);" PRIMARY KEY (id), ADD UNIQUE (id) INCLUDE ("a ""b"" (c"),
        ADD CONSTRAINT later UNIQUE (id) DEFERRABLE, ADD COLUMN "a ""b"" (c" int UNIQUE;
    CREATE INDEX ON huge (length(text)) WHERE id > 1;
    COMMENT ON CONSTRAINT "the ""key"" (id);" ON huge IS 'an index first';
    ALTER TABLE huge CLUSTER ON "the ""key"" (id);", REPLICA IDENTITY USING INDEX "the ""key"" (id);";
    CREATE TABLE of_huge (id int REFERENCES huge);
    INSERT INTO of_huge VALUES (2);
    CREATE TABLE longish AS SELECT n AS id, repeat(chr(97 + n % 26), 70000 * (n % 5)) AS text FROM generate_series(1, 40) n;
    CREATE TABLE many AS SELECT n AS id, md5(n::text) AS word, CASE WHEN n % 7 > 0 THEN n % 100 END AS maybe
        FROM generate_series(1, 120000) n;
    CREATE TABLE nothing_in_it (id int, text text);
    CREATE TABLE no_columns ();
    INSERT INTO no_columns SELECT FROM generate_series(1, 2500);
    CREATE TABLE one_empty_text AS SELECT ''::text AS t FROM generate_series(1, 3000);
    CREATE TABLE nasty (id int, t text);
    INSERT INTO nasty VALUES (1, '\.'), (2, E'\\N'), (3, NULL), (4, E'a\n\\.\nb'), (5, E'\t\r\n\b\f\v\\'), (6, ''), (7, E'\\.\n');
    CREATE TABLE "ta""ble, ""x"" (a) FROM stdin;
\." ("co l(1)" int, "q""uo,te" text, "\x41" text, "select" int);
    INSERT INTO "ta""ble, ""x"" (a) FROM stdin;
\." SELECT n, 'x' || n, NULL, n FROM generate_series(1, 500) n;
    CREATE TABLE made (id bigint GENERATED ALWAYS AS IDENTITY (START 7 INCREMENT 3), n int, twice int GENERATED ALWAYS AS (n * 2) STORED,
        at timestamptz DEFAULT now());
    INSERT INTO made (n, at) SELECT n, timestamptz '2024-01-01 00:00Z' + n * interval '1 hour' FROM generate_series(1, 900) n;
    CREATE TYPE mood AS ENUM ('sad', 'so-so', 'fine');
    CREATE TABLE moods (m mood NOT NULL, n int) PARTITION BY HASH (m);
    CREATE TABLE moods_0 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE moods_1 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO moods SELECT (ARRAY['sad', 'so-so', 'fine'])[1 + n % 3]::mood, n FROM generate_series(1, 3000) n;
    CREATE TABLE days (day date NOT NULL, n int) PARTITION BY RANGE (day);
    CREATE TABLE days_old PARTITION OF days FOR VALUES FROM ('2020-01-01') TO ('2024-01-01');
    CREATE TABLE days_new PARTITION OF days DEFAULT PARTITION BY LIST (n);
    CREATE TABLE days_odd PARTITION OF days_new FOR VALUES IN (1, 3, 5);
    CREATE TABLE days_rest PARTITION OF days_new DEFAULT;
    INSERT INTO days SELECT date '2019-01-01' + n, n % 9 FROM generate_series(1, 3000) n;
    CREATE TABLE parent (id int);
    CREATE TABLE child (note text) INHERITS (parent);
    INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 'child');
    CREATE UNLOGGED TABLE unlogged AS SELECT 5 AS id;
    -- Loaded alone, and after the table that it asks.
    CREATE FUNCTION is_known(int) RETURNS bool LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM hard.many WHERE id = $1)';
    CREATE TABLE z_asks (id int CHECK (hard.is_known(id)));
    INSERT INTO z_asks SELECT n FROM generate_series(1, 20000, 500) n;
    CREATE TABLE "circle a" (id int PRIMARY KEY, b int);
    CREATE TABLE "circle b" (id int PRIMARY KEY, a int REFERENCES "circle a");
    INSERT INTO "circle a" VALUES (1, 1); INSERT INTO "circle b" VALUES (1, 1);
    ALTER TABLE "circle a" ADD FOREIGN KEY (b) REFERENCES "circle b";
    CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger ran'; END $$;
    CREATE TABLE guarded (id int);
    INSERT INTO guarded VALUES (1);
    CREATE TRIGGER never BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION never();
    CREATE RULE lost AS ON INSERT TO guarded DO INSTEAD NOTHING;
    CREATE SEQUENCE "never called" START 17;
    CREATE SEQUENCE backwards INCREMENT -5 MAXVALUE 100 START 90;
    SELECT nextval('backwards'), nextval('backwards');
    CREATE MATERIALIZED VIEW counts AS SELECT maybe, count(*) AS n FROM many GROUP BY maybe;
    CREATE UNIQUE INDEX ON counts (maybe);
    CREATE MATERIALIZED VIEW "counts of counts" AS SELECT count(*) AS n, sum(n) AS all FROM counts;
    CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS id WITH NO DATA;
    ALTER TABLE guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    REVOKE ALL ON many FROM CURRENT_USER;
    -- So many that they are made side by side, whatever some of them need.
    CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
    DO $$ BEGIN
        FOR n IN 1..60 LOOP
            EXECUTE format('CREATE TABLE row_%s (id serial PRIMARY KEY, n int DEFAULT hard.one() UNIQUE)', n);
            EXECUTE format('CREATE TABLE _row_%s (id int GENERATED ALWAYS AS IDENTITY, v varchar(9) CHECK (v > id::text))', n);
            EXECUTE format('COMMENT ON TABLE row_%s IS ''one of 60''', n);
            EXECUTE format('INSERT INTO row_%s SELECT n, n FROM generate_series(1, %s) n', n, n);
        END LOOP;
    END $$;
    CREATE VIEW of_rows AS SELECT id FROM row_7 UNION ALL SELECT id FROM _row_8;
    CREATE TABLE has_rows (first row_9, others _row_10[]);
    CREATE TABLE under_row () INHERITS (row_11);
    CREATE FUNCTION takes_row(row_12) RETURNS int LANGUAGE sql AS 'SELECT $1.id';
    ALTER TABLE row_13 ALTER n SET DEFAULT nextval('row_14_id_seq');
    CREATE ROLE hard_one;
    SELECT lo_create(n) FROM generate_series(170001, 171200) n;
    SELECT lo_put(n, 0, convert_to('large object ' || n, 'UTF8')) FROM generate_series(170001, 171200, 2) n;
    SELECT lo_from_bytea(172000, decode(repeat('0123456789abcdef', 450001), 'hex'));
    ALTER LARGE OBJECT 172000 OWNER TO hard_one;
    GRANT SELECT ON LARGE OBJECT 172000 TO PUBLIC;
    GRANT UPDATE ON LARGE OBJECT 170003 TO hard_one;
    COMMENT ON LARGE OBJECT 170001 IS 'the first; it''s small';
    RESET search_path;"#;

/// `backstop restore` of a file into a new database on a server.
fn restore(server: &Server, file: &Path, name: &str, arguments: &[&str]) -> Backstop {
    let file = file.to_str().unwrap();
    let mut run = backstop(["restore", file, "--new-db", name]);
    for argument in arguments {
        run = run.arg(argument);
    }
    server
        .environment()
        .into_iter()
        .fold(run.env("PGDATABASE", "postgres"), |run, (name, value)| run.env(name, value))
}

fn dump(server: &Server, major: u32, database: &str, arguments: &[&str]) -> Vec<u8> {
    output(client(server, major, "pg_dump", database).arg("-Fc").args(arguments), b"")
}

fn recoded(archive: &[u8], coding: Coding) -> Vec<u8> {
    let mut out = Vec::new();
    recode(archive, &mut out, Recoding { coding, readable_by: None }).unwrap();
    out
}

async fn as_stock_pg_restore_makes_it(major: u32) {
    let server = Server::start(major).await;
    server.sql("postgres", "CREATE DATABASE source TEMPLATE template0").await;
    for statements in [zoo(), awkward(major), HARD.to_owned()] {
        server.sql("source", &statements).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let plain = dump(&server, major, "source", &["-Z0"]);
    equality::restore_by_stock_tools(&server, major, "stock", &plain).await;
    let rows = equality::rows(&server, "stock").await;
    let definitions = equality::definitions(&server, major, "stock");
    assert!(rows.contains("huge") && rows.contains("172000|hard_one"), "{rows}");

    let mut archives = vec![
        ("gzip", dump(&server, major, "source", &[])),
        ("through the roots", dump(&server, major, "source", &["-Z1", "--load-via-partition-root"])),
    ];
    if major >= 16 {
        archives.push(("zstd", recoded(&plain, Coding::Zstd(1))));
    }
    archives.push(("none", plain));
    for (kind, archive) in archives {
        let file = folder.path().join("archive.dump");
        std::fs::write(&file, archive).unwrap();
        let jobs = if kind == "none" { "1" } else { "3" };
        let done = restore(&server, &file, "ours", &["--jobs", jobs]).run().ended(0);
        assert!(!done.stdout.contains("connection"), "{kind}: {}", done.stdout);
        equality::same(kind, &rows, &equality::rows(&server, "ours").await);
        equality::same(kind, &definitions, &equality::definitions(&server, major, "ours"));
        server.sql("postgres", "DROP DATABASE ours").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_as_stock_pg_restore_makes_it_on_15() {
    as_stock_pg_restore_makes_it(15).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_as_stock_pg_restore_makes_it_on_18() {
    as_stock_pg_restore_makes_it(18).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "for `scripts/test --full`"]
async fn it_is_as_stock_pg_restore_makes_it_on_the_others() {
    // No client of 16 is installed, and to its server newer ones speak over one connection.
    for major in [13, 14, 17] {
        as_stock_pg_restore_makes_it(major).await;
    }
}

/// By the bytes that the server stores, whatever they mean.
async fn stored(server: &Server, database: &str, table: &str) -> String {
    server
        .sql(database, &format!("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM {table} t"))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_in_other_encodings() {
    for (server, major) in [(shared().await, 15), (shared_18().await, 18)] {
        let folder = tempfile::tempdir().unwrap();
        for encoding in ["LATIN1", "SQL_ASCII", "WIN1251"] {
            let (from, to) = (format!("from_{encoding}"), format!("to_{encoding}"));
            server
                .sql(
                    "postgres",
                    &format!(
                        "CREATE DATABASE \"{from}\" TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
                    ),
                )
                .await;
            let name = match encoding {
                "LATIN1" => "größe",
                "WIN1251" => "размер",
                _ => "size",
            };
            // Bytes above 127 that are no UTF-8.
            let bytes = "convert_from(decode('e4e0ff', 'hex'), getdatabaseencoding())";
            server
                .sql(&from, &format!("CREATE TABLE \"{name}\" AS SELECT n AS id, {bytes} || n AS text FROM generate_series(1, 5000) n"))
                .await;
            let file = folder.path().join(encoding);
            std::fs::write(&file, dump(server, major, &from, &[])).unwrap();
            let done = restore(server, &file, &to, &["--jobs", "2"]).run().ended(0);
            // Names that only the server can read go by pg_restore alone.
            let one = done.stdout.contains("over one connection: the rows of 'public.размер'");
            assert_eq!(one, encoding == "WIN1251", "{}", done.stdout);
            let table = format!("\"{name}\"");
            assert_eq!(stored(server, &to, &table).await, stored(server, &from, &table).await, "{encoding}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_over_one_connection_is_told() {
    let server = shared().await;
    let scene =
        Scene::bare(server, "inserts_only", "CREATE TABLE t AS SELECT n FROM generate_series(1, 9) n").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("inserts.dump");
    std::fs::write(&file, dump(server, 15, &scene.database, &["--inserts"])).unwrap();
    let done = restore(server, &file, "inserts_again", &[]).run().ended(0);
    let note = "loaded over one connection: the rows of 'public.t' are INSERT statements";
    assert!(done.stdout.contains(note), "{}", done.stdout);
    assert_eq!(server.sql("inserts_again", "SELECT count(*) FROM t").await, "9");

    server.sql("postgres", "CREATE ROLE few LOGIN CREATEDB CONNECTION LIMIT 3").await;
    std::fs::write(&file, dump(server, 15, &scene.database, &["--no-owner"])).unwrap();
    let mut said = String::new();
    for _ in 0..5 {
        // Those of the last time may still count.
        while server.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'few'").await
            != "0"
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let done = restore(server, &file, "by_few", &["--jobs", "5", "--no-owner"])
            .env("PGUSER", "few")
            .run()
            .ended(0);
        assert!(done.stdout.contains("too many connections"), "{}", done.stdout);
        assert_eq!(server.sql("by_few", "SELECT count(*) FROM t").await, "9");
        server.sql("postgres", "DROP DATABASE by_few").await;
        said = done.stdout;
        // The server may still count pg_restore's own, which has just ended: then it is one.
        if !said.contains("over 1 of 5 connections: ") {
            break;
        }
    }
    assert!(said.contains("over 2 of 5 connections: "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tables_come_over_few_connections_too() {
    let server = shared().await;
    let tables = "DO $$ BEGIN FOR n IN 1..300 LOOP
        EXECUTE format('CREATE TABLE t_%s AS SELECT %s AS n', n, n); END LOOP; END $$;
        CREATE VIEW seen AS SELECT n FROM t_1";
    let scene = Scene::bare(server, "many_few", tables).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("many.dump");
    std::fs::write(&file, dump(server, 15, &scene.database, &["--no-owner"])).unwrap();
    server.sql("postgres", "CREATE ROLE scarce LOGIN CREATEDB CONNECTION LIMIT 2").await;
    let done = restore(server, &file, "by_scarce", &["--jobs", "5", "--no-owner"])
        .env("PGUSER", "scarce")
        .run()
        .ended(0);
    assert!(done.stdout.contains("too many connections"), "{}", done.stdout);
    assert_eq!(server.sql("by_scarce", "SELECT count(*) FROM t_300 WHERE n = 300").await, "1");
}

/// A file with the archive of [`BIG`], uncompressed.
async fn big_archive(server: &Server, name: &str, folder: &Path) -> (PathBuf, Vec<u8>) {
    archive_of(server, name, BIG, folder).await
}

/// The same, of which the large table takes its rows slowly, so that nobody who
/// looks for its COPY comes too late.
async fn slow_archive(server: &Server, name: &str, folder: &Path) -> PathBuf {
    let slow = format!(
        "{BIG};
        CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
            IF $1 % 1000 = 0 AND current_setting('story.quick', true) IS NULL THEN PERFORM pg_sleep(0.1); END IF;
            RETURN true; END $$;
        SET story.quick = 'on';
        ALTER TABLE large ADD CHECK (slow(id))"
    );
    archive_of(server, name, &slow, folder).await.0
}

async fn archive_of(server: &Server, name: &str, statements: &str, folder: &Path) -> (PathBuf, Vec<u8>) {
    let scene = Scene::bare(server, name, statements).await;
    let archive = dump(server, 15, &scene.database, &["-Z0"]);
    let file = folder.join("big.dump");
    std::fs::write(&file, &archive).unwrap();
    (file, archive)
}

async fn gone(server: &Server, run_home: &Path, database: &str) {
    let begun = Instant::now();
    let there = format!("SELECT count(*) FROM pg_database WHERE datname = '{database}'");
    assert_eq!(server.sql("postgres", &there).await, "0");
    while !processes(run_home).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", processes(run_home));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Wait until a session of a database does something.
async fn until_doing(server: &Server, run: &mut Running, database: &str, what: &str) -> String {
    let begun = Instant::now();
    let ask = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{database}' AND state = 'active' AND query LIKE '{what}%' LIMIT 1"
    );
    loop {
        let pid = server.sql("postgres", &ask).await;
        if !pid.is_empty() {
            return pid;
        }
        assert!(!run.is_over(), "it is over, and nobody did {what}");
        if begun.elapsed() > Duration::from_mins(1) {
            let all =
                "SELECT datname, state, wait_event, query FROM pg_stat_activity WHERE datname IS NOT NULL";
            panic!("nobody did {what}: {}", server.sql("postgres", all).await);
        }
    }
}

async fn ended(run: Running) -> crate::support::command::Outcome {
    tokio::task::spawn_blocking(move || run.wait()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connection_ends_all_of_it() {
    let server = shared().await;
    let folder = tempfile::tempdir().unwrap();
    let file = slow_archive(server, "to_be_killed", folder.path()).await;
    let mut run =
        restore(server, &file, "load_killed", &["--jobs", "3"]).env("TMPDIR", folder.path()).start();
    let home = run.home.path().to_owned();
    let pid = until_doing(server, &mut run, "load_killed", "COPY public.large").await;
    server.sql("postgres", &format!("SELECT pg_terminate_backend({pid})")).await;
    let outcome = ended(run).await.ended(2);
    assert!(outcome.stderr.contains("'public.large'"), "{}", outcome.stderr);
    gone(server, &home, "load_killed").await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file is left over");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_while_rows_go_in_leaves_nothing() {
    let server = shared().await;
    let folder = tempfile::tempdir().unwrap();
    let file = slow_archive(server, "to_be_stopped", folder.path()).await;
    let mut run =
        restore(server, &file, "load_stopped", &["--jobs", "3"]).env("TMPDIR", folder.path()).start();
    let home = run.home.path().to_owned();
    until_doing(server, &mut run, "load_stopped", "COPY public.large").await;
    run.signal(Signal::SIGTERM);
    let outcome = ended(run).await;
    assert_ne!(outcome.status, Some(0));
    assert!(outcome.stderr.contains("interrupted"), "{}", outcome.stderr);
    gone(server, &home, "load_stopped").await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file is left over");
}

/// Stops a restore while it makes indexes of this.
async fn interrupted_at_an_index(name: &str, indexed: &str, statement: &str) {
    let server = shared().await;
    let folder = tempfile::tempdir().unwrap();
    // A second or more a row, and none here, where the rows come behind its back.
    let slow = format!(
        "CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT factorial(32000 + $1) > 0';
        CREATE TABLE t (id int); CREATE INDEX ON t (({indexed}));
        CREATE TABLE u (id int); CREATE INDEX ON u (({indexed}));
        SET allow_system_table_mods = on;
        UPDATE pg_index SET indisready = false WHERE indrelid IN ('t'::regclass, 'u'::regclass);
        INSERT INTO t SELECT generate_series(1, 60); INSERT INTO u TABLE t;
        UPDATE pg_index SET indisready = true WHERE indrelid IN ('t'::regclass, 'u'::regclass)"
    );
    let scene = Scene::bare(server, &format!("{name}_source"), &slow).await;
    let file = folder.path().join("slow.dump");
    std::fs::write(&file, dump(server, 15, &scene.database, &[])).unwrap();
    let mut run = restore(server, &file, name, &["--jobs", "2"]).env("TMPDIR", folder.path()).start();
    let home = run.home.path().to_owned();
    until_doing(server, &mut run, name, statement).await;
    let begun = Instant::now();
    run.signal(Signal::SIGTERM);
    let outcome = ended(run).await;
    assert!(outcome.stderr.contains("interrupted"), "{}", outcome.stderr);
    assert!(begun.elapsed() < Duration::from_secs(20), "it waited for an index");
    gone(server, &home, name).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file is left over");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_while_indexes_are_made_leaves_nothing() {
    // By pg_restore, and by our own connections.
    interrupted_at_an_index("halfway", "slow(id)", "CREATE INDEX").await;
    interrupted_at_an_index(
        "halfway_ours",
        "factorial(32000 + id) > 0",
        "SET default_tablespace = %; CREATE INDEX",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_row_names_its_table() {
    let server = shared().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, mut archive) = big_archive(server, "with_a_wrong_row", folder.path()).await;
    let at = archive.windows(8).position(|window| window == b"\n170000\t").unwrap_or_else(|| {
        // A chunk a row: its length stands between the rows.
        archive.windows(7).position(|window| window == b"170000\t").unwrap()
    });
    let digit = at + archive[at..].iter().position(|byte| *byte == b'7').unwrap();
    archive[digit] = b'x';
    std::fs::write(&file, &archive).unwrap();
    let run = restore(server, &file, "wrong", &["--jobs", "3"]).start();
    let home = run.home.path().to_owned();
    let outcome = ended(run).await.ended(2);
    let said = "error: the rows of 'public.large' were refused: invalid input syntax for type integer: \"1x0000\" (column id)";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    gone(server, &home, "wrong").await;

    // Cut off in the middle, and a row's end lost.
    std::fs::write(&file, &archive[..at]).unwrap();
    let outcome = restore(server, &file, "cut_off", &[]).run().ended(2);
    assert!(outcome.stderr.contains("inside the data of 'public.large'"), "{}", outcome.stderr);
    gone(server, &home, "cut_off").await;
}
