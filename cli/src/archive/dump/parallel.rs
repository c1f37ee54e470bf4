//! The dump as many copies at once: `pg_dump` wrote the table of contents and has
//! locked every table; one connection of ours takes the same locks before it is
//! stopped, others copy the rows, and one archive comes out in order.
//!
//! Whatever stands in the way before `pg_dump` is stopped is no failure: it can
//! still write the rows itself.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::super::copy::END;
use super::super::digest::{RowKey, RowSum};
use super::super::frame::{Check, Coder, Coding};
use super::super::head::Head;
use super::super::inspect::{Contents, TableRows, listed_large_objects};
use super::super::toc::Toc;
use super::super::write::int;
use super::super::{Error, blocks, relation};
use super::announced::Announced;
use super::line::{Done, Next};
use super::plan::{self, Block, Kind, Plan};
use super::worker::{self, Alarm, Halt, Hand, Locking, Work};
use super::{Connections, Dumped};
use crate::postgres;
use crate::postgres::lane::Lane;
use crate::stream::Stopped;

/// Bytes that are worth a connection of their own.
const WORTH: u64 = 8 * 1024 * 1024;
/// What the keeper does all the time.
const KEEPING: &str = "keep the tables locked";

/// Everything that is settled while `pg_dump` still holds its locks.
pub(super) struct Prepared {
    /// Holds a lock on every table until the last row was copied.
    keeper: Lane,
    plan: Plan,
}

pub(super) struct Parallel {
    toc: Toc,
    /// Bytes on their way out, and how many of them are gone.
    out: Vec<u8>,
    taken: usize,
    written: u64,
    plain: u64,
    blocks: std::vec::IntoIter<Block>,
    open: Option<Open>,
    coder: Coder,
    work: Arc<Work>,
    _closing: Closing,
    /// Everybody who copies; they end with it.
    crew: JoinSet<()>,
    /// The keeper may go.
    finished: CancellationToken,
    stop: CancellationToken,
    runtime: Handle,
    _watch: AbortOnDropHandle<()>,
    tables: Vec<TableRows>,
    large_objects: u64,
    large_object_bytes: u64,
    warnings: Vec<String>,
}

/// Gives the line up when its reader goes: who waits for room wakes up, and a
/// connection in the middle of a copy is cancelled as it goes.
struct Closing(Arc<Work>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.line.close();
    }
}

/// A block that was begun.
struct Open {
    block: Block,
    left: usize,
    sum: RowSum,
    check: Check,
    bytes: u64,
}

impl Prepared {
    /// Take the locks and make the plan, or say why that cannot be.
    pub(super) async fn new(toc: &Toc, source: &Connections) -> Result<Self, String> {
        if let Some(reason) = plan::refusal(toc) {
            return Err(reason);
        }
        let said = |error: postgres::Error| crate::error::in_one_line(&error);
        let mut keeper = source.shared.open().await.map_err(said)?;
        let oids: Vec<u32> =
            toc.entries.iter().filter(|entry| entry.is_copy()).map(|entry| entry.oid).collect();
        let relations = relation::locked(&mut keeper, &oids).await.map_err(said)?;
        let objects = relation::measured(&mut keeper, plan::listed_objects(toc)).await.map_err(said)?;
        let plan = plan::plan(toc, &relations, objects, source.ranges)?;
        Ok(Self { keeper, plan })
    }
}

impl Parallel {
    /// Stop `pg_dump` and begin to copy. Yields how many connections do.
    pub(super) async fn start(
        announced: Announced,
        prepared: Prepared,
        source: &Connections,
        coding: Coding,
        stop: &CancellationToken,
    ) -> Result<(Self, usize), Error> {
        let Prepared { keeper, plan } = prepared;
        let key = source.digests.then(RowKey::random);
        let (toc, head, warnings) = announced.stop().await?;
        let mut out = Vec::with_capacity(head.len());
        let beginning = Head { coding, minor: toc.header.version.1, key: key.as_ref() };
        beginning.write(&toc, &head, &mut out)?;
        let toc = beginning.written(toc);
        drop(head);

        let wanted = usize::try_from(plan.bytes.div_ceil(WORTH)).unwrap_or(usize::MAX);
        let wanted = wanted.min(plan.jobs.len()).clamp(1, source.jobs);
        let work = Arc::new(Work::new(plan.jobs, coding, key));
        let mut crew = JoinSet::new();
        let (refuse, refused) = mpsc::unbounded_channel();
        let opening = futures::future::join_all((0..wanted).map(|_| source.shared.open()));
        // Fewer than were asked for are enough; even none, because there is the keeper.
        let lanes: Vec<Lane> = opening.await.into_iter().filter_map(Result::ok).collect();
        let connections = lanes.len().max(1);
        let none = lanes.is_empty();
        for lane in lanes {
            crew.spawn(worker::run(Arc::clone(&work), lane, refuse.clone()));
        }
        drop(refuse);
        let finished = CancellationToken::new();
        crew.spawn(keep(Arc::clone(&work), keeper, refused, none, finished.clone()));
        let (stopping, stopped) = (stop.clone(), Arc::clone(&work));
        let watch = AbortOnDropHandle::new(tokio::spawn(async move {
            stopping.cancelled().await;
            stopped.line.fail(Error::Read(io::Error::other(Stopped)));
        }));
        let parallel = Self {
            toc,
            out,
            taken: 0,
            written: 0,
            plain: 0,
            blocks: plan.blocks.into_iter(),
            open: None,
            coder: Coder::new(coding)?,
            _closing: Closing(Arc::clone(&work)),
            work,
            crew,
            finished,
            stop: stop.clone(),
            runtime: Handle::current(),
            _watch: watch,
            tables: Vec::new(),
            large_objects: 0,
            large_object_bytes: 0,
            warnings,
        };
        Ok((parallel, connections))
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.out.len() {
            self.out.clear();
            self.taken = 0;
            if !self.refill().map_err(io::Error::other)? {
                return Ok(0);
            }
        }
        let length = buffer.len().min(self.out.len() - self.taken);
        buffer[..length].copy_from_slice(&self.out[self.taken..self.taken + length]);
        self.taken += length;
        self.written += length as u64;
        Ok(length)
    }

