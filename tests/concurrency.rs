//! What others do to a database while it is backed up: the backup holds what
//! its snapshot saw and proves to, or it fails and says why. It is never wrong.

use backstop_policy::manifest::{Counted, Manifest, Proof, Verification};

use crate::support::cluster::Server;
use crate::support::command::{Backstop, Outcome, backstop};
use crate::support::interference::{Moment, interfere};
use crate::support::{equality, tools};

pub const MAJOR: u32 = 15;

/// A database and a store of its own.
pub struct Scene<'a> {
    server: &'a Server,
    database: String,
    folder: tempfile::TempDir,
}

impl<'a> Scene<'a> {
    pub async fn new(server: &'a Server, database: &str, sql: &str) -> Self {
        server.sql("postgres", &format!("CREATE DATABASE {database} TEMPLATE template0")).await;
        server.sql(database, sql).await;
        Self { server, database: database.to_owned(), folder: tempfile::tempdir().unwrap() }
    }

    pub fn run(&self, arguments: &[&str]) -> Backstop {
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

    pub fn manifests(&self) -> Vec<String> {
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
    pub fn verified(&self) -> Verification {
        // Beside the source: no other roles are needed, and no other server.
        let on = self.server.cluster.conninfo("postgres");
        let outcome = self.run(&["verify", "--level", "restored", "--on", &on]).run();
        let found: Verification = serde_json::from_str(&outcome.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", outcome.stdout, outcome.stderr));
        assert!(found.passed && outcome.status == Some(0), "{found:#?}");
        found
    }

    /// The backup's archive, restored without us into a database of that name.
    pub async fn restore(&self, manifest: &Manifest, database: &str) {
        let archive = std::fs::read(self.folder.path().join("store").join(&manifest.artifact.key)).unwrap();
        equality::restore_by_stock_tools(self.server, MAJOR, database, &archive).await;
    }
}

pub fn taken(outcome: &Outcome) -> Manifest {
    serde_json::from_str(&outcome.stdout).unwrap()
}

pub fn rows(manifest: &Manifest, name: &str) -> (u64, Counted) {
    let Proof::Snapshot { tables, .. } = &manifest.proof else { panic!("unproven: {manifest:#?}") };
    let table = tables.iter().find(|table| table.name == name);
    let table = table.unwrap_or_else(|| panic!("no '{name}': {tables:#?}"));
    (table.rows, table.counted)
}

/// Some of everything that a change of the schema can hit.
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
    SELECT setval('numbers', 41);
    -- So much that pg_dump cannot end before somebody reads what it writes.
    CREATE TABLE zz_filler AS SELECT n, sha256(n::text::bytea) FROM generate_series(1, 30000) n;
";
/// What the snapshot saw of the tables that the changes are about.
const ROWS: [(&str, u64); 3] = [("others", 2), ("parts_2", 20), ("victims", 3000)];

async fn objects() -> Server {
    let server = Server::start(MAJOR).await;
    server.sql("postgres", "CREATE DATABASE objects TEMPLATE template0").await;
    server.sql("objects", OBJECTS).await;
    server
}

async fn copy_of_objects<'a>(server: &'a Server, name: &str) -> Scene<'a> {
    server.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE objects")).await;
    Scene { server, database: name.to_owned(), folder: tempfile::tempdir().unwrap() }
}

/// A backup that succeeded holds what the snapshot saw.
#[track_caller]
fn holds_the_snapshot(scene: &Scene<'_>, outcome: &Outcome, what: &str) -> Manifest {
    assert_eq!(outcome.status, Some(0), "{what}: {}", outcome.stderr);
    let manifest = taken(outcome);
    for (name, expected) in ROWS {
        assert_eq!(rows(&manifest, name).0, expected, "{what}: {name}");
    }
    scene.verified();
    manifest
}

/// A backup that failed says why and what to do, and leaves nothing.
#[track_caller]
fn failed(scene: &Scene<'_>, outcome: &Outcome, what: &str) -> String {
    assert_eq!(outcome.status, Some(2), "{what}: {}", outcome.stdout);
    scene.nothing_stored();
    let (_, said) = outcome.stderr.split_once("\nerror: ").unwrap();
    let (said, hint) = said.split_once("\nhint: ").expect(said);
    assert!(hint.starts_with("nothing was committed"), "{what}: {hint}");
    said.replace(&scene.database, "[DATABASE]")
}

/// The snapshot is taken, and pg_dump has not locked a table yet.
#[tokio::test]
async fn a_change_between_the_snapshot_and_the_locks() {
    let server = objects().await;
    for (n, change) in [
        "CREATE TABLE fresh AS SELECT 1 AS id; CREATE INDEX fresh_note ON victims (parent)",
        "INSERT INTO others VALUES (3); DELETE FROM victims; SELECT nextval('numbers')",
        "ALTER TABLE victims ADD COLUMN more int DEFAULT 3",
        "CREATE OR REPLACE FUNCTION five() RETURNS int LANGUAGE sql AS 'SELECT 6'",
        "ALTER TABLE victims DROP CONSTRAINT victims_parent_fkey",
        "ALTER TABLE parts DETACH PARTITION parts_2",
        "VACUUM FULL victims",
    ]
    .iter()
    .enumerate()
    {
        let scene = copy_of_objects(&server, &format!("harmless_{n}")).await;
        let outcome = scene.backup_while(Moment::BeforeItsLocks, change);
        holds_the_snapshot(&scene, &outcome, change);
    }
    let mut said = String::new();
    for (n, change) in [
        "TRUNCATE victims",
        "ALTER TABLE victims ALTER extra TYPE bigint",
        "DROP INDEX victims_note",
        "DROP FUNCTION five",
        "DROP VIEW seen",
        "DROP TABLE others",
        "DROP SEQUENCE numbers",
        "ALTER TABLE victims DROP COLUMN extra",
        "ALTER TABLE others RENAME TO elsewhere; CREATE TABLE others AS SELECT 7 AS id",
        "ALTER SCHEMA public RENAME TO private",
    ]
    .iter()
    .enumerate()
    {
        let scene = copy_of_objects(&server, &format!("harmful_{n}")).await;
        let outcome = scene.backup_while(Moment::BeforeItsLocks, change);
        let oid = server.sql("objects", "SELECT 'seen'::regclass::oid").await;
        let why = failed(&scene, &outcome, change).replace(&oid, "[OID]");
        said += &format!("{change}\n    {why}\n");
    }
    insta::assert_snapshot!(said, @r#"
    TRUNCATE victims
        others changed '[DATABASE]' while its backup began: table public.victims
    ALTER TABLE victims ALTER extra TYPE bigint
        others changed '[DATABASE]' while its backup began: table public.victims
    DROP INDEX victims_note
        others changed '[DATABASE]' while its backup began: index public.victims_note
    DROP FUNCTION five
        others changed '[DATABASE]' while its backup began: function public.five(), grant public.five(), owner public.five()
    DROP VIEW seen
        pg_dump failed (exit status: 1): could not open relation with OID [OID]; detail: Query was: SELECT pg_catalog.pg_get_viewdef('[OID]'::pg_catalog.oid) AS viewdef
    DROP TABLE others
        pg_dump failed (exit status: 1): relation "public.others" does not exist; detail: Query was: LOCK TABLE public.others IN ACCESS SHARE MODE
    DROP SEQUENCE numbers
        pg_dump failed (exit status: 1): relation "public.numbers" does not exist; detail: Query was: SELECT last_value, is_called FROM public.numbers
    ALTER TABLE victims DROP COLUMN extra
        cannot copy the rows of 'public.victims'
    caused by: the server could not copy its rows: column "extra" of relation "victims" does not exist (SQLSTATE 42703)
    ALTER TABLE others RENAME TO elsewhere; CREATE TABLE others AS SELECT 7 AS id
        others changed '[DATABASE]' while its backup began: column public.others.id, grant public.others, owner public.others, table public.others
    ALTER SCHEMA public RENAME TO private
        pg_dump failed (exit status: 1): schema "public" does not exist; detail: Query was: LOCK TABLE public.parents IN ACCESS SHARE MODE
    "#);
    server.cluster.stop().await.unwrap();
}

/// pg_dump holds its locks, and a change of a table waits for them.
#[tokio::test]
async fn a_change_that_waits_for_the_dump() {
    let server = objects().await;
    for (n, (change, table)) in [
        ("DROP TABLE victims CASCADE", "victims"),
        ("TRUNCATE victims; INSERT INTO victims VALUES (1)", "victims"),
        ("ALTER TABLE others RENAME TO elsewhere; CREATE TABLE others AS SELECT 7 AS id", "others"),
        ("BEGIN; LOCK TABLE parts_2 IN ACCESS EXCLUSIVE MODE", "parts_2"),
    ]
    .into_iter()
    .enumerate()
    {
        let scene = copy_of_objects(&server, &format!("waiting_{n}")).await;
        let outcome = scene.backup_while(Moment::WhileItDumps, change);
        let manifest = holds_the_snapshot(&scene, &outcome, change);
        // Nobody waits behind the change to count what it has locked.
        assert_eq!(rows(&manifest, table).1, Counted::Archive, "{change}");
        assert_eq!(rows(&manifest, "zz_filler"), (30000, Counted::Snapshot), "{change}");
    }
    server.cluster.stop().await.unwrap();
}

/// pg_dump is done, and nobody has noticed yet. Whether we have read the catalogue
/// by then is a matter of luck.
#[tokio::test]
async fn a_change_right_after_the_dump() {
    let server = objects().await;
    for (n, change) in [
        "DROP TABLE victims CASCADE",
        "TRUNCATE victims; TRUNCATE others",
        "ALTER TABLE others RENAME TO elsewhere; CREATE TABLE others AS SELECT 7 AS id",
        "ALTER TABLE parts DETACH PARTITION parts_2; DROP TABLE parts_2",
    ]
    .iter()
    .enumerate()
    {
        let scene = copy_of_objects(&server, &format!("after_{n}")).await;
        let outcome = scene.backup_while(Moment::AfterItsLocks, change);
        if outcome.status == Some(0) {
            holds_the_snapshot(&scene, &outcome, change);
        } else {
            let said = failed(&scene, &outcome, change);
            assert!(
                said.starts_with("others changed '[DATABASE]' while its backup began: "),
                "{change}: {said}"
            );
        }
    }
    server.cluster.stop().await.unwrap();
}
