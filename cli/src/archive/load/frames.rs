//! Plain bytes on their way to the server, within a budget that they hold until the
//! last of them went out; and the threads that decompress whole zstd frames, so
//! that one slow core does not hold up many connections.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::archive::Error;

/// Bytes that may be in flight: the memory of a load, whatever its size.
const BUDGET: usize = 16 * 1024 * 1024;

/// Plain bytes, or the promise of them.
pub enum Plain {
    Ready(Bytes),
    Coming(oneshot::Receiver<Result<Bytes, Error>>),
}

impl Plain {
    pub async fn bytes(self) -> Result<Bytes, Error> {
        match self {
            Self::Ready(bytes) => Ok(bytes),
            Self::Coming(bytes) => bytes
                .await
                .unwrap_or_else(|_| Err(Error::Read(io::Error::other("a thread that decompresses died")))),
        }
    }
}

/// What is in flight; for the thread that reads.
pub(super) struct Budget {
    free: Arc<Semaphore>,
    runtime: Handle,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(BUDGET)), runtime: Handle::current() }
    }

    /// Wait until so many bytes are free.
    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        let bytes = u32::try_from(bytes.min(BUDGET)).unwrap_or(u32::MAX);
        let permit = self.runtime.block_on(self.free.clone().acquire_many_owned(bytes));
        permit.map_err(|closed| Error::Read(io::Error::other(closed)))
    }

    pub(super) fn ready(&self, bytes: Vec<u8>) -> Result<Plain, Error> {
        let permit = self.take(bytes.len())?;
        Ok(Plain::Ready(held(bytes, permit)))
    }
}

/// Bytes whose share of the budget is free again when the last slice of them is gone.
fn held(bytes: Vec<u8>, permit: OwnedSemaphorePermit) -> Bytes {
    struct Held(Vec<u8>, #[expect(dead_code, reason = "dropped with the bytes")] OwnedSemaphorePermit);
    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Bytes::from_owner(Held(bytes, permit))
}

/// A frame, and where it is awaited.
struct Job {
    frame: Vec<u8>,
    plain: usize,
    /// Whose data it is, and where in the archive it ends.
    object: Arc<str>,
    at: u64,
    permit: OwnedSemaphorePermit,
    reply: oneshot::Sender<Result<Bytes, Error>>,
}

/// Threads that decompress; they end when this is dropped.
pub(super) struct Decoders {
    jobs: SyncSender<Job>,
}

impl Decoders {
    pub(super) fn start(threads: usize) -> Self {
        let (jobs, queue) = sync_channel(threads);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let queue = queue.clone();
            std::thread::spawn(move || work(&queue));
        }
        Self { jobs }
    }

    pub(super) fn decode(
        &self,
        budget: &Budget,
        frame: Vec<u8>,
        plain: usize,
        object: &Arc<str>,
        at: u64,
    ) -> Result<Plain, Error> {
        let permit = budget.take(frame.len() + plain)?;
        let (reply, coming) = oneshot::channel();
        let job = Job { frame, plain, object: object.clone(), at, permit, reply };
        // Without a thread that takes it the promise is broken, which its reader sees.
        let _ = self.jobs.send(job);
        Ok(Plain::Coming(coming))
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    let Ok(mut decompressor) = zstd::bulk::Decompressor::new() else { return };
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { frame, plain, object, at, permit, reply }) = job else { return };
        let damaged = |what| Error::DamagedData { object: object.to_string(), at, what };
        let decoded = match decompressor.decompress(&frame, plain) {
            Ok(bytes) if bytes.len() == plain => Ok(held(bytes, permit)),
            Ok(_) => Err(damaged("its zstd frame is not as long as it says".to_owned())),
            Err(error) => Err(damaged(format!("its zstd frame does not decompress ({error})"))),
        };
        let _ = reply.send(decoded);
    }
}
