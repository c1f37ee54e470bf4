//! What the rows of a database's tables add up to: the tables of an archive flow
//! in, with the columns that it holds of each; their sums flow out. Rows are copied
//! over several connections, added up, and thrown away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{join_all, try_join_all};

use super::Error;
use super::digest::{Adder, RowKey, RowSum};
use super::relation;
use super::toc::{Entry, Toc};
use crate::postgres;
use crate::postgres::lane::{Fullness, Lane, Sink};
use crate::postgres::snapshot::Snapshot;

/// One statement.
struct Copy {
    dump_id: i32,
    table: String,
    statement: String,
}

/// The sum of a table, or why the server did not copy it: it lacks a column, say.
pub type Sum = Result<RowSum, String>;

/// Add another part of the same table.
pub fn add_part(sum: &mut Sum, part: Sum) {
    match (sum.as_mut(), part) {
        (Ok(sum), Ok(part)) => sum.add(part),
        (Ok(_), Err(why)) => *sum = Err(why),
        (Err(_), _) => {}
    }
}

/// Sums by dump id. A table that is not there has none; `None` where the database
/// cannot be asked by more than one connection.
pub async fn sums(
    snapshot: &Snapshot,
    toc: &Toc,
    wanted: impl Fn(&Entry) -> bool,
    key: &RowKey,
    jobs: usize,
) -> Result<Option<BTreeMap<i32, Sum>>, Error> {
    let Some(shared) = snapshot.shared() else { return Ok(None) };
    let entries: Vec<&Entry> = toc.entries.iter().filter(|entry| entry.is_copy() && wanted(entry)).collect();
    let mut first = shared.open().await.map_err(Error::Asking)?;
    let relations = relation::named(&mut first, &entries).await.map_err(Error::Asking)?;
    let encoding = toc.encoding().unwrap_or("UTF8");
    let mut copies = Vec::new();
    for entry in entries {
        let Some(relation) = relations.get(&entry.dump_id) else { continue };
        let statements = relation.copies(entry, encoding, snapshot.reads_ranges());
        let copy = |statement| Copy { dump_id: entry.dump_id, table: entry.name(), statement };
        copies.extend(statements.into_iter().map(copy));
    }
    let copies = Arc::new(copies);
    let next = Arc::new(AtomicUsize::new(0));
    // Fewer connections than were asked for are enough.
    let more = join_all((1..jobs.min(copies.len())).map(|_| shared.open())).await.into_iter().flatten();
    let hands = std::iter::once(first).chain(more).map(|lane| {
        let (copies, next, key) = (Arc::clone(&copies), Arc::clone(&next), key.clone());
        let hand = tokio::spawn(async move { add(lane, &copies, &next, &key).await });
        async { hand.await.map_err(|_| Error::ThreadDied)? }
    });
    let mut sums: BTreeMap<i32, Sum> = BTreeMap::new();
    for (dump_id, part) in try_join_all(hands).await?.into_iter().flatten() {
        add_part(sums.entry(dump_id).or_insert_with(|| Ok(RowSum::default())), part);
    }
    Ok(Some(sums))
}

/// Work through the statements that nobody has.
async fn add(
    mut lane: Lane,
    copies: &[Copy],
    next: &AtomicUsize,
    key: &RowKey,
) -> Result<Vec<(i32, Sum)>, Error> {
    let mut sums = Vec::new();
    while let Some(Copy { dump_id, table, statement }) = copies.get(next.fetch_add(1, Ordering::Relaxed)) {
        let mut adding = Adding { adder: Adder::new(Some(key)), row: Vec::new() };
        // Its lock goes with the savepoint: a server has room for some thousand.
        let whole = format!("SAVEPOINT adding; {statement}; ROLLBACK TO adding; RELEASE adding");
        let failed = |source| Error::Adding { table: table.clone(), source };
        let sum = match lane.copy("copy its rows", &whole, &mut adding).await {
            Ok(_) => Ok(adding.adder.sum()),
            // The statement does not fit the table, or is not allowed (class 42).
            Err(postgres::Error::Query { message, sqlstate, .. }) if sqlstate.starts_with("42") => {
                Err(message)
            }
            Err(postgres::Error::Denied { message, .. }) => Err(message),
            Err(source) => return Err(failed(source)),
        };
        if sum.is_err() {
            lane.execute("go on", "ROLLBACK TO adding; RELEASE adding").await.map_err(failed)?;
        }
        sums.push((*dump_id, sum));
    }
    lane.close().await;
    Ok(sums)
}

struct Adding {
    adder: Adder,
    /// The beginning of a row, when its end has not come yet.
    row: Vec<u8>,
}

impl Sink for Adding {
    type Error = postgres::Error;

    fn take(&mut self, piece: &[u8], end: bool) -> Fullness {
        match (end, self.row.is_empty()) {
            (true, true) => self.adder.end(piece),
            (true, false) => {
                self.row.extend_from_slice(piece);
                self.adder.end(&self.row);
                self.row.clear();
            }
            (false, _) => {
                self.row.extend_from_slice(piece);
                if self.row.len() > LONGEST {
                    self.adder.more(&self.row);
                    self.row.clear();
                }
            }
        }
        Fullness::Room
    }

    async fn make_room(&mut self) -> Result<(), postgres::Error> {
        Ok(())
    }
}

/// Bytes of a row that are held before its end has come.
const LONGEST: usize = 256 * 1024;
