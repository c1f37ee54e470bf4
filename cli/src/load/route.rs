//! Pieces of an archive flow in, in its order; work for the connections flows out:
//! whole rows that any of them may take, large rows that stay with one, and parts
//! of large objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Barrier, mpsc};

use super::Error;
use super::builds::{Builds, Filling};
use crate::archive::load::{Cut, Cutter, PIECE, Piece, Table};

/// Large objects that one statement fills at most.
const OBJECTS: usize = 500;

/// What one connection does in one go.
pub(super) enum Work {
    Rows {
        filling: Arc<Filling>,
        rows: Vec<Bytes>,
        /// What follows in the same COPY, up to its end.
        more: Option<mpsc::Receiver<Bytes>>,
    },
    LargeObjects(Vec<Part>),
    /// Commit, and wait until all have.
    Settle(Arc<Barrier>),
}

/// Bytes of a large object; `offset` is a multiple of its page.
pub(super) struct Part {
    pub oid: u32,
    pub offset: i64,
    pub bytes: Bytes,
}

pub(super) struct Router<'b> {
    pub pieces: mpsc::Receiver<Piece>,
    pub work: mpsc::Sender<Work>,
    pub connections: usize,
    pub builds: &'b Builds,
}

/// The other side went away; why, it says itself.
struct Gone;

impl From<Gone> for Error {
    fn from(_: Gone) -> Self {
        Self::Panicked
    }
}

impl Router<'_> {
    /// Hand out all pieces up to the end; the bytes of each table, by its dump id.
    pub(super) async fn run(mut self) -> Result<BTreeMap<i32, u64>, Error> {
        let mut parts = Vec::new();
        let mut sizes = BTreeMap::new();
        loop {
            match self.next().await? {
                Piece::End => break,
                Piece::Table(table) => {
                    let filling = Filling::of(table.clone());
                    let size = self.table(&filling).await?;
                    filling.over(size);
                    self.builds.let_go(filling);
                    sizes.insert(table.dump_id, size);
                }
                Piece::LargeObject(oid) => self.large_object(oid, &mut parts).await?,
                Piece::Data(_) | Piece::TableEnd | Piece::LargeObjectEnd => return Err(Gone.into()),
            }
        }
        self.builds.over();
        self.fill(&mut parts).await?;
        Ok(sizes)
    }

    async fn next(&mut self) -> Result<Piece, Gone> {
        self.pieces.recv().await.ok_or(Gone)
    }

    async fn say(&self, work: Work) -> Result<(), Gone> {
        self.work.send(work).await.map_err(|_| Gone)
    }

    async fn table(&mut self, filling: &Arc<Filling>) -> Result<u64, Error> {
        let table = &filling.table;
        let mut size = 0;
        let mut cutter = Cutter::default();
        let mut cuts = Vec::new();
        // Where the rows of a COPY that is not to be left go.
        let mut stay = None;
        if table.alone {
            self.settle().await?;
        }
        loop {
            let bytes = match self.next().await? {
                Piece::Data(bytes) => bytes.bytes().await?,
                Piece::TableEnd => break,
                _ => return Err(Gone.into()),
            };
            size += bytes.len() as u64;
            cutter.feed(bytes, &mut cuts).map_err(|what| damaged(table, what))?;
            let mut rows = Vec::new();
            for cut in cuts.drain(..) {
                match cut {
                    Cut::Rows(bytes) if !table.alone => rows.push(bytes),
                    Cut::Rows(bytes) | Cut::Open(bytes) | Cut::More(bytes) => {
                        self.keep(filling, &mut stay, bytes).await?;
                    }
                    Cut::Close(bytes) => {
                        self.keep(filling, &mut stay, bytes).await?;
                        if !table.alone {
                            stay = None;
                        }
                    }
                }
            }
            if !rows.is_empty() {
                self.say(Work::Rows { filling: filling.clone(), rows, more: None }).await?;
            }
        }
        cutter.finish().map_err(|what| damaged(table, what))?;
        Ok(size)
    }

    /// Add to the COPY that goes on, or begin it.
    async fn keep(
        &self,
        filling: &Arc<Filling>,
        stay: &mut Option<mpsc::Sender<Bytes>>,
        bytes: Bytes,
    ) -> Result<(), Gone> {
        if let Some(stay) = stay {
            return stay.send(bytes).await.map_err(|_| Gone);
        }
        let (sender, more) = mpsc::channel(1);
        *stay = Some(sender);
        self.say(Work::Rows { filling: filling.clone(), rows: vec![bytes], more: Some(more) }).await
    }

    /// Wait until every row so far is committed.
    async fn settle(&self) -> Result<(), Gone> {
        let barrier = Arc::new(Barrier::new(self.connections + 1));
        for _ in 0..self.connections {
            self.say(Work::Settle(barrier.clone())).await?;
        }
        barrier.wait().await;
        Ok(())
    }

    /// Small large objects go together, large ones in parts that begin at a page's
    /// border, so that it does not matter who writes which.
    async fn large_object(&mut self, oid: u32, parts: &mut Vec<Part>) -> Result<(), Error> {
        let mut gathered = BytesMut::new();
        let mut offset = 0_i64;
        loop {
            let mut bytes = match self.next().await? {
                Piece::Data(bytes) => bytes.bytes().await?,
                Piece::LargeObjectEnd => break,
                _ => return Err(Gone.into()),
            };
            while !bytes.is_empty() {
                let head = bytes.split_to(bytes.len().min(PIECE - gathered.len()));
                gathered.extend_from_slice(&head);
                if gathered.len() == PIECE {
                    let part = gathered.split().freeze();
                    let length = i64::try_from(part.len()).unwrap_or(i64::MAX);
                    parts.push(Part { oid, offset, bytes: part });
                    offset = offset.saturating_add(length);
                    self.fill(parts).await?;
                }
            }
        }
        if !gathered.is_empty() {
            parts.push(Part { oid, offset, bytes: gathered.freeze() });
        }
        let bytes: usize = parts.iter().map(|part| part.bytes.len()).sum();
        if bytes >= PIECE || parts.len() >= OBJECTS {
            self.fill(parts).await?;
        }
        Ok(())
    }

    async fn fill(&self, parts: &mut Vec<Part>) -> Result<(), Gone> {
        if parts.is_empty() {
            return Ok(());
        }
        self.say(Work::LargeObjects(std::mem::take(parts))).await
    }
}

fn damaged(table: &Table, what: &'static str) -> Error {
    Error::Damaged { table: table.name.clone(), what }
}
