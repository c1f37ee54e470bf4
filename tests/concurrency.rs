//! What others do to a database while it is backed up: the backup holds what
//! its snapshot saw and proves to, or it fails and says why. It is never wrong.

use backstop_policy::manifest::{Counted, Manifest, Proof, Verification};

use crate::support::cluster::Server;
use crate::support::command::{Backstop, Outcome, backstop};
use crate::support::interference::{Moment, interfere};
use crate::support::{equality, tools};

const MAJOR: u32 = 15;

/// A database and a store of its own.
struct Scene<'a> {
    server: &'a Server,
    database: String,
    folder: tempfile::TempDir,
}

impl<'a> Scene<'a> {
    async fn new(server: &'a Server, database: &str, sql: &str) -> Self {
        server.sql("postgres", &format!("CREATE DATABASE {database} TEMPLATE template0")).await;
        server.sql(database, sql).await;
        Self { server, database: database.to_owned(), folder: tempfile::tempdir().unwrap() }
    }

    fn run(&self, arguments: &[&str]) -> Backstop {
        let store = format!("file://{}/store", self.folder.path().display());
        let arguments = arguments.iter().copied().chain(["--format", "json", "--store", &store]);
        let mut run = backstop(arguments).env("PGDATABASE", &self.database);
        for (name, value) in self.server.environment() {
            run = run.env(name, value);
        }
        run
    }

    /// A backup during which others run `sql`.
    fn backup_while(&self, moment: Moment, sql: &str) -> Outcome {
        let programs = interfere(self.folder.path(), MAJOR, moment, sql);
        let places = std::env::join_paths([programs, tools::postgres(MAJOR), tools::postgres(18)]).unwrap();
        self.run(&["backup"]).env("BACKSTOP_PG_BIN", places).run()
    }

    fn manifests(&self) -> Vec<String> {
        let catalog = self.folder.path().join("store").join(&self.database).join("catalog");
        let entries = std::fs::read_dir(catalog).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".json")).collect()
    }

    /// Nothing is left in the store that could be taken for a backup.
    fn nothing_stored(&self) {
        assert_eq!(self.manifests(), Vec::<String>::new());
        let dumps = self.folder.path().join("store").join(&self.database).join("manual");
        assert!(std::fs::read_dir(&dumps).map_or(0, Iterator::count) == 0, "{}", dumps.display());
    }

    #[track_caller]
    fn verified(&self) -> Verification {
        let outcome = self.run(&["verify", "--level", "restored"]).run();
        let found: Verification = serde_json::from_str(&outcome.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", outcome.stdout, outcome.stderr));
        assert!(found.passed && outcome.status == Some(0), "{found:#?}");
        found
    }

    /// The backup's archive, restored without us into a database of that name.
    async fn restore(&self, manifest: &Manifest, database: &str) {
        let archive = std::fs::read(self.folder.path().join("store").join(&manifest.artifact.key)).unwrap();
        equality::restore_by_stock_tools(self.server, MAJOR, database, &archive).await;
    }
}

