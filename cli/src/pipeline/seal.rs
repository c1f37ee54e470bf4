//! Out: a source is pulled on its own thread, tallied, encrypted, tallied again
//! and handed over in chunks. The stream's end is said only after the source
//! said that it ended well; any failure reaches both ends with its reason.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use backstop_policy::manifest;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::tally::{Check, Tally, TallyWriter};
use super::{Encryption, Error};
use crate::stream::Source;
use crate::stream::{self, ByteStream, Sender, Writer};

/// How long [`Sealing::finish`] waits for a source that hangs in a read after
/// the stream was stopped or given up.
const GRACE: Duration = Duration::from_secs(5);

/// Proof that a stream was read to its end, that its source ended well and that
/// its last byte was handed over. Only [`Sealing::finish`] makes one.
#[derive(Debug)]
pub struct Sealed {
    plain: manifest::Digest,
    stored: manifest::Digest,
    check: Check,
    encryption: manifest::Encryption,
}

impl Sealed {
    /// Before encryption.
    pub fn plain(&self) -> &manifest::Digest {
        &self.plain
    }

    /// As handed over to be stored.
    pub fn stored(&self) -> &manifest::Digest {
        &self.stored
    }

    /// Of the same bytes.
    pub fn check(&self) -> &Check {
        &self.check
    }

    pub fn encryption(&self) -> &manifest::Encryption {
        &self.encryption
    }
}

/// A stream on its way; ask it for the result when the stream has ended.
pub struct Sealing<O> {
    outcome: oneshot::Receiver<Result<(Sealed, O), Error>>,
    forward: JoinHandle<Forwarded>,
}

/// How the stream ended on the reader's side.
enum Forwarded {
    /// Its end or its failure was said.
    Ended,
    ReaderGone,
    Stopped,
}

/// Start to seal a source. The stream fails with [`Error::Interrupted`] soon
/// after `stop` is cancelled, even while the source hangs; `on_bytes` is told
/// the number of plain bytes as they pass. Must be called inside a runtime.
pub fn seal<S: Source>(
    source: S,
    encryption: Encryption,
    stop: CancellationToken,
    on_bytes: impl Fn(u64) + Send + 'static,
) -> (ByteStream, Sealing<S::Outcome>) {
    let (outer, stream) = stream::channel();
    let (inner, chunks) = stream::channel();
    let (report, outcome) = oneshot::channel();
    let forward = tokio::spawn(forward(chunks, outer, stop.clone()));
    let (start, begun) = std::sync::mpsc::sync_channel::<Sender>(1);
    let thread = std::thread::Builder::new().name("seal".to_owned()).spawn(move || {
        let Ok(sender) = begun.recv() else { return };
        let feed = Feed { inner: Tally::new(source), stop, on_bytes, failed: None };
        let result = run(feed, &encryption, sender);
        // Nobody may be left to hear it.
        let _ = report.send(result);
    });
    match thread {
        Ok(_) => drop(start.send(inner)),
        Err(cause) => {
            // The thread's closure is gone, and with it `report`: finish needs
            // its own account.
            let (report, outcome) = oneshot::channel();
            let shared = share(cause);
            let _ = report.send(Err(Error::Thread(shared.error())));
            tokio::spawn(inner.fail(Error::Thread(shared.error()).into_io()));
            return (stream, Sealing { outcome, forward });
        }
    }
    (stream, Sealing { outcome, forward })
}

impl<O> Sealing<O> {
    /// Only a finished, successful stream yields a [`Sealed`]. Waits for the
    /// stream's end; somebody must read the stream meanwhile, or drop it.
    pub async fn finish(self) -> Result<(Sealed, O), Error> {
        let told = |heard: Result<_, oneshot::error::RecvError>| heard.unwrap_or(Err(Error::Panicked));
        let why = match self.forward.await {
            Ok(Forwarded::Ended) => return told(self.outcome.await),
            Ok(Forwarded::Stopped) => Error::Interrupted,
            Ok(Forwarded::ReaderGone) => Error::ReaderGone,
            Err(_) => Error::Panicked,
        };
        match tokio::time::timeout(GRACE, self.outcome).await.map(told) {
            // The source's own failure says more than its consequence.
            Ok(Err(cause @ (Error::Source(_) | Error::Encrypt(_)))) if !matches!(why, Error::Interrupted) => {
                Err(cause)
            }
            _ => Err(why),
        }
    }
}

