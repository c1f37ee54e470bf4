//! Every kind of object and name that a database may hold: backed up, restored by
//! `verify`, and found equal; and what was damaged in a restored database is found.

use std::process::Command;

use crate::support::scene::{Scene, shared, shared_18};
use crate::support::tools;

async fn proven(scene: &Scene<'_>, arguments: &[&str]) -> String {
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
        proven(&scene, &[]).await;
        let database = "sche.ma \"q\" \\ 'x'\n-- é";
        // The same by a pattern that names the schema.
        proven(&scene, &["--schema", &format!("\"{}\"", database.replace('"', "\"\""))]).await;
    }
}

const OBJECTS: &str = include_str!("support/objects.sql");

#[tokio::test]
async fn every_kind_of_object() {
    for server in [shared().await, shared_18().await] {
        let scene = Scene::bare(server, "objects", OBJECTS).await;
        proven(&scene, &[]).await;
    }
}
