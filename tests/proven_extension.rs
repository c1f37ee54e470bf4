//! More tables than a server has locks for, and an extension with configuration
//! tables of its own.

use std::os::unix::fs::PermissionsExt;

use backstop::postgres::cluster::ClusterOptions;
use backstop_policy::manifest::{Manifest, Proof};

use crate::support::cluster::Server;
use crate::support::scene::Scene;

/// Locks that do not suffice are told, with the setting that does.
#[tokio::test]
async fn too_many_tables_for_the_servers_locks() {
    let settings = vec![("max_locks_per_transaction".to_owned(), "10".to_owned())];
    let options = ClusterOptions { max_connections: 8, settings, ..ClusterOptions::default() };
    let server = Server::start_with(15, &options).await;
    let scene = Scene::new(&server, "few_locks", "CREATE TABLE t (id int)").await;
    for step in 0..10 {
        let make = format!(
            "DO $$ BEGIN FOR n IN {} .. {} LOOP EXECUTE format('CREATE TABLE t%s (id int)', n); END LOOP; END $$",
            step * 100,
            step * 100 + 99
        );
        server.sql("few_locks", &make).await;
    }
    insta::assert_snapshot!(scene.fails(scene.backup(&[])).await, @r"
    error: pg_dump failed (exit status: 1): out of shared memory; detail: Query was: LOCK TABLE public.t384 IN ACCESS SHARE MODE
    hint: raise max_locks_per_transaction on the server; a dump locks every table
    ");
}

/// An extension's own rows come with it; those that its user added are dumped, by
/// the condition that it names. What others hang on its tables is in no dump.
#[tokio::test]
async fn an_extension_with_configuration_tables() {
    let folder = tempfile::tempdir().unwrap();
    let extension = folder.path().join("extension");
    std::fs::create_dir(&extension).unwrap();
    std::fs::write(extension.join("settings.control"), "default_version = '1.0'\nrelocatable = false\n")
        .unwrap();
    let script = "CREATE TABLE setting (name text PRIMARY KEY, value text, builtin bool DEFAULT false);
        INSERT INTO setting VALUES ('a', '1', true), ('b', '2', true);
        CREATE TABLE log (line text); INSERT INTO log VALUES ('installed');
        CREATE TABLE whole (line text);
        CREATE FUNCTION setting_of(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
        SELECT pg_catalog.pg_extension_config_dump('setting', 'WHERE NOT builtin');
        SELECT pg_catalog.pg_extension_config_dump('whole', '');";
    std::fs::write(extension.join("settings--1.0.sql"), script).unwrap();
    // The server runs as somebody else.
    for path in [folder.path(), &extension] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:$system", folder.path().display());
    let settings = vec![("extension_control_path".to_owned(), path)];
    let server = Server::start_with(18, &ClusterOptions { settings, ..ClusterOptions::default() }).await;
    let scene = Scene::bare(
        &server,
        "extended",
        "CREATE EXTENSION settings; INSERT INTO setting VALUES ('c', '3'); INSERT INTO log VALUES ('used');
         INSERT INTO whole VALUES ('x'), ('y'); CREATE TABLE own AS TABLE setting;
         CREATE INDEX mine ON setting (value); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER mine BEFORE INSERT ON setting FOR EACH ROW EXECUTE FUNCTION f();
         CREATE EXTENSION hstore; CREATE TABLE with_hstore AS SELECT 'a=>1'::hstore AS h;
         CREATE VIEW of_settings AS SELECT name FROM setting; CREATE ROLE extended_reader;
         GRANT SELECT ON setting TO extended_reader; GRANT EXECUTE ON FUNCTION setting_of(text) TO extended_reader;
         ALTER TABLE setting ADD CONSTRAINT mine CHECK (value <> '')",
    )
    .await;
    let taken = scene.backup(&["--format", "json"]).run().ended(0);
    let manifest: Manifest = serde_json::from_str(&taken.stdout).unwrap();
    let Proof::Snapshot { tables, .. } = &manifest.proof else { panic!("{:?}", manifest.proof) };
    let mut tables: Vec<_> = tables.iter().map(|table| (table.name.as_str(), table.rows)).collect();
    tables.sort_unstable();
    assert_eq!(tables, [("own", 3), ("setting", 1), ("whole", 2), ("with_hstore", 1)]);
    let on = format!("{} port={}", server.cluster.conninfo("postgres"), server.cluster.port());
    let equal = scene.verify(&["--on", &on]).run().ended(0);
    assert!(equal.stdout.contains(": restored\n"), "{}", equal.stdout);
    // A throwaway server does not have it: what can be restored is, and the rest is named.
    let part = scene.verify(&[]).run();
    let lines: Vec<&str> = part.stdout.lines().filter(|line| line.contains("left out")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    left out   1 rows of public.setting
    left out   2 rows of public.whole
    left out   extension settings
    left out   grant public.of_settings
    left out   owner public.of_settings
    left out   view public.of_settings
    ");
    assert_eq!(part.status, Some(0), "{part:?}");
}
