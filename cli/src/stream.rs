//! Bytes on their way between rooms: a bounded channel whose end must be said.
//!
//! A writer that is dropped, panics or loses its thread is an error at the
//! reader, never an end of file; so a half-written stream cannot pass for a
//! whole one. At most [`DEPTH`] chunks wait, which bounds memory.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Chunks in flight in one stream.
const DEPTH: usize = 8;
/// Bytes a [`Writer`] gathers before it sends a chunk.
pub const CHUNK: usize = 256 * 1024;

/// Somebody asked for the work to stop.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Stopped;

/// Do some work unless somebody asks for it to stop: a server may keep us waiting for
/// ever. Nothing is begun when that was asked for before, and what is done by then is
/// not thrown away.
pub async fn unless<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Result<T, Stopped> {
    stop.run_until_cancelled(work).await.ok_or(Stopped)
}

enum Message {
    Chunk(Bytes),
    End,
    Failed(io::Error),
}

/// The reading end.
pub struct ByteStream {
    receiver: mpsc::Receiver<Message>,
    ended: bool,
}

/// The writing end for asynchronous code.
pub struct Sender {
    sender: mpsc::Sender<Message>,
}

/// The writing end for code on a blocking thread.
pub struct Writer {
    sender: mpsc::Sender<Message>,
    buffer: BytesMut,
}

/// The reading end for code on a blocking thread.
pub struct Reader {
    stream: ByteStream,
    current: Bytes,
}

/// Where the bytes of an artifact come from. `finish` is called once, after the
/// last byte was read: only when it succeeds is the stream's end said, so that
/// no store ever completes an object whose source failed.
pub trait Source: Read + Send + 'static {
    type Outcome: Send + 'static;
    fn finish(self) -> io::Result<Self::Outcome>;
}

/// Bytes that are in memory already, such as the text of the globals.
impl Source for io::Cursor<Vec<u8>> {
    type Outcome = ();

    fn finish(self) -> io::Result<()> {
        Ok(())
    }
}

pub fn channel() -> (Sender, ByteStream) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    (Sender { sender }, ByteStream { receiver, ended: false })
}

impl ByteStream {
    /// A stream of bytes that are already in memory.
    pub fn from_bytes(bytes: Bytes) -> Self {
        let (sender, receiver) = mpsc::channel(2);
        // Both fit the channel's depth, so neither send can fail.
        let _ = sender.try_send(Message::Chunk(bytes));
        let _ = sender.try_send(Message::End);
        Self { receiver, ended: false }
    }

    /// The next chunk, or `None` when the writer said that it was done.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let message = self.receiver.recv().await;
        self.take(message)
    }

    /// The same bytes, and an error in place of the rest once `stop` is cancelled,
    /// however long the writer has been silent.
    #[must_use]
    pub fn until_stopped(mut self, stop: CancellationToken) -> Self {
        let (sender, stoppable) = channel();
        tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    biased;
                    () = stop.cancelled() => Some(Message::Failed(io::Error::other(Stopped))),
                    () = sender.closed() => return,
                    message = self.receiver.recv() => message,
                };
                let more = matches!(message, Some(Message::Chunk(_)));
                // A writer that went away goes on as one: the sender is dropped unsaid.
                let Some(message) = message else { return };
                if sender.sender.send(message).await.is_err() || !more {
                    return;
                }
            }
        });
        stoppable
    }

    /// Read on a blocking thread (never inside the runtime's own threads).
    pub fn into_reader(self) -> Reader {
        Reader { stream: self, current: Bytes::new() }
    }

    fn take(&mut self, message: Option<Message>) -> io::Result<Option<Bytes>> {
        match message {
            Some(Message::Chunk(bytes)) => Ok(Some(bytes)),
            Some(Message::End) => {
                self.ended = true;
                Ok(None)
            }
            Some(Message::Failed(error)) => Err(error),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream stopped before its end")),
        }
    }
}

