//! What others do to a database while it is backed up: the backup holds what
//! its snapshot saw and proves to, or it fails and says why. It is never wrong.

use std::time::Duration;

use backstop_policy::manifest::{Counted, Manifest, Proof, Verification};

use crate::support::cluster::Server;
use crate::support::command::{Backstop, Outcome, backstop};
use crate::support::interference::{Moment, interfere};
use crate::support::{equality, tools};

const MAJOR: u32 = 15;
/// How often what is a matter of luck is tried.
const ROUNDS: u64 = 10;

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
        // Beside the source: no other roles are needed, and no other server.
        let on = self.server.cluster.conninfo("postgres");
        let outcome = self.run(&["verify", "--level", "restored", "--on", &on]).run();
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
    let (said, hint) = said.split_once("\nhint: ").unwrap();
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
        pg_dump failed (exit status: 1): column "extra" of relation "victims" does not exist; detail: Query was: COPY public.victims (id, parent, note, extra) TO stdout;
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

const BANK: &str = "
    CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
    INSERT INTO accounts SELECT n, 1000 FROM generate_series(0, 499) n;
    -- Dumped between the two, so that they are seconds apart.
    CREATE TABLE filler AS SELECT n, sha256(n::text::bytea) FROM generate_series(1, 60000) n;
    CREATE TABLE transfers (id bigserial PRIMARY KEY, payer int NOT NULL, payee int NOT NULL, amount bigint NOT NULL);
";
/// The sum of all balances, and the accounts whose balance its transfers do not explain.
const AUDIT: &str = "
    SELECT sum(balance), count(*) FILTER (WHERE balance <> 1000
        + coalesce((SELECT sum(amount) FROM transfers WHERE payee = a.id), 0)
        - coalesce((SELECT sum(amount) FROM transfers WHERE payer = a.id), 0)) FROM accounts a";

/// Another number each time, the same in every run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Sessions that go on with something until they are dropped.
struct Load {
    tasks: tokio::task::JoinSet<()>,
}

impl Load {
    /// `statements` makes what each of the sessions says next, from a random state.
    async fn start(
        server: &Server,
        database: &str,
        sessions: u64,
        pause: Duration,
        statements: fn(&mut u64) -> String,
    ) -> Self {
        let mut tasks = tokio::task::JoinSet::new();
        for seed in 1..=sessions {
            let (client, connection) =
                server.cluster.config(database).connect(tokio_postgres::NoTls).await.unwrap();
            tasks.spawn(async move {
                tokio::spawn(connection);
                let mut state = seed;
                loop {
                    // That two of them get into each other's way is part of it.
                    let _ = client.batch_execute(&statements(&mut state)).await;
                    tokio::time::sleep(pause).await;
                }
            });
        }
        Self { tasks }
    }

    async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

fn transfer(state: &mut u64) -> String {
    let (one, other, amount) = (next(state) % 500, next(state) % 500, next(state) % 90);
    format!(
        "BEGIN; SELECT FROM accounts WHERE id IN ({one}, {other}) ORDER BY id FOR UPDATE; \
         UPDATE accounts SET balance = balance - {amount} WHERE id = {one}; \
         UPDATE accounts SET balance = balance + {amount} WHERE id = {other}; \
         INSERT INTO transfers (payer, payee, amount) VALUES ({one}, {other}, {amount}); COMMIT"
    )
}

/// Four clients transfer money all the while: every backup holds one moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balances_that_move_during_the_dump() {
    let server = Server::start(MAJOR).await;
    let scene = Scene::new(&server, "bank", BANK).await;
    let load = Load::start(&server, "bank", 4, Duration::from_millis(1), transfer).await;
    for round in 0..ROUNDS / 3 {
        let before: u64 = server.sql("bank", "SELECT count(*) FROM transfers").await.parse().unwrap();
        let outcome = tokio::task::block_in_place(|| scene.run(&["backup"]).run());
        let manifest = taken(&outcome.ended(0));
        let live: u64 = server.sql("bank", "SELECT count(*) FROM transfers").await.parse().unwrap();
        let (count, counted) = rows(&manifest, "transfers");
        assert!(before <= count && count < live, "{before} <= {count} < {live}");
        assert_eq!((counted, rows(&manifest, "accounts")), (Counted::Snapshot, (500, Counted::Snapshot)));

        let found = tokio::task::block_in_place(|| scene.verified());
        assert_eq!(found.backup, manifest.id);
        let again = format!("again_{round}");
        scene.restore(&manifest, &again).await;
        assert_eq!(server.sql(&again, AUDIT).await, "500000|0");
        // A sequence is in no snapshot: it may be ahead of the rows, never behind.
        let restored = server
            .sql(
                &again,
                "SELECT count(*), max(id) <= (SELECT last_value FROM transfers_id_seq) FROM transfers",
            )
            .await;
        assert_eq!(restored, format!("{count}|t"));
    }
    load.stop().await;
    server.cluster.stop().await.unwrap();
}

