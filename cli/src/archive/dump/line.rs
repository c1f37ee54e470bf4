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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::time::Duration;

    /// Long enough to see that something waits.
    const WHILE: Duration = Duration::from_millis(60);

    async fn waits(future: impl Future) -> bool {
        tokio::time::timeout(WHILE, future).await.is_err()
    }

    fn rows(rows: u64) -> Done {
        Done { bytes: rows, ..Done::default() }
    }

    fn taken(line: &Line) -> Result<Vec<u8>, u64> {
        match line.next() {
            Ok(Next::Bytes(bytes)) => Ok(bytes),
            Ok(Next::Done(done)) => Err(done.bytes),
            Err(error) => panic!("{error}"),
        }
    }

    #[tokio::test]
    async fn what_comes_in_any_order_goes_out_in_the_order_of_the_jobs() {
        let line = Line::default();
        for (job, bytes) in [(2, b"e"), (1, b"c"), (0, b"a"), (1, b"d"), (0, b"b")] {
            assert!(line.push(job, bytes.to_vec()).await.is_ok());
        }
        for job in [1, 2, 0] {
            line.done(job, rows(job as u64));
        }
        let out: Vec<_> = (0..8).map(|_| taken(&line)).collect();
        let bytes = |bytes: &[u8]| Ok(bytes.to_vec());
        let expected =
            [bytes(b"a"), bytes(b"b"), Err(0), bytes(b"c"), bytes(b"d"), Err(1), bytes(b"e"), Err(2)];
        assert_eq!(out, expected);
    }

    #[tokio::test]
    async fn who_is_not_at_the_head_waits_for_the_budget_and_the_head_does_not() {
        let line = Line::default();
        assert!(line.push(1, vec![1; BUDGET]).await.is_ok());
        assert!(waits(line.push(2, vec![2])).await);
        assert!(waits(line.push(1, vec![1])).await);
        // Nothing is left of the budget, and the head gets on.
        assert!(line.push(0, vec![0; 7]).await.is_ok());
        line.done(0, rows(0));
        assert_eq!(taken(&line), Ok(vec![0; 7]));
        assert!(waits(line.push(2, vec![2])).await, "until the head has moved on");
        assert_eq!(taken(&line), Err(0));
        // What lies there for the new head no longer counts.
        assert!(line.push(2, vec![2]).await.is_ok());
        assert_eq!(line.lock().waiting, 1);
    }

    #[tokio::test]
    async fn the_head_waits_for_who_takes() {
        let line = Line::default();
        assert!(line.push(0, vec![0; HEAD]).await.is_ok());
        assert!(waits(line.push(0, vec![1])).await);
        assert!(taken(&line).is_ok());
        assert!(line.push(0, vec![1]).await.is_ok());
    }

    #[tokio::test]
    async fn a_turn_comes_when_those_before_are_done() {
        let line = Line::default();
        assert!(!waits(line.turn(0)).await);
        assert!(waits(line.turn(1)).await);
        line.done(0, rows(0));
        assert!(waits(line.turn(1)).await, "nobody has taken it yet");
        assert_eq!(taken(&line), Err(0));
        assert!(line.turn(1).await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn everybody_wakes_up_when_it_is_given_up() {
        for fail in [false, true] {
            let line = Arc::new(Line::default());
            assert!(line.push(1, vec![1; BUDGET]).await.is_ok());
            let (pushing, turning, taking) = (Arc::clone(&line), Arc::clone(&line), Arc::clone(&line));
            let pushed = tokio::spawn(async move { pushing.push(2, vec![2]).await.is_err() });
            let turned = tokio::spawn(async move { turning.turn(1).await.is_err() });
            let took =
                tokio::task::spawn_blocking(move || taking.next().err().map(|error| error.to_string()));
            tokio::time::sleep(WHILE).await;
            assert!(!pushed.is_finished() && !turned.is_finished() && !took.is_finished());
            if fail {
                line.fail(Error::DamagedObject { oid: 7 });
                line.fail(Error::DamagedObject { oid: 8 });
            } else {
                line.close();
            }
            assert!(pushed.await.unwrap() && turned.await.unwrap());
            let said = took.await.unwrap().unwrap();
            assert_eq!(said.contains("object 7"), fail, "the first reason: {said}");
            assert!(
                line.push(0, vec![0]).await.is_err() && line.turn(0).await.is_err() && line.next().is_err()
            );
            assert!(line.failure().is_none(), "it is told once");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        /// However many hands, and whatever they bring: all of it comes out once, in
        /// order, and never more lies there than is allowed.
        #[test]
        fn several_hands(
            jobs in proptest::collection::vec(proptest::collection::vec(1usize..5_000_000, 0..6), 1..24),
            hands in 1usize..5,
        ) {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
            let line = Arc::new(Line::default());
            let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
            let jobs = Arc::new(jobs);
            for _ in 0..hands {
                let (line, next, jobs) = (Arc::clone(&line), Arc::clone(&next), Arc::clone(&jobs));
                runtime.spawn(async move {
                    loop {
                        let job = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let Some(chunks) = jobs.get(job) else { return };
                        for (n, length) in chunks.iter().enumerate() {
                            let chunk = vec![u8::try_from((job + n) % 256).unwrap(); *length];
                            assert!(line.push(job, chunk).await.is_ok());
                        }
                        line.done(job, Done { objects: job as u64, ..Done::default() });
                    }
                });
            }
            for (job, chunks) in jobs.iter().enumerate() {
                for (n, length) in chunks.iter().enumerate() {
                    let Ok(Next::Bytes(bytes)) = line.next() else { panic!("job {job} lacks a chunk") };
                    prop_assert_eq!(bytes.len(), *length);
                    prop_assert_eq!(usize::from(bytes[0]), (job + n) % 256);
                    prop_assert!(line.lock().waiting <= BUDGET);
                }
                let Ok(Next::Done(done)) = line.next() else { panic!("job {job} goes on") };
                prop_assert_eq!(done.objects, job as u64);
            }
            prop_assert_eq!(line.lock().waiting, 0);
        }
    }
}
