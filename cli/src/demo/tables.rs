//! What the shop's tables hold, asked by SQL alone: rows, and a checksum of all
//! of them in an order of its own.

use indicatif::HumanCount;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error as PgError, NoTls, SimpleQueryMessage};

use super::Error;
use crate::postgres::cluster::Cluster;

/// Every relation of the shop that holds rows; the last is a materialized view.
const TABLES: [&str; 5] = ["users", "products", "orders", "order_items", "best_sellers"];

/// A table's rows at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    pub rows: u64,
    pub md5: String,
}

/// One table through the demo; `None` is a table that was not there.
#[derive(Debug, Serialize)]
pub struct Table {
    pub name: &'static str,
    pub before: Option<State>,
    pub damaged: Option<State>,
    pub restored: Option<State>,
}

/// In the order of [`TABLES`].
pub type States = [Option<State>; TABLES.len()];

impl Table {
    pub fn was_damaged(&self) -> bool {
        self.damaged != self.before
    }

    /// It holds again what it held, and that was something.
    pub fn is_back(&self) -> bool {
        self.before.as_ref().is_some_and(|state| state.rows > 0) && self.restored == self.before
    }
}

pub fn compare(before: States, damaged: States, restored: States) -> Vec<Table> {
    let states = before.into_iter().zip(damaged).zip(restored);
    TABLES
        .into_iter()
        .zip(states)
        .map(|(name, ((before, damaged), restored))| Table { name, before, damaged, restored })
        .collect()
}

pub async fn look(cluster: &Cluster, database: &str) -> Result<States, Error> {
    let session = Session::open(cluster, database).await?;
    let states = ask_all(&session.client).await;
    session.close().await;
    states.map_err(|source| Error::Sql { doing: "count the rows", source })
}

async fn ask_all(client: &Client) -> Result<States, PgError> {
    let mut states = States::default();
    for (state, table) in states.iter_mut().zip(TABLES) {
        *state = ask(client, table).await?;
    }
    Ok(states)
}

async fn ask(client: &Client, table: &str) -> Result<Option<State>, PgError> {
    let there: bool = client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&table]).await?.get(0);
    if !there {
        return Ok(None);
    }
    let text = format!(
        "SELECT count(*), coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') FROM {table} AS t"
    );
    let row = client.query_one(&text, &[]).await?;
    let rows: i64 = row.get(0);
    Ok(Some(State { rows: rows.unsigned_abs(), md5: row.get(1) }))
}

/// What there is to lose.
pub fn describe(states: &States) -> String {
    let rows: u64 = states.iter().take(TABLES.len() - 1).flatten().map(|state| state.rows).sum();
    format!(
        "a small shop: {} tables with {} rows, views, policies, triggers, a large object",
        TABLES.len() - 1,
        HumanCount(rows)
    )
}

/// Run statements; the answer is the count of rows that the last one met.
pub async fn execute(cluster: &Cluster, database: &str, statements: &str) -> Result<u64, Error> {
    let session = Session::open(cluster, database).await?;
    let answered = session.client.simple_query(statements).await;
    session.close().await;
    let messages = answered.map_err(|source| Error::Sql { doing: "run a statement", source })?;
    let counts = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
        _ => None,
    });
    Ok(counts.last().unwrap_or_default())
}

/// A session of its own each time: a restore in place ends those that are there.
struct Session {
    client: Client,
    connection: JoinHandle<Result<(), PgError>>,
}

impl Session {
    async fn open(cluster: &Cluster, database: &str) -> Result<Self, Error> {
        let (client, connection) = cluster
            .config(database)
            .connect(NoTls)
            .await
            .map_err(|source| Error::Sql { doing: "open a session", source })?;
        Ok(Self { client, connection: tokio::spawn(connection) })
    }

    /// Gone from the server's side too, before anybody counts its sessions.
    async fn close(self) {
        drop(self.client);
        let _ = self.connection.await;
    }
}
