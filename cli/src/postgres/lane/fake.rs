//! A lane to a server that says what a test wants, whatever it is asked.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{Config, NoTls};

use super::{BUFFER, Lane, Lanes};
use crate::postgres::Target;
use crate::postgres::tls;

/// Its words come in pieces of these lengths, over and over; then it hangs up.
struct Server {
    words: VecDeque<u8>,
    pieces: Vec<usize>,
    next: usize,
}

impl AsyncRead for Server {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = self.pieces.get(self.next).copied().unwrap_or(usize::MAX).max(1);
        self.next = if self.next + 1 < self.pieces.len() { self.next + 1 } else { 0 };
        let length = piece.min(buffer.remaining()).min(self.words.len());
        let bytes: Vec<u8> = self.words.drain(..length).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

pub(crate) async fn lane(words: Vec<u8>, pieces: Vec<usize>) -> Lane {
    // Only the driver makes a token to cancel with, and only when it has logged in.
    let login = [message(b'R', &[0; 4]), message(b'K', &[0; 8]), message(b'Z', b"I")].concat();
    let server = |words: Vec<u8>, pieces| Server { words: words.into(), pieces, next: 0 };
    let (client, _connection) =
        Config::new().user("nobody").connect_raw(server(login, Vec::new()), NoTls).await.unwrap();
    let target = Target::parse("host=/nonexistent user=nobody dbname=nothing", &|_| None).unwrap();
    let lanes = Lanes { tls: tls::connector(&target.tls).unwrap(), target, encrypted: false };
    Lane {
        stream: Box::new(server(words, pieces)),
        buffer: vec![0; BUFFER].into_boxed_slice(),
        start: 0,
        end: 0,
        busy: false,
        lanes,
        token: client.cancel_token(),
    }
}

/// A message of the server.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

/// What it says to a `COPY … TO STDOUT` that copies rows.
pub(crate) fn copied(rows: &[Vec<u8>]) -> Vec<u8> {
    let mut said = message(b'H', &[0, 0, 0]);
    said.extend(rows.iter().flat_map(|row| message(b'd', row)));
    said.extend(message(b'c', b""));
    said.extend(message(b'C', format!("COPY {}\0", rows.len()).as_bytes()));
    said.extend(message(b'Z', b"T"));
    said
}
