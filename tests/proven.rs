//! Every kind of object and name that a database may hold: backed up, restored by
//! `verify`, and found equal; and what was damaged in a restored database is found.

use std::fmt::Write as _;

use backstop_policy::manifest::Manifest;

use crate::support::cluster::Server;
use crate::support::scene::{Scene, shared, shared_18};

fn proven(scene: &Scene<'_>, arguments: &[&str]) -> String {
    scene.backup(arguments).run().ended(0);
    let outcome = scene.verify(&["--level", "restored"]).run().ended(0);
    assert!(outcome.stdout.contains("restored"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("partial"), "{}", outcome.stdout);
    outcome.stdout
}

#[tokio::test]
async fn weird_names() {
    let statements = r#"
        CREATE ROLE "ro""le 'n' \\ ü";
        CREATE SCHEMA "sche.ma ""q"" \ 'x'
-- é";
        SET search_path = "sche.ma ""q"" \ 'x'
-- é";
        CREATE TYPE "en um.""x""" AS ENUM ('a''b', 'c\d', 'e"f', 'g
h');
        CREATE TABLE "tab.le ""q"" \ 'x'
-- ☃" ("id 1" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "co.l ""q"" \ 
x" "en um.""x""" DEFAULT 'c\d', "SELECT" text CHECK ("SELECT" <> 'a\b'));
        INSERT INTO "tab.le ""q"" \ 'x'
-- ☃" ("SELECT") VALUES ('x'), (E'y\tz\n'), (NULL);
        CREATE INDEX "in dex. ""q"" \ 
x" ON "tab.le ""q"" \ 'x'
-- ☃" ("SELECT" text_pattern_ops) WHERE "SELECT" <> 'a\b';
        CREATE FUNCTION "func.tion (""q"", \
x)"("ar g" "en um.""x""", "b.b" "tab.le ""q"" \ 'x'
-- ☃" DEFAULT NULL) RETURNS text LANGUAGE sql AS 'SELECT ''a\b''';
        CREATE FUNCTION "trig ger"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER "trig.ger ""q"" \
x" BEFORE INSERT ON "tab.le ""q"" \ 'x'
-- ☃" FOR EACH ROW EXECUTE FUNCTION "trig ger"('a\b', 'c''d');
        CREATE POLICY "pol.icy ""q"" \
x" ON "tab.le ""q"" \ 'x'
-- ☃" TO "ro""le 'n' \\ ü" USING ("SELECT" = 'a\b');
        CREATE VIEW "vi.ew ""q""
x" AS SELECT "SELECT" || E'\\' AS "a b" FROM "tab.le ""q"" \ 'x'
-- ☃";
        CREATE SEQUENCE "se.quence, ""q""
x"; SELECT nextval('"se.quence, ""q""
x"');
        ALTER TABLE "tab.le ""q"" \ 'x'
-- ☃" OWNER TO "ro""le 'n' \\ ü";
        GRANT SELECT, UPDATE ("SELECT") ON "tab.le ""q"" \ 'x'
-- ☃" TO PUBLIC;
        COMMENT ON TABLE "tab.le ""q"" \ 'x'
-- ☃" IS 'a\b''c
-- d';
        ALTER TABLE "tab.le ""q"" \ 'x'
-- ☃" RENAME CONSTRAINT "tab.le ""q"" \ 'x'
-- ☃_pkey" TO "constr aint. ""q""
x"
    "#;
    for server in [shared().await, shared_18().await] {
        let name = "da\"ta'ba.se \\ ü\n=x";
        server.sql("postgres", "DROP ROLE IF EXISTS \"ro\"\"le 'n' \\\\ ü\"").await;
        let scene = Scene::bare(server, name, statements).await;
        let database = backstop_policy::identifier::quote(name);
        let owner = "\"ro\"\"le 'n' \\\\ ü\"";
        server.sql("postgres", &format!("ALTER DATABASE {database} OWNER TO {owner}")).await;
        proven(&scene, &[]);
        let schema = "sche.ma \"q\" \\ 'x'\n-- é";
        // The same by a pattern that names the schema.
        proven(&scene, &["--schema", &format!("\"{}\"", schema.replace('"', "\"\""))]);
    }
}

/// Every kind of object, in words for servers with and without pgcrypto.
pub async fn objects<'a>(server: &'a Server, name: &str) -> Scene<'a> {
    let all = include_str!("support/objects.sql").replace("DATABASE objects", &format!("DATABASE {name}"));
    let available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pgcrypto'";
    let all = match server.sql("postgres", available).await.as_str() {
        "1" => all,
        _ => all.replace("pgcrypto", "fuzzystrmatch").replace("extra.digest('x', 'sha256')", "sha256('x')"),
    };
    // Roles are of the server, which other tests share.
    let all = all.replace("objects_", &format!("{name}_"));
    server.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
    // One by one, as psql does: many at once are one transaction.
    for statement in all.split(";\n") {
        server.sql(name, statement).await;
    }
    Scene::of(server, name)
}

