//! A database in use while it is backed up: clients that write all the while, and
//! migrations. Every backup holds one moment, or there is none.

use std::time::Duration;

use backstop_policy::manifest::Counted;

use crate::concurrency::{MAJOR, Scene, rows, taken};
use crate::support::cluster::Server;

/// How often what is a matter of luck is tried.
const ROUNDS: u64 = 10;

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
            let known = [
                "others changed ",
                "others dropped or replaced ",
                "pg_dump failed ",
                "cannot copy the rows of ",
            ];
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
