//! A connection that only moves rows: a `COPY … TO STDOUT` goes in, the bytes of
//! its rows come out of one buffer, sliced in place, with no allocation a row.
//!
//! A lane that is dropped while the server still works for it asks the server to
//! cancel that, so that no statement outlives us.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::CancelToken;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Error;
use super::target::{Host, Target};
use super::wire::{Duplex, Place};

/// Bytes read at once. Row by row they are sliced out of it, while they are in
/// the processor's cache.
const BUFFER: usize = 256 * 1024;
/// Of a message that is not a row; the rest of a longer one is passed over.
const MESSAGE: usize = 64 * 1024;

/// Opens lanes to one server, in the way that a session was opened.
#[derive(Clone)]
pub struct Lanes {
    pub(super) target: Target,
    pub(super) tls: MakeRustlsConnect,
    pub(super) encrypted: bool,
}

impl Lanes {
    /// Open one and run `setup` on it.
    pub async fn open(&self, setup: &str) -> Result<Lane, Error> {
        let (stream, token) = self.place()?.login().await?;
        let mut lane = Lane {
            stream,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            busy: false,
            lanes: self.clone(),
            token,
        };
        lane.execute("begin to copy", setup).await?;
        Ok(lane)
    }

    fn place(&self) -> Result<Place, Error> {
        // A session's target is narrowed to the one host that answered.
        let host: &Host = self
            .target
            .hosts()
            .first()
            .ok_or_else(|| Error::BadTarget { reason: "it names no host".to_owned() })?;
        let (target, host, tls) = (self.target.clone(), host.clone(), self.tls.clone());
        Ok(Place { target, host, encrypted: self.encrypted, tls })
    }
}

/// Takes the rows of a copy.
pub trait Sink {
    type Error: From<Error>;

    /// Some bytes of a row, with the last of them `end`. When it says that it is
    /// full, [`make_room`](Self::make_room) is awaited before it gets more.
    fn take(&mut self, piece: &[u8], end: bool) -> Fullness;