impl Sender {
    pub async fn send(&self, bytes: Bytes) -> io::Result<()> {
        self.sender.send(Message::Chunk(bytes)).await.map_err(|_| reader_gone())
    }

    /// Wait until the reader goes away.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }

    /// Say that everything was sent.
    pub async fn end(self) -> io::Result<()> {
        self.sender.send(Message::End).await.map_err(|_| reader_gone())
    }

    /// Say why nothing more will come.
    pub async fn fail(self, error: io::Error) {
        let _ = self.sender.send(Message::Failed(error)).await;
    }

    /// Write from a blocking thread.
    pub fn into_writer(self) -> Writer {
        Writer { sender: self.sender, buffer: BytesMut::with_capacity(CHUNK) }
    }
}

impl Writer {
    /// Send what is left and say that everything was sent.
    pub fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.sender.blocking_send(Message::End).map_err(|_| reader_gone())
    }

    /// Say why nothing more will come.
    pub fn fail(self, error: io::Error) {
        let _ = self.sender.blocking_send(Message::Failed(error));
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(CHUNK));
        self.sender.blocking_send(Message::Chunk(full.freeze())).map_err(|_| reader_gone())
    }
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            if self.stream.ended {
                return Ok(0);
            }
            let message = self.stream.receiver.blocking_recv();
            match self.stream.take(message)? {
                Some(bytes) => self.current = bytes,
                None => return Ok(0),
            }
        }
        let length = out.len().min(self.current.len());
        self.current.copy_to_slice(&mut out[..length]);
        Ok(length)
    }
}

fn reader_gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the reader of the stream went away")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_writer_is_an_error_and_not_an_end() {
        let (sender, mut stream) = channel();
        sender.send(Bytes::from_static(b"half")).await.unwrap();
        drop(sender);
        assert_eq!(stream.next().await.unwrap().unwrap(), "half");
        assert_eq!(stream.next().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_stopped_stream_fails_although_its_writer_is_silent() {
        let (sender, stream) = channel();
        let stop = CancellationToken::new();
        let mut stream = stream.until_stopped(stop.clone());
        sender.send(Bytes::from_static(b"half")).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), "half");
        stop.cancel();
        assert_eq!(stream.next().await.unwrap_err().to_string(), "interrupted");
        sender.closed().await;
    }

    #[tokio::test]
    async fn work_is_done_unless_it_is_to_stop() {
        let stop = CancellationToken::new();
        assert_eq!(unless(&stop, async { 1 }).await.ok(), Some(1));
        let stopping = async {
            stop.cancel();
            2
        };
        assert_eq!(unless(&stop, stopping).await.ok(), Some(2), "what is done is not thrown away");
        let never = async { panic!("it was begun") };
        assert!(unless::<()>(&stop, never).await.is_err());
        let stop = CancellationToken::new();
        let (stopped, ()) =
            tokio::join!(unless(&stop, std::future::pending::<()>()), async { stop.cancel() });
        assert_eq!(stopped.unwrap_err().to_string(), "interrupted");
    }

    #[tokio::test]
    async fn a_stream_that_may_be_stopped_ends_as_its_writer_does() {
        let (sender, stream) = channel();
        let mut whole = stream.until_stopped(CancellationToken::new());
        sender.end().await.unwrap();
        assert!(whole.next().await.unwrap().is_none());
        let (sender, stream) = channel();
        let mut half = stream.until_stopped(CancellationToken::new());
        drop(sender);
        assert_eq!(half.next().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_written_on_one_thread_is_read_on_another() {
        let (sender, stream) = channel();
        let writer = std::thread::spawn(move || {
            let mut writer = sender.into_writer();
            for n in 0..100_000u32 {
                writer.write_all(&n.to_le_bytes()).unwrap();
            }
            writer.end().unwrap();
        });
        let mut all = Vec::new();
        stream.into_reader().read_to_end(&mut all).unwrap();
        writer.join().unwrap();
        assert_eq!(all.len(), 400_000);
        assert_eq!(all[399_996..], 99_999u32.to_le_bytes());
    }
}