/// Pass chunks on until their end, the reader's going away, or the stop.
async fn forward(mut chunks: ByteStream, outer: Sender, stop: CancellationToken) -> Forwarded {
    loop {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = outer.closed() => return Forwarded::ReaderGone,
            next = chunks.next() => next,
        };
        match next {
            Ok(Some(bytes)) => tokio::select! {
                biased;
                () = stop.cancelled() => break,
                sent = outer.send(bytes) => if sent.is_err() {
                    return Forwarded::ReaderGone;
                },
            },
            Ok(None) => {
                return if outer.end().await.is_ok() { Forwarded::Ended } else { Forwarded::ReaderGone };
            }
            Err(error) => {
                outer.fail(error).await;
                return Forwarded::Ended;
            }
        }
    }
    // The source must not wait for room that will never come.
    drop(chunks);
    outer.fail(Error::Interrupted.into_io()).await;
    Forwarded::Stopped
}

/// The whole work of the thread.
fn run<S: Source, F: Fn(u64)>(
    mut feed: Feed<S, F>,
    encryption: &Encryption,
    sender: Sender,
) -> Result<(Sealed, S::Outcome), Error> {
    let mut outlet =
        Outlet { inner: TallyWriter::new(sender.into_writer()), check: Check::default(), gone: false };
    let worked =
        catch_unwind(AssertUnwindSafe(|| encryption.encrypt(&mut feed, &mut outlet).map_err(Error::Encrypt)));
    let Outlet { inner, check, gone } = outlet;
    let (stored, writer) = (inner.digest(), inner.into_inner());
    let ended = match (worked, feed.failed.take()) {
        (Err(_), _) => Err(Error::Panicked),
        (Ok(_), Some(_)) if feed.stop.is_cancelled() => Err(Error::Interrupted),
        (Ok(_), Some(cause)) => Err(Error::Source(cause)),
        (Ok(_), None) if gone => Err(Error::ReaderGone),
        (Ok(Err(cause)), None) => Err(cause),
        (Ok(Ok(())), None) => Ok(()),
    };
    if let Err(cause) = ended {
        return Err(fail(writer, cause));
    }
    let plain = feed.inner.digest();
    let source = feed.inner.into_inner();
    match catch_unwind(AssertUnwindSafe(|| source.finish())) {
        Err(_) => Err(fail(writer, Error::Panicked)),
        // A source that was killed by the stop says so in its own way.
        Ok(_) if feed.stop.is_cancelled() => Err(fail(writer, Error::Interrupted)),
        Ok(Err(cause)) => Err(fail(writer, Error::Source(cause))),
        Ok(Ok(outcome)) => match writer.end() {
            Err(_) => Err(Error::ReaderGone),
            Ok(()) => Ok((Sealed { plain, stored, check, encryption: encryption.record() }, outcome)),
        },
    }
}

/// Tell the stream why it fails, and give back the same reason.
fn fail(writer: Writer, cause: Error) -> Error {
    match cause {
        // The source's error reaches the stream as it is, so that whoever reads
        // it can find its cause and its hint.
        Error::Source(cause) => {
            let shared = share(cause);
            writer.fail(shared.error());
            Error::Source(shared.error())
        }
        Error::Encrypt(cause) => {
            let shared = share(io::Error::other(cause));
            writer.fail(Error::Encrypt(Box::new(shared.error())).into_io());
            Error::Encrypt(Box::new(shared.error()))
        }
        Error::Interrupted => {
            writer.fail(Error::Interrupted.into_io());
            Error::Interrupted
        }
        Error::Panicked => {
            writer.fail(Error::Panicked.into_io());
            Error::Panicked
        }
        other => {
            writer.fail(io::Error::other(other.to_string()));
            other
        }
    }
}

/// One I/O error for two ends.
#[derive(Debug, Clone)]
struct Shared(Arc<io::Error>);

fn share(error: io::Error) -> Shared {
    Shared(Arc::new(error))
}

impl Shared {
    fn error(&self) -> io::Error {
        io::Error::new(self.0.kind(), self.clone())
    }
}

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// The source as the encryptor reads it: tallied, reported, and cancelled.
struct Feed<S, F> {
    inner: Tally<S>,
    stop: CancellationToken,
    on_bytes: F,
    /// Why it failed: encryptors wrap or replace what their reader says.
    failed: Option<io::Error>,
}

impl<S: Read, F: Fn(u64)> Read for Feed<S, F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let result = if self.failed.is_some() || self.stop.is_cancelled() {
            Err(Error::Interrupted.into_io())
        } else {
            self.inner.read(out)
        };
        match result {
            Ok(length) => {
                (self.on_bytes)(length as u64);
                Ok(length)
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => Err(cause),
            Err(cause) => {
                let kind = cause.kind();
                self.failed.get_or_insert(cause);
                Err(kind.into())
            }
        }
    }
}

/// The stream as the encryptor writes it.
struct Outlet {
    inner: TallyWriter<Writer>,
    check: Check,
    gone: bool,
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes).inspect_err(|_| self.gone = true)?;
        self.check.add(&bytes[..written]);
        Ok(written)
    }

    /// Chunks leave when they are full; an encryptor's flush is no reason.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
