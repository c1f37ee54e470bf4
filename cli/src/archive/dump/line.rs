//! Chunks of many jobs flow in, in any order; they flow out job by job, in order.
//!
//! Memory is bounded by bytes: what lies here for jobs whose turn has not come
//! shares one budget, and whoever would exceed it waits. The job at the head of the
//! line needs none of it, so that it always gets on, and the line with it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::super::Error;
use super::super::digest::RowSum;
use super::super::frame::Check;

/// Bytes that may lie here for jobs whose turn has not come.
const BUDGET: usize = 24 * 1024 * 1024;
/// And for the job whose turn it is.
const HEAD: usize = 2 * 1024 * 1024;

/// What a job came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    pub check: Check,
    pub sum: RowSum,
    /// Plain bytes of rows, or of large objects.
    pub bytes: u64,
    pub objects: u64,
}

/// The next of the line.
pub(super) enum Next {
    Bytes(Vec<u8>),
    /// The job at the head is done; the next one is at the head now.
    Done(Done),
}

/// The line was given up: who took from it is gone, or somebody failed.
pub(super) struct Closed;

#[derive(Default)]
pub(super) struct Line {
    state: Mutex<State>,
    /// Something was taken out, or the head moved on.
    room: Notify,
    /// Something was put in.
    filled: Condvar,
}

#[derive(Default)]
struct State {
    head: usize,
    slots: BTreeMap<usize, Slot>,
    /// Bytes of all slots but the head's.
    waiting: usize,
    failed: Option<Error>,
    closed: bool,
}

#[derive(Default)]
struct Slot {
    chunks: VecDeque<Vec<u8>>,
    bytes: usize,
    done: Option<Done>,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Put in some bytes of a job, as soon as there is room.
    pub(super) async fn push(&self, job: usize, bytes: Vec<u8>) -> Result<(), Closed> {
        let mut bytes = Some(bytes);
        loop {
            let changed = self.room.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if self.try_push(job, &mut bytes)? {
                return Ok(());
            }
            changed.await;
        }
    }

    fn try_push(&self, job: usize, bytes: &mut Option<Vec<u8>>) -> Result<bool, Closed> {
        let mut state = self.lock();
        if state.closed {
            return Err(Closed);
        }
        let length = bytes.as_ref().map_or(0, Vec::len);
        let head = job == state.head;
        let room = if head {
            state.slots.get(&job).is_none_or(|slot| slot.bytes < HEAD)
        } else {
            state.waiting + length <= BUDGET
        };
        if let (true, Some(bytes)) = (room, bytes.take_if(|_| room)) {
            let slot = state.slots.entry(job).or_default();
            slot.bytes += length;
            slot.chunks.push_back(bytes);
            if head {
                self.filled.notify_one();
            } else {
                state.waiting += length;
            }
        }
        Ok(room)
    }

    /// Nothing more will come of a job.
    pub(super) fn done(&self, job: usize, done: Done) {
        let mut state = self.lock();
        state.slots.entry(job).or_default().done = Some(done);
        if job == state.head {
            self.filled.notify_one();
        }
    }

    /// Wait until a job is at the head of the line.
    pub(super) async fn turn(&self, job: usize) -> Result<(), Closed> {
        loop {
            let changed = self.room.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.lock();
                if state.closed {
                    return Err(Closed);
                }
                if state.head >= job {
                    return Ok(());
                }
            }
            changed.await;
        }
    }

    /// Give it up, for the first reason that is given.
    pub(super) fn fail(&self, error: Error) {
        let mut state = self.lock();
        state.failed.get_or_insert(error);
        self.give_up(&mut state);
    }

    /// Why it was given up after its last job.
    pub(super) fn failure(&self) -> Option<Error> {
        self.lock().failed.take()
    }

    /// Nobody takes from it any more.
    pub(super) fn close(&self) {
        self.give_up(&mut self.lock());
    }

    fn give_up(&self, state: &mut State) {
        state.closed = true;
        state.slots.clear();
        self.filled.notify_one();
        self.room.notify_waiters();
    }

    /// The next of the job at the head. Blocks.
    pub(super) fn next(&self) -> Result<Next, Error> {
        let mut state = self.lock();
        loop {
            if let Some(error) = state.failed.take() {
                return Err(error);
            }
            if state.closed {
                return Err(Error::ThreadDied);
            }
            let head = state.head;
            let slot = state.slots.entry(head).or_default();
            if let Some(bytes) = slot.chunks.pop_front() {
                slot.bytes -= bytes.len();
                self.room.notify_waiters();
                return Ok(Next::Bytes(bytes));
            }
            if let Some(done) = slot.done {
                state.slots.remove(&head);
                state.head += 1;
                let next = state.head;
                let moved = state.slots.get(&next).map_or(0, |slot| slot.bytes);
                state.waiting -= moved;
                self.room.notify_waiters();
                return Ok(Next::Done(done));
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