const LEDGER: &str = "
    CREATE TABLE ledger (id int PRIMARY KEY, amount int);
    INSERT INTO ledger SELECT n, n FROM generate_series(1, 2000) n;
    CREATE TABLE notes (id int, note text);
    INSERT INTO notes SELECT n, 'note' FROM generate_series(1, 100) n;
";

fn migration(state: &mut u64) -> String {
    let (change, n) = (next(state) % 12, next(state) % 3);
    let change = match change {
        0 | 1 => format!("CREATE TABLE IF NOT EXISTS made_{n} AS SELECT {n} AS id"),
        2 => format!("DROP TABLE IF EXISTS made_{n}"),
        3 => format!("TRUNCATE made_{n}; INSERT INTO made_{n} VALUES (1), (2)"),
        4 => "ALTER TABLE ledger ALTER amount TYPE bigint".to_owned(),
        5 => "ALTER TABLE ledger ALTER amount TYPE int".to_owned(),
        6 => "CREATE INDEX IF NOT EXISTS by_amount ON ledger (amount)".to_owned(),
        7 => "DROP INDEX IF EXISTS by_amount".to_owned(),
        8 => format!("CREATE OR REPLACE VIEW seen AS SELECT id, {n} AS n FROM ledger"),
        9 => format!("ALTER TABLE notes ADD COLUMN IF NOT EXISTS extra_{n} int"),
        10 => format!("ALTER TABLE notes DROP COLUMN IF EXISTS extra_{n}"),
        _ => "ALTER TABLE notes RENAME TO other; ALTER TABLE other RENAME TO notes".to_owned(),
    };
    format!("SET lock_timeout = '1s'; {change}")
}

/// Two sessions that change the schema all the while: a backup proves to be what
/// it says, or there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_changes_during_the_dump() {
    let server = Server::start(MAJOR).await;
    let scene = Scene::new(&server, "ledger", LEDGER).await;
    let load = Load::start(&server, "ledger", 2, Duration::from_millis(150), migration).await;
    for round in 0..ROUNDS {
        let manifests = scene.manifests().len();
        let outcome = tokio::task::block_in_place(|| scene.run(&["backup"]).run());
        if outcome.status == Some(2) {
            let (_, said) = outcome.stderr.split_once("\nerror: ").unwrap();
            let known = ["others changed ", "others dropped or replaced ", "pg_dump failed "];
            assert!(known.iter().any(|known| said.starts_with(known)), "{said}");
            assert!(said.contains("\nhint: nothing was committed"), "{said}");
            assert_eq!(scene.manifests().len(), manifests, "{said}");
            continue;
        }
        let manifest = taken(&outcome.ended(0));
        tokio::task::block_in_place(|| scene.verified());
        let again = format!("again_{round}");
        scene.restore(&manifest, &again).await;
        assert_eq!(server.sql(&again, "SELECT count(*), sum(amount) FROM ledger").await, "2000|2001000");
        assert_eq!(server.sql(&again, "SELECT count(*) FROM notes").await, "100");
    }
    load.stop().await;
    // Not one of them may have come between two changes; now one does.
    tokio::task::block_in_place(|| scene.run(&["backup"]).run()).ended(0);
    tokio::task::block_in_place(|| scene.verified());
    server.cluster.stop().await.unwrap();
}
