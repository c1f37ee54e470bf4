//! Jobs flow in, chunks flow out into the line: one connection copies rows, counts
//! them, adds them up, and compresses them in pieces that end with a row.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::UnboundedSender;

use super::super::Error;
use super::super::digest::{Adder, RowKey};
use super::super::frame::{Coder, Coding, FRAME};
use super::line::{Closed, Done, Line};
use super::objects;
use super::plan::Job;
use crate::postgres;
use crate::postgres::lane::{Fullness, Lane, Sink};

/// A row may go on behind a piece this much longer before it is cut.
const LONGEST: usize = 2 * FRAME;

/// What all who copy share.
pub(super) struct Work {
    pub jobs: Vec<Job>,
    pub line: Line,
    pub coding: Coding,
    /// Of the rows' digests, where they are wanted.
    pub key: Option<RowKey>,
    next: AtomicUsize,
}

/// Why a job came to nothing.
pub(super) enum Halt {
    Failed(Error),
    /// A lock that was asked for without waiting was not free.
    Refused,
    Closed,
}

impl From<Closed> for Halt {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Work {
    pub(super) fn new(jobs: Vec<Job>, coding: Coding, key: Option<RowKey>) -> Self {
        Self { jobs, line: Line::default(), coding, key, next: AtomicUsize::new(0) }
    }

    /// The next job that nobody has.
    pub(super) fn take(&self) -> Option<usize> {
        let job = self.next.fetch_add(1, Ordering::Relaxed);
        (job < self.jobs.len()).then_some(job)
    }
}

/// Work through the jobs. What is refused goes to who holds all the locks.
pub(super) async fn run(work: Arc<Work>, mut lane: Lane, refused: UnboundedSender<usize>) {
    let worked = async {
        let mut hand = Hand::new(&work)?;
        while let Some(job) = work.take() {
            match hand.job(&mut lane, job, Locking::NoWait).await {
                Ok(()) => {}
                // Nobody to hear it: the line was given up.
                Err(Halt::Refused) => drop(refused.send(job)),
                Err(halt) => return Err(halt),
            }
        }
        Ok(())
    };
    let alarm = Alarm::new(&work);
    let worked = worked.await;
    alarm.off(lane, worked).await;
}

/// Whoever dies at work leaves a job that never ends: then the line must not wait
/// for it.
pub(super) struct Alarm<'w>(Option<&'w Work>);

impl<'w> Alarm<'w> {
    pub(super) fn new(work: &'w Work) -> Self {
        Self(Some(work))
    }

    /// The work ended, well or not, and the line was told.
    pub(super) async fn off(mut self, lane: Lane, worked: Result<(), Halt>) {
        match (worked, self.0) {
            (Ok(()), _) => lane.close().await,
            (Err(Halt::Failed(error)), Some(work)) => work.line.fail(error),
            (Err(_), _) => {}
        }
        self.0 = None;
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if let Some(work) = self.0 {
            work.line.fail(Error::ThreadDied);
        }
    }
}

/// Whether a table is locked for its job alone, or was before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Locking {
    NoWait,
    Held,
}

/// What turns rows into chunks.
pub(super) struct Hand<'w> {
    work: &'w Work,
    coder: Coder,
}

impl<'w> Hand<'w> {
    pub(super) fn new(work: &'w Work) -> Result<Self, Halt> {
        Ok(Self { work, coder: Coder::new(work.coding)? })
    }

    pub(super) async fn job(&mut self, lane: &mut Lane, job: usize, locking: Locking) -> Result<(), Halt> {
        self.coder.part();
        let done = match self.work.jobs.get(job) {
            None => return Err(Halt::Closed),
            Some(Job::Objects(group)) => objects::copy(self.work, &mut self.coder, lane, job, group).await?,
            Some(Job::Rows { name, table, copy }) => {
                let framing = Framing {
                    coder: &mut self.coder,
                    work: self.work,
                    job,
                    adder: Adder::new(self.work.key.as_ref()),
                    plain: Vec::with_capacity(FRAME + FRAME / 4),
                    row: 0,
                    bytes: 0,
                };
                rows(lane, framing, name, table, copy, locking).await?
            }
        };
        self.work.line.done(job, done);
        Ok(())
    }
}

