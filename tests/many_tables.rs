//! Five thousand tables: as many locks as a server has room for in one
//! transaction, and a table of contents of tens of thousands of entries.

use backstop::postgres::cluster::ClusterOptions;

use crate::support::cluster::Server;
use crate::support::scene::Scene;

/// A server gives locks away by the thousand. What is made here is made in
/// pieces, and what is counted afterwards must be counted in pieces too.
const TABLES: &str = "
    DO $$ BEGIN
        FOR n IN 1..5000 LOOP
            EXECUTE format('CREATE TABLE t_%s (id serial PRIMARY KEY, name text NOT NULL)', n);
            EXECUTE format('INSERT INTO t_%s (name) SELECT k FROM generate_series(1, %s) k', n, n % 3);
            IF n % 200 = 0 THEN COMMIT; END IF;
        END LOOP;
    END $$";

#[tokio::test]
async fn five_thousand_tables_are_backed_up_and_restored() {
    // pg_dump holds a lock on every table and sequence: its server must have room,
    // the server of a trial restore is as it is.
    let room = ("max_locks_per_transaction".to_owned(), "256".to_owned());
    let options = ClusterOptions { settings: vec![room], ..ClusterOptions::default() };
    let server = Server::start_with(15, &options).await;
    let scene = Scene::bare(&server, "many", TABLES).await;
    scene.backup(&["--quiet"]).run().ended(0);

    let shown = scene.command("show", &["--format", "json"]).run().ended(0).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let tables = shown["proof"]["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 5000);
    assert!(tables.iter().all(|table| table["counted"] == "snapshot"), "counted elsewhere: {}", tables[0]);
    assert_eq!(tables.iter().map(|table| table["rows"].as_u64().unwrap()).sum::<u64>(), 5001);

    let verified = scene.verify(&["--level", "restored"]).run().ended(0).stdout;
    assert!(verified.contains("restored"), "{verified}");
}