    fn make_room(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fullness {
    Room,
    Full,
}

/// A connection for rows.
pub struct Lane {
    stream: Box<dyn Duplex>,
    buffer: Box<[u8]>,
    /// Where in the buffer unread bytes begin and end.
    start: usize,
    end: usize,
    /// A query was sent, and its end was not seen yet.
    busy: bool,
    lanes: Lanes,
    token: CancelToken,
}

/// What came of a query.
#[derive(Default)]
struct Answer {
    /// Of a `COPY`, by the server's own count.
    copied: Option<u64>,
    /// Text columns of the rows of a `SELECT`.
    rows: Vec<Vec<Option<Vec<u8>>>>,
    refused: Option<Refusal>,
}

/// An ErrorResponse.
struct Refusal {
    sqlstate: String,
    message: String,
}

/// Which end failed.
enum Broken<E> {
    Connection(io::Error),
    Sink(E),
}

impl<E> From<io::Error> for Broken<E> {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

/// The sink of statements that copy nothing.
struct Nothing;

impl Sink for Nothing {
    type Error = Error;

    fn take(&mut self, _: &[u8], _: bool) -> Fullness {
        Fullness::Room
    }

    async fn make_room(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl Lane {
    /// Run statements.
    pub async fn execute(&mut self, action: &str, sql: &str) -> Result<(), Error> {
        self.ask(action, sql.as_bytes(), &mut Nothing).await.map(drop)
    }

    /// Rows of a query as text; not for many.
    pub async fn query(&mut self, action: &str, sql: &str) -> Result<Vec<Vec<Option<Vec<u8>>>>, Error> {
        self.ask(action, sql.as_bytes(), &mut Nothing).await.map(|answer| answer.rows)
    }

    /// Run statements of which one is a `COPY … TO STDOUT`; yields how many rows
    /// it copied by the server's own count.
    pub async fn copy<S: Sink + Send>(
        &mut self,
        action: &str,
        sql: &str,
        sink: &mut S,
    ) -> Result<u64, S::Error> {
        let answer = self.ask(action, sql.as_bytes(), sink).await?;
        answer.copied.ok_or_else(|| broken(action, "the server copied nothing").into())
    }

    /// Wait until the server ends the session, and yield why. It may be given up at
    /// any time, and the lane be used.
    pub async fn lost(&mut self, action: &str) -> Error {
        loop {
            while let Some((kind, body)) = self.whole_message() {
                // What else comes unasked, a setting or a notice, is no end.
                if kind == b'E' {
                    return Refusal::read(&body).error(action);
                }
            }
            if self.end == self.buffer.len() && self.start == 0 {
                return broken(action, "the server said too much");
            }
            if let Err(source) = self.fill().await {
                return Error::Lost { action: action.to_owned(), source };
            }
        }
    }

    /// Take a message out of the buffer, once all of it is there.
    fn whole_message(&mut self) -> Option<(u8, Vec<u8>)> {
        let (head, rest) = self.buffer[self.start..self.end].split_at_checked(5)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let body = rest.get(..usize::try_from(length).ok()?.saturating_sub(4))?;
        let message = (head[0], body.to_vec());
        self.start += 5 + message.1.len();
        Some(message)
    }

    /// Say goodbye to the server.
    pub async fn close(mut self) {
        let goodbye = [b'X', 0, 0, 0, 4];
        if self.stream.write_all(&goodbye).await.is_ok() {
            let _ = self.stream.shutdown().await;
        }
    }

    /// One simple query, and everything that comes back.
    async fn ask<S: Sink + Send>(
        &mut self,
        action: &str,
        sql: &[u8],
        sink: &mut S,
    ) -> Result<Answer, S::Error> {
        let mut answer = Answer::default();
        match self.receive(sql, sink, &mut answer).await {
            // A server that ends the session says why before it hangs up.
            Err(Broken::Connection(source)) if answer.refused.is_none() => {
                return Err(Error::Lost { action: action.to_owned(), source }.into());
            }
            Err(Broken::Sink(error)) => return Err(error),
            Err(Broken::Connection(_)) | Ok(()) => {}
        }
        match answer.refused {
            Some(refusal) => Err(refusal.error(action).into()),
            None => Ok(answer),
        }
    }

    async fn receive<S: Sink + Send>(
        &mut self,
        sql: &[u8],
        sink: &mut S,
        answer: &mut Answer,
    ) -> Result<(), Broken<S::Error>> {
        self.send(sql).await?;
        loop {
            while self.end - self.start < 5 {
                self.fill().await?;
            }
            let head = &self.buffer[self.start..self.start + 5];
            let kind = head[0];
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
            self.start += 5;
            let mut left = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(4);
            if kind != b'd' {
                let message = self.message(left).await?;
                if answer.note(kind, &message) {
                    self.busy = false;
                    return Ok(());
                }
                continue;
            }
            loop {
                let here = left.min(self.end - self.start);
                left -= here;
                let piece = &self.buffer[self.start..self.start + here];
                self.start += here;
                if sink.take(piece, left == 0) == Fullness::Full {
                    sink.make_room().await.map_err(Broken::Sink)?;
                }
                if left == 0 {
                    break;
                }
                self.fill().await?;
            }
        }
    }

    async fn send(&mut self, sql: &[u8]) -> io::Result<()> {
        let length = u32::try_from(sql.len() + 5).map_err(io::Error::other)?;
        let mut message = Vec::with_capacity(sql.len() + 6);
        message.push(b'Q');
        message.extend(length.to_be_bytes());
        message.extend(sql);
        message.push(0);
        self.busy = true;
        self.stream.write_all(&message).await?;
        self.stream.flush().await
    }

    /// Read some more bytes behind those that are unread.
    async fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        match self.stream.read(&mut self.buffer[self.end..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.end += length;
                Ok(())
            }
        }
    }

    /// The body of a message that is not a row.
    async fn message(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        let mut left = length;
        while left > 0 {
            if self.start == self.end {
                self.fill().await?;
            }
            let here = left.min(self.end - self.start);
            let kept = here.min(MESSAGE.saturating_sub(body.len()));
            body.extend_from_slice(&self.buffer[self.start..self.start + kept]);
            self.start += here;
            left -= here;
        }
        Ok(body)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let (true, Ok(runtime)) = (self.busy, tokio::runtime::Handle::try_current()) else { return };
        runtime.spawn(cancel(self.lanes.clone(), self.token.clone()));
    }
}

async fn cancel(lanes: Lanes, token: CancelToken) {
    if let Ok(place) = lanes.place() {
        // It ends by itself when it finds nobody to send rows to.
        let _ = place.cancel(&token).await;
    }
}

impl Answer {
    /// Take a message that is not a row; says whether it was the last.
    fn note(&mut self, kind: u8, body: &[u8]) -> bool {
        match kind {
            b'Z' => return true,
            b'C' => {
                let tag = body.strip_suffix(b"\0").unwrap_or(body);
                if let Some(count) = tag.strip_prefix(b"COPY ").and_then(|n| std::str::from_utf8(n).ok()) {
                    self.copied = count.parse().ok();
                }
            }
            b'D' => self.rows.extend(columns(body)),
            // The first says why; those that follow are its consequences.
            b'E' if self.refused.is_none() => self.refused = Some(Refusal::read(body)),
            _ => {}
        }
        false
    }
}

/// The columns of a DataRow: a count, then length and bytes of each, -1 for NULL.
fn columns(body: &[u8]) -> Option<Vec<Option<Vec<u8>>>> {
    let (count, mut rest) = body.split_at_checked(2)?;
    let count = u16::from_be_bytes([count[0], count[1]]);
    let mut columns = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let (length, after) = rest.split_at_checked(4)?;
        let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        rest = after;
        columns.push(match usize::try_from(length) {
            Err(_) => None,
            Ok(length) => {
                let (value, after) = rest.split_at_checked(length)?;
                rest = after;
                Some(value.to_vec())
            }
        });
    }
    Some(columns)
}

impl Refusal {
    /// Fields: a letter and a string that ends with a zero, until a zero.
    fn read(body: &[u8]) -> Self {
        let mut refusal = Self { sqlstate: String::new(), message: String::new() };
        for field in body.split(|byte| *byte == 0) {
            let Some((kind, text)) = field.split_first() else { continue };
            let text = || String::from_utf8_lossy(text).into_owned();
            match kind {
                b'C' => refusal.sqlstate = text(),
                b'M' => refusal.message = text(),
                _ => {}
            }
        }
        refusal
    }

    fn error(self, action: &str) -> Error {
        let Self { sqlstate, message } = self;
        let action = action.to_owned();
        if sqlstate == SqlState::INSUFFICIENT_PRIVILEGE.code() {
            Error::Denied { action, message }
        } else {
            Error::Query { action, message, sqlstate }
        }
    }
}

fn broken(action: &str, why: &'static str) -> Error {
    Error::Lost { action: action.to_owned(), source: io::Error::new(io::ErrorKind::InvalidData, why) }
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
