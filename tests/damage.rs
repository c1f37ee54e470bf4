//! A restored database in which something is missing, lost or changed: the
//! comparison with the dump's snapshot finds it, and nothing else.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use backstop::archive::{Plan, Toc, read_toc};
use backstop::verify::compare::{Depth, compare};
use backstop_policy::manifest::Manifest;

use crate::proven::objects;
use crate::support::cluster::Server;
use crate::support::scene::{Scene, shared};
use crate::support::tools;

/// A backup, and a database into which a stock `pg_restore` loaded it.
struct Restored<'a> {
    scene: Scene<'a>,
    manifest: Manifest,
    toc: Toc,
    copy: String,
}

async fn restored<'a>(server: &'a Server, name: &str) -> Restored<'a> {
    let scene = objects(server, name).await;
    let taken = scene.backup(&["--format", "json"]).run().ended(0);
    let manifest: Manifest = serde_json::from_str(&taken.stdout).unwrap();
    let artifact = scene.store_path().join(&manifest.artifact.key);
    let (toc, _) = read_toc(&mut &std::fs::read(&artifact).unwrap()[..]).unwrap();
    let copy = format!("{name}_copy");
    server.sql("postgres", &format!("CREATE DATABASE {copy} TEMPLATE template0")).await;
    let loaded = Command::new(tools::postgres(15).join("pg_restore"))
        .args(["--exit-on-error", &format!("--dbname={}", server.cluster.conninfo(&copy))])
        .arg(artifact)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    Restored { scene, manifest, toc, copy }
}

impl Restored<'_> {
    /// What the comparison finds.
    async fn compared(&self) -> Vec<String> {
        let target = self.scene.server.cluster.target(&self.copy).unwrap();
        let everything = self.toc.entries.iter().map(|entry| entry.dump_id).collect();
        let plan = Plan { entries: everything, ..Plan::default() };
        let found =
            compare(&target, &self.manifest, &self.toc, &plan, Depth::Rows { jobs: 2 }).await.unwrap();
        assert_eq!(found.partial, Vec::<String>::new());
        found.failures
    }
}