async fn rows(
    lane: &mut Lane,
    mut framing: Framing<'_>,
    name: &str,
    table: &str,
    copy: &str,
    locking: Locking,
) -> Result<Done, Halt> {
    // The locks of a job go with its savepoint: the server has room for some thousand,
    // and one on an index, which is kept, might stand in the way of who waits for it
    // and has others of us wait behind.
    let lock = match locking {
        Locking::Held => String::new(),
        Locking::NoWait => format!("LOCK TABLE ONLY {table} IN ACCESS SHARE MODE NOWAIT; "),
    };
    let statement = format!("SAVEPOINT job; {lock}{copy}; ROLLBACK TO job; RELEASE job");
    let copied = match lane.copy("copy its rows", &statement, &mut framing).await {
        Ok(copied) => copied,
        Err(Refused::Server(error))
            if locking == Locking::NoWait && error.is_out_of_reach() && framing.is_untouched() =>
        {
            lane.execute("go on", "ROLLBACK TO job; RELEASE job")
                .await
                .map_err(|source| Error::Rows { table: name.to_owned(), source })?;
            return Err(Halt::Refused);
        }
        Err(Refused::Server(source)) => return Err(Error::Rows { table: name.to_owned(), source }.into()),
        Err(Refused::Here(halt)) => return Err(halt),
    };
    let done = framing.finish().await?;
    if copied != done.sum.rows {
        let received = done.sum.rows;
        return Err(Error::Miscounted { table: name.to_owned(), server: copied, received }.into());
    }
    Ok(done)
}

/// Which side a copy failed on.
pub(super) enum Refused {
    Server(postgres::Error),
    Here(Halt),
}

impl From<postgres::Error> for Refused {
    fn from(error: postgres::Error) -> Self {
        Self::Server(error)
    }
}

/// Rows on their way into pieces.
struct Framing<'w> {
    coder: &'w mut Coder,
    work: &'w Work,
    job: usize,
    adder: Adder,
    plain: Vec<u8>,
    /// Where in `plain` the row begins whose end has not come yet.
    row: usize,
    bytes: u64,
}

impl Framing<'_> {
    /// Whether nothing came yet, so that somebody else may begin again.
    fn is_untouched(&self) -> bool {
        self.bytes == 0 && self.plain.is_empty()
    }

    async fn cut(&mut self, length: usize) -> Result<(), Halt> {
        let mut chunk = Vec::new();
        self.coder.piece(&self.plain[..length], &mut chunk)?;
        self.bytes += length as u64;
        self.plain.drain(..length);
        self.row = self.row.saturating_sub(length);
        Ok(self.work.line.push(self.job, chunk).await?)
    }

    async fn finish(mut self) -> Result<Done, Halt> {
        let left = self.plain.len();
        if left > 0 {
            self.cut(left).await?;
        }
        Ok(Done { check: self.coder.check(), sum: self.adder.sum(), bytes: self.bytes, objects: 0 })
    }
}

impl Sink for Framing<'_> {
    type Error = Refused;

    fn take(&mut self, piece: &[u8], end: bool) -> Fullness {
        self.plain.extend_from_slice(piece);
        if end {
            self.adder.end(&self.plain[self.row..]);
            self.row = self.plain.len();
            if self.plain.len() >= FRAME { Fullness::Full } else { Fullness::Room }
        } else if self.plain.len() >= LONGEST {
            Fullness::Full
        } else {
            Fullness::Room
        }
    }

    async fn make_room(&mut self) -> Result<(), Refused> {
        let length = match self.row {
            // A row that is larger than a piece goes on in the next.
            0 => {
                self.adder.more(&self.plain);
                self.plain.len()
            }
            rows => rows,
        };
        self.cut(length).await.map_err(Refused::Here)
    }
}