fn taken(outcome: &Outcome) -> Manifest {
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn rows(manifest: &Manifest, name: &str) -> (u64, Counted) {
    let Proof::Snapshot { tables, .. } = &manifest.proof else { panic!("unproven: {manifest:#?}") };
    let table = tables.iter().find(|table| table.name == name);
    table.map(|table| (table.rows, table.counted)).unwrap_or_else(|| panic!("no '{name}': {tables:#?}"))
}

/// Some of everything that DDL can hit.
const OBJECTS: &str = "
    CREATE TABLE parents (id int PRIMARY KEY, name text);
    INSERT INTO parents SELECT n, 'parent ' || n FROM generate_series(1, 100) n;
    CREATE TABLE victims (id int PRIMARY KEY, parent int REFERENCES parents, note text, extra int);
    INSERT INTO victims SELECT n, 1 + n % 100, repeat('x', 100), n FROM generate_series(1, 3000) n;
    CREATE INDEX victims_note ON victims (note);
    CREATE TABLE others (id int);
    INSERT INTO others VALUES (1), (2);
    CREATE VIEW seen AS SELECT v.id, p.name FROM victims v JOIN parents p ON p.id = v.parent;
    CREATE FUNCTION five() RETURNS int LANGUAGE sql AS 'SELECT 5';
    CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
    INSERT INTO parts SELECT n, date '2024-01-01' + n FROM generate_series(0, 50) n;
    CREATE SEQUENCE numbers;
    -- So much that pg_dump cannot end before somebody reads what it writes.
    CREATE TABLE zz_filler AS SELECT n, sha256(n::text::bytea) FROM generate_series(1, 20000) n;
";

#[tokio::test]
async fn explore() {
    let server = Server::start(MAJOR).await;
    server.sql("postgres", &format!("CREATE DATABASE objects TEMPLATE template0")).await;
    server.sql("objects", OBJECTS).await;
    let cases = [
        "CREATE TABLE fresh AS SELECT 1 AS id",
        "INSERT INTO others VALUES (3); DELETE FROM others WHERE id = 1; SELECT nextval('numbers')",
        "CREATE INDEX fresh ON victims (parent)",
        "DROP TABLE victims CASCADE",
        "DROP TABLE others",
        "TRUNCATE victims",
        "TRUNCATE victims; INSERT INTO victims VALUES (1)",
        "ALTER TABLE victims ADD COLUMN more int",
        "ALTER TABLE victims DROP COLUMN extra",
        "ALTER TABLE victims ALTER extra TYPE bigint",
        "ALTER TABLE others RENAME TO elsewhere",
        "ALTER TABLE others RENAME TO elsewhere; CREATE TABLE others AS SELECT n FROM generate_series(1, 9) n",
        "DROP INDEX victims_note",
        "DROP VIEW seen",
        "CREATE OR REPLACE VIEW seen AS SELECT v.id, p.name, 1 AS one FROM victims v JOIN parents p ON p.id = v.parent",
        "CREATE OR REPLACE FUNCTION five() RETURNS int LANGUAGE sql AS 'SELECT 6'",
        "DROP FUNCTION five",
        "ALTER TABLE victims DROP CONSTRAINT victims_parent_fkey",
        "ALTER TABLE parts DETACH PARTITION parts_2",
        "DROP TABLE parts_2",
        "DROP SEQUENCE numbers",
        "VACUUM FULL victims",
        "ALTER SCHEMA public RENAME TO private",
        "DROP TABLE parts",
    ];
    for moment in [Moment::BeforeItsLocks, Moment::WhileItDumps, Moment::AfterItsLocks] {
        for (n, case) in cases.iter().enumerate() {
            let name = format!("case_{moment:?}_{n}").to_lowercase();
            server.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE objects")).await;
            let scene = Scene { server: &server, database: name, folder: tempfile::tempdir().unwrap() };
            let begun = std::time::Instant::now();
            let outcome = scene.backup_while(moment, case);
            println!("## {moment:?}: {case}: {:?} {:?}", outcome.status, begun.elapsed());
            if outcome.status == Some(0) {
                let manifest = taken(&outcome);
                let Proof::Snapshot { tables, .. } = &manifest.proof else { panic!() };
                println!(
                    "{}",
                    tables
                        .iter()
                        .map(|t| format!(
                            "{}={}{}",
                            t.name,
                            t.rows,
                            if t.counted == Counted::Archive { "a" } else { "" }
                        ))
                        .collect::<Vec<_>>()
                        .join(" ")
                );
                let v = scene.run(&["verify", "--on", &scene.server.cluster.conninfo("postgres")]).run();
                println!("verify {:?} {}", v.status, v.stderr);
                if v.status != Some(0) {
                    println!("{}", v.stdout);
                }
            } else {
                println!(
                    "{}",
                    outcome
                        .stderr
                        .lines()
                        .filter(|l| !l.contains("not encrypted"))
                        .collect::<Vec<_>>()
                        .join("\n")
                );
                scene.nothing_stored();
            }
        }
    }
}