    /// The next bytes of the archive; false at its end.
    fn refill(&mut self) -> Result<bool, Error> {
        let Some(open) = &mut self.open else {
            let Some(block) = self.blocks.next() else { return Ok(false) };
            self.begin(block);
            return Ok(true);
        };
        if open.left == 0 {
            self.end()?;
            return Ok(true);
        }
        match self.work.line.next()? {
            Next::Bytes(bytes) => self.out = bytes,
            Next::Done(Done { check, sum, bytes, objects }) => {
                open.left -= 1;
                open.check = open.check.then(check);
                open.sum.add(sum);
                open.bytes += bytes;
                self.large_objects += objects;
            }
        }
        Ok(true)
    }

    fn begin(&mut self, block: Block) {
        self.out.push(match block.kind {
            Kind::Table { .. } => blocks::DATA,
            Kind::LargeObjects => blocks::BLOBS,
        });
        self.out.extend(int(i64::from(block.dump_id)));
        if let Kind::Table { .. } = block.kind {
            self.coder.open(&mut self.out);
        }
        let left = block.jobs;
        self.open = Some(Open { block, left, sum: RowSum::default(), check: Check::default(), bytes: 0 });
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some(Open { block, sum, check, bytes, .. }) = self.open.take() else { return Ok(()) };
        self.plain += bytes;
        match block.kind {
            Kind::LargeObjects => {
                self.large_object_bytes += bytes;
                self.out.extend(int(0));
            }
            Kind::Table { oid, schema, name } => {
                self.plain += END.len() as u64;
                self.coder.part();
                self.coder.piece(END, &mut self.out)?;
                self.coder.close(check.then(self.coder.check()), &mut self.out);
                let dump_id = block.dump_id;
                let rows = Some(sum.rows);
                let sum = self.work.key.as_ref().map(|_| sum);
                self.tables.push(TableRows { dump_id, oid, schema, name, rows, bytes, sum });
            }
        }
        Ok(())
    }

    /// After the last byte was read.
    pub(super) fn finish(mut self) -> Result<Dumped, Error> {
        self.finished.cancel();
        let (crew, stop) = (&mut self.crew, &self.stop);
        let goodbyes = async { while crew.join_next().await.is_some() {} };
        // The keeper's last word is part of the dump: its locks were there all the time.
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = stop.cancelled() => Err(Error::Read(io::Error::other(Stopped))),
                () = goodbyes => self.work.line.failure().map_or(Ok(()), Err),
            }
        })?;
        if let Some(listed) = listed_large_objects(&self.toc)
            && listed != self.large_objects
        {
            return Err(Error::LargeObjects { listed, found: self.large_objects });
        }
        let contents = Contents {
            tables: self.tables,
            large_objects: self.large_objects,
            large_object_bytes: self.large_object_bytes,
            plain_bytes: self.plain,
            bytes: self.written,
            toc_repeated: false,
            toc: self.toc,
        };
        Ok(Dumped { contents, warnings: self.warnings })
    }
}

/// Hold every lock until the end, and do what could not be locked a second time:
/// each when its turn has come, so that nothing waits for the keeper which the
/// keeper waits for. With nobody else to copy, it does everything.
///
/// Its connection is watched all the time: without the locks, whoever truncates a
/// table empties it for every snapshot, and nothing would tell.
async fn keep(
    work: Arc<Work>,
    mut lane: Lane,
    mut refused: UnboundedReceiver<usize>,
    alone: bool,
    finished: CancellationToken,
) {
    let worked = async {
        let mut hand = Hand::new(&work)?;
        while alone && let Some(job) = work.take() {
            hand.job(&mut lane, job, Locking::Held).await?;
        }
        // In the order of the line, since it moves in no other.
        let mut waiting = BTreeSet::new();
        loop {
            let Some(first) = waiting.first().copied() else {
                tokio::select! {
                    lost = lane.lost(KEEPING) => return Err(Error::Unlocked(lost).into()),
                    job = refused.recv() => match job {
                        Some(job) => waiting.insert(job),
                        None => break,
                    },
                };
                continue;
            };
            let more = !(refused.is_closed() && refused.is_empty());
            tokio::select! {
                lost = lane.lost(KEEPING) => return Err(Error::Unlocked(lost).into()),
                job = refused.recv(), if more => waiting.extend(job),
                turn = work.line.turn(first) => {
                    turn?;
                    waiting.remove(&first);
                    hand.job(&mut lane, first, Locking::Held).await?;
                }
            }
        }
        tokio::select! {
            lost = lane.lost(KEEPING) => return Err(Error::Unlocked(lost).into()),
            () = finished.cancelled() => {}
        }
        lane.execute(KEEPING, "ROLLBACK").await.map_err(|lost| Halt::Failed(Error::Unlocked(lost)))
    };
    let alarm = Alarm::new(&work);
    let worked = worked.await;
    alarm.off(lane, worked).await;
}