#[tokio::test]
async fn whatever_is_not_as_it_was_is_found() {
    let restored = restored(shared().await, "damaged").await;
    assert_eq!(restored.compared().await, Vec::<String>::new(), "nothing is damaged yet");
    let mut said = String::new();
    let mut known = Vec::new();
    for damage in DAMAGES {
        // Past the event trigger that forbids it.
        let statement = format!("SET session_replication_role = replica; {damage}");
        restored.scene.server.sql(&restored.copy, &statement).await;
        let found = restored.compared().await;
        let new: Vec<&String> = found.iter().filter(|failure| !known.contains(*failure)).collect();
        assert!(!new.is_empty(), "not found: {damage}");
        writeln!(said, "{damage}").unwrap();
        for failure in new {
            writeln!(said, "    {}", without_digests(failure)).unwrap();
        }
        known = found;
    }
    insta::assert_snapshot!(said, @r#"
    UPDATE app.customers SET name = name || ' ' WHERE id = 1010
        table "app"."customers" has 50 rows as in the snapshot, but not the same ones (digest [DIGEST], in the snapshot [DIGEST])
    UPDATE app.customers SET tags = '{x,"NULL"}' WHERE id = 1010
        table "app"."customers" has 50 rows as in the snapshot, but not the same ones (digest [DIGEST], in the snapshot [DIGEST])
    UPDATE app.a SET b = 1 WHERE id = 1
        table "app"."a" has 2 rows as in the snapshot, but not the same ones (digest [DIGEST], in the snapshot [DIGEST])
    CREATE TEMP TABLE t AS TABLE app.by_mood; TRUNCATE app.by_mood; INSERT INTO app.by_mood SELECT mood, n / 2 FROM t
        table app.by_mood has 40 rows as in the snapshot, but not the same ones (digest [DIGEST], in the snapshot [DIGEST])
    CREATE TEMP TABLE t AS TABLE app.base; TRUNCATE ONLY app.base; INSERT INTO app.base SELECT id, NULL FROM t LIMIT 1
        table "app"."base" has 1 rows as in the snapshot, but not the same ones (digest [DIGEST], in the snapshot [DIGEST])
    DELETE FROM app.customers WHERE id = 1000
        table "app"."customers" has 49 rows, but 50 were in the snapshot
    INSERT INTO app.nothing DEFAULT VALUES
        table "app"."nothing" has 2 rows, but 1 were in the snapshot
    ALTER TABLE app.events DETACH PARTITION app.events_rest
        table app.events has 29 rows, but 40 were in the snapshot
        inheritance of app.events_rest is missing
        inheritance of app.events_rest_kind_idx is missing
        inheritance of app.events_rest_pkey is missing
        table app.events_rest is not as it was
    ALTER TABLE app.child NO INHERIT app.base
        inheritance of app.child is missing
    ALTER TABLE app.scratch SET LOGGED
        table app.scratch is not as it was
    ALTER TABLE app.events DISABLE ROW LEVEL SECURITY
        table app.events is not as it was
    ALTER TABLE app.customers NO FORCE ROW LEVEL SECURITY
        table app.customers is not as it was
    ALTER INDEX app.customers_name_trgm RESET (fastupdate)
        index app.customers_name_trgm is not as it was
    ALTER TABLE app.customers ALTER name DROP DEFAULT
        column app.customers.name is not as it was
    ALTER TABLE app.customers ALTER tags DROP NOT NULL
        column app.customers.tags is not as it was
    ALTER TABLE app.with_serial ALTER id TYPE bigint
        column app.with_serial.id is not as it was
    DROP INDEX app.customers_brin
        index app.customers_brin is missing
    DROP INDEX app.events_rest_own
        index app.events_rest_own is missing
    ALTER TABLE app.customers DROP CONSTRAINT name_and_mood
        constraint app.customers.name_and_mood is missing
    ALTER TABLE app.a DROP CONSTRAINT to_b
        constraint app.a.to_b is missing
    ALTER TABLE app.bookings DROP CONSTRAINT bookings_room_during_excl
        constraint app.bookings.bookings_room_during_excl is missing
        index app.bookings_room_during_excl is missing
    ALTER DOMAIN app.positive DROP CONSTRAINT is_positive
        constraint app.positive.is_positive is missing
    ALTER TABLE app.customers REPLICA IDENTITY DEFAULT
        index app.customers_email_key is not as it was
    ALTER POLICY readers ON app.customers TO PUBLIC
        policy app.customers.readers is not as it was
    ALTER POLICY writers ON app.customers WITH CHECK (true)
        policy app.customers.writers is not as it was
    ALTER TABLE app.customers DISABLE TRIGGER refuse_insert
        trigger app.customers.refuse_insert is not as it was
    ALTER EVENT TRIGGER off ENABLE
        event trigger off is not as it was
    CREATE OR REPLACE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'
        function app.refuse() is not as it was
    ALTER FUNCTION app.add(text) SECURITY INVOKER
        function app.add(text) is not as it was
    DROP PROCEDURE app.proc
        function app.proc(integer) is missing
        grant on app.proc(integer) is missing
        owner of app.proc(integer) is missing
    DROP AGGREGATE app.total(int)
        function app.total(integer) is missing
        grant on app.total(integer) is missing
        owner of app.total(integer) is missing
    DROP CAST (app.address AS text)
        cast app.address AS text is missing
    DROP VIEW app.of_view
        grant on app.of_view is missing
        owner of app.of_view is missing
        view app.of_view is missing
    CREATE OR REPLACE VIEW app.writable AS SELECT id FROM app.empty WHERE id > 0
        view app.writable is not as it was
    ALTER VIEW app.happy RESET (security_barrier)
        view app.happy is not as it was
    DROP MATERIALIZED VIEW app.not_yet
        grant on app.not_yet is missing
        owner of app.not_yet is missing
        view app.not_yet is missing
    REFRESH MATERIALIZED VIEW app.of_totals WITH NO DATA
        content of materialized view app.of_totals is missing
    SELECT setval('app.down', 10, false)
        sequence "app"."down" stands at 10, which it has yet to give out; in the archive it stands at 5
    SELECT setval('app.with_serial_by_default_seq', 7, true)
        sequence "app"."with_serial_by_default_seq" stands at 7; in the archive it stands at 7, which it has yet to give out
    ALTER SEQUENCE app.round NO CYCLE
        sequence app.round is not as it was
    DROP SEQUENCE app.unused CASCADE
        sequence "app"."unused" is missing
        grant on app.unused is missing
        owner of app.unused is missing
        sequence app.unused is missing
    ALTER TYPE app.mood RENAME VALUE 'fine' TO 'good'
        table app.by_mood has 40 rows as in the snapshot, but not the same ones (digest [DIGEST], in the snapshot [DIGEST])
        type app.mood is not as it was
    DROP STATISTICS app.correlated
        statistics app.correlated is missing
    ALTER TEXT SEARCH CONFIGURATION app.search DROP MAPPING FOR asciiword
        text search configuration app.search is not as it was
    SELECT lo_unlink(424242)
        2 large objects, but 3 were in the snapshot
    REVOKE SELECT ON app.customers FROM damaged_grantor CASCADE
        grant on app.customers is not as it was
    REVOKE UPDATE (name) ON app.customers FROM damaged_reader
        grant on app.customers.name is missing
    GRANT EXECUTE ON FUNCTION app.add(int, int, int[]) TO PUBLIC
        grant on app.add(integer,integer,integer[]) is not as it was
    REVOKE USAGE ON SCHEMA app FROM damaged_reader
        grant on app is not as it was
    ALTER DEFAULT PRIVILEGES FOR ROLE damaged_owner IN SCHEMA app REVOKE SELECT ON TABLES FROM damaged_reader
        default privilege app.damaged_owner r is missing
    DROP RULE no_delete ON app.empty
        rule app.empty.no_delete is missing
    ALTER PUBLICATION two_tables DROP TABLE app.a
        publication two_tables is not as it was
    DROP PUBLICATION two_tables
        publication two_tables is missing
    TRUNCATE ONLY app.base
        table "app"."base" has 0 rows, but 1 were in the snapshot
    TRUNCATE app.events_2026_x CASCADE
        table "app"."refers" has 0 rows, but 3 were in the snapshot
        table app.events has 0 rows, but 40 were in the snapshot
    TRUNCATE app.near
        table app.half_far has 0 rows, but 2 were in the snapshot
    DROP POLICY writers ON app.customers
        policy app.customers.writers is missing
    DROP TRIGGER refuse_insert ON app.customers
        trigger app.customers.refuse_insert is missing
    DROP EVENT TRIGGER no_drop
        event trigger no_drop is missing
    ALTER TABLE app.customers OWNER TO CURRENT_USER
        grant on app.customers.email is not as it was
        grant on app.customers.id is not as it was
        grant on app.customers_id_seq is not as it was
        owner of app.customers is not as it was
        owner of app.customers_id_seq is not as it was
    ALTER SCHEMA app OWNER TO CURRENT_USER
        owner of app is not as it was
    ALTER TABLE app.customers DROP COLUMN "unique" CASCADE
        column app.customers."unique" is missing
        grant on app.happy is missing
        owner of app.happy is missing
        trigger app.happy.refuse_view is missing
        view app.happy is missing
    DROP OPERATOR app.=== (app.address, app.address)
        operator app.===(app.address,app.address) is missing
    DROP SERVER elsewhere CASCADE
        column app.far.id is missing
        column app.farther.id is missing
        foreign server elsewhere is missing
        grant on app.far is missing
        grant on app.farther is missing
        inheritance of app.farther is missing
        owner of app.far is missing
        owner of app.farther is missing
        table app.far is missing
        table app.farther is missing
    DROP TABLE app.empty CASCADE
        table "app"."empty" is missing
        column app.empty.id is missing
        grant on app.empty is missing
        grant on app.writable is missing
        owner of app.empty is missing
        owner of app.writable is missing
        rule app.writable.writable_insert is missing
        table app.empty is missing
        trigger app.empty.refuse_transition is missing
        view app.writable is missing
    DROP TABLE app.child CASCADE
        table "app"."child" is missing
        column app.child.id is missing
        column app.child.more is missing
        column app.child.note is missing
        constraint app.child.base_id_check is missing
        grant on app.child is missing
        owner of app.child is missing
        table app.child is missing
    DROP TABLE app.events_rest CASCADE
        column app.events_rest.at is missing
        column app.events_rest.id is missing
        column app.events_rest.kind is missing
        grant on app.events_rest is missing
        index app.events_rest_kind_idx is missing
        index app.events_rest_pkey is missing
        owner of app.events_rest is missing
        table app.events_rest is missing
    DROP EXTENSION pg_trgm CASCADE
        extension pg_trgm is missing
        index app.customers_name_trgm is missing
    "#);
}

/// Each backup has a key of its own.
fn without_digests(text: &str) -> String {
    let digest = |word: &str| {
        let bare = word.trim_end_matches([',', ')']);
        if bare.len() == 32 && bare.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            word.replace(bare, "[DIGEST]")
        } else {
            word.to_owned()
        }
    };
    text.split(' ').map(digest).collect::<Vec<_>>().join(" ")
}