#[tokio::test]
async fn every_kind_of_object() {
    for server in [shared().await, shared_18().await] {
        let scene = objects(server, "objects").await;
        proven(&scene, &[]);
        proven(&scene, &["--content", "schema"]);
        // On the server itself too, where the roles are there and a subscription
        // would hold the trial's database.
        let cluster = &server.cluster;
        let on = format!("{} port={}", cluster.conninfo("postgres"), cluster.port());
        scene.verify(&["--on", &on]).run().ended(0);
        assert_eq!(scene.trials(&scene.newest()).await, "");
    }
}

/// An index that CREATE INDEX CONCURRENTLY left behind is in no dump, and no loss.
#[tokio::test]
async fn a_failed_index() {
    let tables = "CREATE TABLE t AS SELECT 1 AS id FROM generate_series(1, 2); CREATE INDEX good ON t (id)";
    let scene = Scene::bare(shared().await, "failed_index", tables).await;
    let session = scene.session().await;
    session.batch_execute("CREATE UNIQUE INDEX CONCURRENTLY bad ON t (id)").await.unwrap_err();
    drop(session);
    proven(&scene, &[]);
}

/// Bytes that mean something else in UTF-8, or nothing: in rows, in names, in
/// defaults, in functions.
#[tokio::test]
async fn databases_that_are_not_utf8() {
    let latin = "CREATE TABLE \"café\" (\"naïve\" text DEFAULT 'é', id serial);
        CREATE TYPE \"té\" AS ENUM ('è'); CREATE INDEX \"ié\" ON \"café\" (\"naïve\");
        CREATE FUNCTION \"fé\"() RETURNS text LANGUAGE sql AS 'SELECT ''é''';
        CREATE TABLE p (a text) PARTITION BY LIST (a); CREATE TABLE \"pé\" PARTITION OF p FOR VALUES IN ('é');
        INSERT INTO p VALUES ('é'); INSERT INTO \"café\" VALUES ('ü'), ('a')";
    let owned = format!("{latin}; CREATE ROLE \"rôle\"; ALTER TABLE \"café\" OWNER TO \"rôle\"");
    let japanese = "CREATE TABLE \"日本\" (\"列\" text DEFAULT '東京');
        INSERT INTO \"日本\" VALUES ('大阪'), (DEFAULT); CREATE SEQUENCE \"列\"; SELECT nextval('列')";
    // Raw bytes come from expressions here, because the connection speaks UTF-8.
    let raw = r"CREATE TABLE t (a text, b text DEFAULT E'\xe9'); INSERT INTO t VALUES (E'\xff\xfe'), (E'\x80');
        CREATE INDEX ON t (a) WHERE a <> E'\xff'; CREATE TABLE p (a text) PARTITION BY LIST (a);
        CREATE TABLE p1 PARTITION OF p FOR VALUES IN (E'\xe9'); INSERT INTO p VALUES (E'\xe9');
        CREATE VIEW v AS SELECT * FROM t WHERE a = E'\xff'; CREATE TYPE e AS ENUM (E'\xe9')";
    for (encoding, statements) in
        [("LATIN1", owned.as_str()), ("WIN1252", latin), ("EUC_JP", japanese), ("SQL_ASCII", raw)]
    {
        // A role's name in LATIN1 is no text in EUC_JP: a server of its own for each.
        let server = Server::start(15).await;
        let create = format!("CREATE DATABASE other TEMPLATE template0 ENCODING '{encoding}'");
        server.sql("postgres", &format!("{create} LC_COLLATE 'C' LC_CTYPE 'C'")).await;
        server.sql("other", statements).await;
        proven(&Scene::of(&server, "other"), &[]);
    }
}

