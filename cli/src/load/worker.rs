//! One connection that takes rows: work flows in from a queue that all share, COPY
//! and large objects flow out to the server. Committed are whole COPYs only. Between
//! two of them it sees to an index of a table that is full.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::SinkExt;
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::error::DbError;
use tokio_postgres::{CopyInSink, Statement};

use super::Error;
use super::builds::{Builds, Filling};
use super::error::refusal;
use super::route::{Part, Work};
use crate::archive::load::Table;
use crate::postgres;
use crate::postgres::session::Session;

/// A COPY is ended and begun anew after so many bytes: only at its end does the
/// server say what is wrong with a row.
const LONGEST: usize = 64 * 1024 * 1024;

pub(super) struct Worker<'w> {
    session: Session,
    queue: Arc<Mutex<mpsc::Receiver<Work>>>,
    builds: &'w Builds,
    copy: Option<Copy>,
    /// Rows that were committed, by the dump id of their entry, as the server counts them.
    taken: BTreeMap<i32, u64>,
    lo_put: Option<Statement>,
}

/// A COPY that is under way.
struct Copy {
    filling: Arc<Filling>,
    sink: Pin<Box<CopyInSink<Bytes>>>,
    bytes: usize,
}

impl<'w> Worker<'w> {
    pub(super) fn new(session: Session, queue: Arc<Mutex<mpsc::Receiver<Work>>>, builds: &'w Builds) -> Self {
        Self { session, queue, builds, copy: None, taken: BTreeMap::new(), lo_put: None }
    }

    /// Work until the queue is over, and commit; the rows that it committed.
    pub(super) async fn run(mut self) -> Result<(Session, BTreeMap<i32, u64>), Error> {
        loop {
            if self.builds.is_due() {
                // Nobody should wait for rows of ours meanwhile.
                self.commit().await?;
                self.builds.make_next(&self.session).await?;
                continue;
            }
            let work = self.queue.lock().await.recv().await;
            match work {
                None if self.copy.is_none() => return Ok((self.session, self.taken)),
                None => self.commit().await?,
                Some(Work::Rows { filling, rows, more }) => self.rows(filling, rows, more).await?,
                Some(Work::LargeObjects(parts)) => {
                    self.commit().await?;
                    self.large_objects(&parts).await?;
                }
                Some(Work::Settle(all)) => {
                    self.commit().await?;
                    all.wait().await;
                }
            }
        }
    }

    async fn rows(
        &mut self,
        filling: Arc<Filling>,
        rows: Vec<Bytes>,
        more: Option<mpsc::Receiver<Bytes>>,
    ) -> Result<(), Error> {
        // Tables are told apart by their data: two may be loaded through one root.
        if self
            .copy
            .as_ref()
            .is_some_and(|copy| copy.bytes > LONGEST || !Arc::ptr_eq(&copy.filling, &filling))
        {
            self.commit().await?;
        }
        let copy = match &mut self.copy {
            Some(copy) => copy,
            none => {
                let table = &filling.table;
                let sink = self.session.copy_in(&table.copy).await.map_err(|error| refused(table, error))?;
                none.insert(Copy { filling, sink: Box::pin(sink), bytes: 0 })
            }
        };
        for rows in rows {
            copy.send(rows).await?;
        }
        if let Some(mut more) = more {
            while let Some(rows) = more.recv().await {
                copy.send(rows).await?;
            }
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), Error> {
        let Some(Copy { filling, mut sink, .. }) = self.copy.take() else { return Ok(()) };
        let rows = sink.as_mut().finish().await.map_err(|error| refused(&filling.table, error))?;
        *self.taken.entry(filling.table.dump_id).or_default() += rows;
        self.builds.let_go(filling);
        Ok(())
    }

    async fn large_objects(&mut self, parts: &[Part]) -> Result<(), Error> {
        let failed = |error: tokio_postgres::Error| match refusal(&error) {
            Some(said) => Error::LargeObjects { what: said.message().to_owned() },
            None => postgres::Error::asking("fill the large objects")(error).into(),
        };
        let statement = match &self.lo_put {
            Some(statement) => statement,
            none => {
                let text = "SELECT pg_catalog.lo_put(o, p, d) FROM unnest($1::oid[], $2::int8[], $3::bytea[]) AS x(o, p, d)";
                let statement = self.session.prepare(text).await.map_err(failed)?;
                let _ = none;
                self.lo_put.insert(statement)
            }
        };
        let oids: Vec<u32> = parts.iter().map(|part| part.oid).collect();
        let offsets: Vec<i64> = parts.iter().map(|part| part.offset).collect();
        let bytes: Vec<&[u8]> = parts.iter().map(|part| &*part.bytes).collect();
        self.session.query(statement, &[&oids, &offsets, &bytes]).await.map(drop).map_err(failed)
    }
}

impl Copy {
    async fn send(&mut self, rows: Bytes) -> Result<(), Error> {
        self.bytes += rows.len();
        self.sink.feed(rows).await.map_err(|error| refused(&self.filling.table, error))
    }
}

fn refused(table: &Table, error: tokio_postgres::Error) -> Error {
    match refusal(&error) {
        Some(said) => Error::Rows { table: table.name.clone(), what: what(said) },
        None => postgres::Error::asking(format!("load the rows of '{}'", table.name))(error).into(),
    }
}

/// What the server says, and of which column. The line that it names counts from
/// where this COPY began, which nobody knows.
fn what(said: &DbError) -> String {
    let column = said
        .where_()
        .and_then(|context| context.lines().find(|line| line.starts_with("COPY ")))
        .and_then(|line| line.split_once(", column ")?.1.split(':').next())
        .map(|column| format!(" (column {column})"));
    format!("{}{}", said.message(), column.unwrap_or_default())
}