/// One after the other, in the same database.
const DAMAGES: &[&str] = &[
    "UPDATE app.customers SET name = name || ' ' WHERE id = 1010",
    "UPDATE app.customers SET tags = '{x,\"NULL\"}' WHERE id = 1010",
    "UPDATE app.a SET b = 1 WHERE id = 1",
    "CREATE TEMP TABLE t AS TABLE app.by_mood; TRUNCATE app.by_mood; INSERT INTO app.by_mood SELECT mood, n / 2 FROM t",
    "CREATE TEMP TABLE t AS TABLE app.base; TRUNCATE ONLY app.base; INSERT INTO app.base SELECT id, NULL FROM t LIMIT 1",
    "DELETE FROM app.customers WHERE id = 1000",
    "INSERT INTO app.nothing DEFAULT VALUES",
    "ALTER TABLE app.events DETACH PARTITION app.events_rest",
    "ALTER TABLE app.child NO INHERIT app.base",
    "ALTER TABLE app.scratch SET LOGGED",
    "ALTER TABLE app.events DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE app.customers NO FORCE ROW LEVEL SECURITY",
    "ALTER INDEX app.customers_name_trgm RESET (fastupdate)",
    "ALTER TABLE app.customers ALTER name DROP DEFAULT",
    "ALTER TABLE app.customers ALTER tags DROP NOT NULL",
    "ALTER TABLE app.with_serial ALTER id TYPE bigint",
    "DROP INDEX app.customers_brin",
    "DROP INDEX app.events_rest_own",
    "ALTER TABLE app.customers DROP CONSTRAINT name_and_mood",
    "ALTER TABLE app.a DROP CONSTRAINT to_b",
    "ALTER TABLE app.bookings DROP CONSTRAINT bookings_room_during_excl",
    "ALTER DOMAIN app.positive DROP CONSTRAINT is_positive",
    "ALTER TABLE app.customers REPLICA IDENTITY DEFAULT",
    "ALTER POLICY readers ON app.customers TO PUBLIC",
    "ALTER POLICY writers ON app.customers WITH CHECK (true)",
    "ALTER TABLE app.customers DISABLE TRIGGER refuse_insert",
    "ALTER EVENT TRIGGER off ENABLE",
    "CREATE OR REPLACE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "ALTER FUNCTION app.add(text) SECURITY INVOKER",
    "DROP PROCEDURE app.proc",
    "DROP AGGREGATE app.total(int)",
    "DROP CAST (app.address AS text)",
    "DROP VIEW app.of_view",
    "CREATE OR REPLACE VIEW app.writable AS SELECT id FROM app.empty WHERE id > 0",
    "ALTER VIEW app.happy RESET (security_barrier)",
    "DROP MATERIALIZED VIEW app.not_yet",
    "REFRESH MATERIALIZED VIEW app.of_totals WITH NO DATA",
    "SELECT setval('app.down', 10, false)",
    "SELECT setval('app.with_serial_by_default_seq', 7, true)",
    "ALTER SEQUENCE app.round NO CYCLE",
    "DROP SEQUENCE app.unused CASCADE",
    "ALTER TYPE app.mood RENAME VALUE 'fine' TO 'good'",
    "DROP STATISTICS app.correlated",
    "ALTER TEXT SEARCH CONFIGURATION app.search DROP MAPPING FOR asciiword",
    "SELECT lo_unlink(424242)",
    "REVOKE SELECT ON app.customers FROM damaged_grantor CASCADE",
    "REVOKE UPDATE (name) ON app.customers FROM damaged_reader",
    "GRANT EXECUTE ON FUNCTION app.add(int, int, int[]) TO PUBLIC",
    "REVOKE USAGE ON SCHEMA app FROM damaged_reader",
    "ALTER DEFAULT PRIVILEGES FOR ROLE damaged_owner IN SCHEMA app REVOKE SELECT ON TABLES FROM damaged_reader",
    "DROP RULE no_delete ON app.empty",
    "ALTER PUBLICATION two_tables DROP TABLE app.a",
    "DROP PUBLICATION two_tables",
    "TRUNCATE ONLY app.base",
    "TRUNCATE app.events_2026_x CASCADE",
    "TRUNCATE app.near",
    "DROP POLICY writers ON app.customers",
    "DROP TRIGGER refuse_insert ON app.customers",
    "DROP EVENT TRIGGER no_drop",
    "ALTER TABLE app.customers OWNER TO CURRENT_USER",
    "ALTER SCHEMA app OWNER TO CURRENT_USER",
    "ALTER TABLE app.customers DROP COLUMN \"unique\" CASCADE",
    "DROP OPERATOR app.=== (app.address, app.address)",
    "DROP SERVER elsewhere CASCADE",
    "DROP TABLE app.empty CASCADE",
    "DROP TABLE app.child CASCADE",
    "DROP TABLE app.events_rest CASCADE",
    "DROP EXTENSION pg_trgm CASCADE",
];