/// What `--schema`, `--table` and the like leave behind: a part that restores, or
/// the word of what it lacks.
#[tokio::test]
async fn parts_of_a_database() {
    let statements = "
        CREATE SCHEMA s1; CREATE SCHEMA s2; CREATE TYPE s1.mood AS ENUM ('a', 'b');
        CREATE FUNCTION s1.f(m s1.mood) RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE TABLE s1.parent (id serial PRIMARY KEY, m s1.mood, v int DEFAULT s1.f('a'));
        CREATE TABLE s1.child (id int PRIMARY KEY, parent int REFERENCES s1.parent);
        CREATE TABLE s2.\"Plain one\" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text UNIQUE);
        CREATE TABLE s2.refers (plain int REFERENCES s2.\"Plain one\", parent int REFERENCES s1.parent);
        CREATE TABLE s2.part (id int) PARTITION BY RANGE (id);
        CREATE TABLE s2.part_1 PARTITION OF s2.part FOR VALUES FROM (0) TO (10);
        CREATE TABLE s2.part_2 PARTITION OF s2.part FOR VALUES FROM (10) TO (20);
        CREATE INDEX ON s2.part (id); CREATE VIEW s2.v AS SELECT * FROM s2.\"Plain one\";
        CREATE MATERIALIZED VIEW s2.mv AS SELECT count(*) FROM s2.\"Plain one\";
        INSERT INTO s2.\"Plain one\" (note) SELECT n::text FROM generate_series(1, 10) n;
        INSERT INTO s2.part SELECT generate_series(0, 19); INSERT INTO s1.parent (m) VALUES ('a'), ('b');
        INSERT INTO s1.child VALUES (1, 1); INSERT INTO s2.refers VALUES (1, 1);
        SELECT lo_from_bytea(0, 'x')";
    let scene = Scene::bare(shared().await, "parts", statements).await;
    let mut said = String::new();
    for arguments in [
        &["--content", "data"][..],
        &["--schema", "s1"],
        &["--schema", "s2"],
        &["--schema", "s?", "--exclude-table", "s1.parent"],
        &["--table", "s2.\"Plain one\""],
        &["--table", "s2.part*"],
        &["--table", "s2.part_1"],
        &["--table", "s1.parent"],
        &["--exclude-table", "s2.part_2"],
        &["--exclude-table-data", "s2.\"Plain one\""],
        &["--exclude-table-data", "s2.*"],
        &["--content", "schema", "--schema", "s2", "--exclude-table", "*.refers"],
    ] {
        let taken = scene.backup(&[arguments, &["--format", "json"]].concat()).run().ended(0);
        let manifest: Manifest = serde_json::from_str(&taken.stdout).unwrap();
        let check = scene.verify(&[&manifest.id, "--no-progress"]).run();
        writeln!(said, "$ {}", arguments.join(" ")).unwrap();
        for line in check.stdout.lines().chain(check.stderr.lines()) {
            // Times, and the ids.
            if !["  restored ", "  took "].iter().any(|time| line.starts_with(time)) {
                writeln!(said, "{}", line.replace(&manifest.id, "[ID]")).unwrap();
            }
        }
    }
    insta::assert_snapshot!(said, @r#"
    $ --content data
    error: backup [ID] holds rows and no definitions, so it cannot be restored by itself
    hint: `--level contents` is as far as it can be checked; restore it over a backup of the definitions
    $ --schema s1
    verified [ID] of db: restored
      equal      2 tables with 3 rows, 1 sequence, 24 catalogue entries
    $ --schema s2
    verified [ID] of db: restored, partial
      equal      4 tables with 31 rows, 1 sequence, 42 catalogue entries
      left out   constraint s2.refers.refers_parent_fkey
    left out: FK CONSTRAINT s2.refers refers_parent_fkey (it refers to 's1.parent', which is not restored)
    $ --schema s? --exclude-table s1.parent
    verified [ID] of db: restored, partial
      equal      5 tables with 32 rows, 2 sequences, 58 catalogue entries
      left out   constraint s1.child.child_parent_fkey
      left out   constraint s2.refers.refers_parent_fkey
    left out: FK CONSTRAINT s1.child child_parent_fkey (it refers to 's1.parent', which is not restored)
    left out: FK CONSTRAINT s2.refers refers_parent_fkey (it refers to 's1.parent', which is not restored)
    $ --table s2."Plain one"
    verified [ID] of db: restored
      equal      1 table with 10 rows, 1 sequence, 10 catalogue entries
    $ --table s2.part*
    verified [ID] of db: restored
      equal      2 tables with 20 rows, 0 sequences, 17 catalogue entries
    $ --table s2.part_1
    FAILED [ID] of db: asked for restored, reached contents
      failed     the backup holds a part of the database, which needs what is not in it: pg_restore failed: pg_restore: error: could not execute query: ERROR:  relation "s2.part" does not exist
    Command was: ALTER TABLE ONLY s2.part ATTACH PARTITION s2.part_1 FOR VALUES FROM (0) TO (10);
    hint: choose what that part needs too, and take another backup
    $ --table s1.parent
    FAILED [ID] of db: asked for restored, reached contents
      failed     the backup holds a part of the database, which needs what is not in it: pg_restore failed: pg_restore: error: could not execute query: ERROR:  type "s1.mood" does not exist
    LINE 3:     m s1.mood,
                  ^
    Command was: CREATE TABLE s1.parent (
        id integer NOT NULL,
        m s1.mood,
        v integer DEFAULT s1.f('a'::s1.mood)
    );
    hint: choose what that part needs too, and take another backup
    $ --exclude-table s2.part_2
    verified [ID] of db: restored
      equal      5 tables with 24 rows, 2 sequences, 60 catalogue entries
    $ --exclude-table-data s2."Plain one"
    verified [ID] of db: restored, partial
      equal      5 tables with 24 rows, 2 sequences, 66 catalogue entries
      left out   constraint s2.refers.refers_plain_fkey
    left out: FK CONSTRAINT s2.refers refers_plain_fkey (it refers to rows of 's2.Plain one', which the archive does not hold)
    $ --exclude-table-data s2.*
    verified [ID] of db: restored
      equal      2 tables with 3 rows, 1 sequence, 65 catalogue entries
    $ --content schema --schema s2 --exclude-table *.refers
    verified [ID] of db: restored
      equal      0 tables with 0 rows, 0 sequences, 34 catalogue entries
    "#);
}
