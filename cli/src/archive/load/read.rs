//! The data blocks of an archive, read once and in order on a thread of its own:
//! the rest of the stream flows in, the pieces of what is wanted flow out through
//! a channel. Then the stream is read to its very end, where its digests are told,
//! and only if that was good the end is said.

use std::io::{self, Read};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::PIECE;
use super::frames::{Budget, Decoders, Plain};
use super::stages::{Stages, Table};
use crate::archive::Error;
use crate::archive::blocks::{self, Visitor};
use crate::archive::decode::Sink;
use crate::archive::input::Input;
use crate::archive::toc::{Entry, Toc};

/// What is read, in the archive's order.
pub enum Piece {
    /// A table's data begins.
    Table(Arc<Table>),
    /// Bytes of the table or large object.
    Data(Plain),
    TableEnd,
    LargeObject(u32),
    LargeObjectEnd,
    /// Nothing follows, and the stream ended well.
    End,
}

/// What is to be read, and how.
pub struct Reading {
    pub toc: Arc<Toc>,
    pub stages: Arc<Stages>,
    /// Bytes before the first block.
    pub position: u64,
    /// Threads that decompress.
    pub decoders: usize,
}

/// Read on behind the table of contents. Blocks; to be called on a thread where a
/// runtime is entered.
pub fn read(rest: impl Read, reading: &Reading, pieces: mpsc::Sender<Piece>) -> Result<(), Error> {
    let mut input = Input::at(rest, reading.position);
    let mut reader = Reader {
        stages: &reading.stages,
        pieces,
        budget: Budget::new(),
        decoders: Decoders::start(reading.decoders),
        waiting: Vec::new(),
        object: Arc::from(""),
    };
    blocks::walk_wanted(&mut input, &reading.toc, &mut reader)?;
    io::copy(&mut input.into_inner(), &mut io::sink()).map_err(Error::Read)?;
    reader.say(Piece::End)
}

struct Reader<'a> {
    stages: &'a Stages,
    pieces: mpsc::Sender<Piece>,
    budget: Budget,
    decoders: Decoders,
    /// Small pieces are gathered.
    waiting: Vec<u8>,
    /// Whose data it is.
    object: Arc<str>,
}

impl Reader<'_> {
    fn say(&self, piece: Piece) -> Result<(), Error> {
        let gone =
            |_| Error::Read(io::Error::new(io::ErrorKind::BrokenPipe, "nobody takes the rows any more"));
        self.pieces.blocking_send(piece).map_err(gone)
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = self.budget.ready(std::mem::take(&mut self.waiting))?;
        self.say(Piece::Data(piece))
    }
}

impl Sink for Reader<'_> {
    fn plain(&mut self, mut piece: &[u8]) -> Result<(), Error> {
        while !piece.is_empty() {
            if self.waiting.capacity() == 0 {
                self.waiting.reserve_exact(PIECE);
            }
            let (head, rest) = piece.split_at(piece.len().min(PIECE - self.waiting.len()));
            self.waiting.extend_from_slice(head);
            piece = rest;
            if self.waiting.len() == PIECE {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn takes_frames(&self) -> bool {
        true
    }

    fn frame(&mut self, frame: Vec<u8>, plain: usize, at: u64) -> Result<(), Error> {
        self.flush()?;
        let coming = self.decoders.decode(&self.budget, frame, plain, &self.object, at)?;
        self.say(Piece::Data(coming))
    }
}

impl Visitor for Reader<'_> {
    fn table(&mut self, entry: &Entry) -> Result<(), Error> {
        let Some(table) = self.stages.tables.get(&entry.dump_id) else { return Ok(()) };
        self.object = Arc::from(entry.name());
        self.say(Piece::Table(table.clone()))
    }

    fn table_end(&mut self) -> Result<Result<(), &'static str>, Error> {
        self.flush()?;
        self.say(Piece::TableEnd).map(Ok)
    }

    fn large_objects(&mut self, entry: &Entry) -> Result<(), Error> {
        self.object = Arc::from(entry.name());
        Ok(())
    }

    fn large_object(&mut self, oid: u32) -> Result<(), Error> {
        self.say(Piece::LargeObject(oid))
    }

    fn large_object_end(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.say(Piece::LargeObjectEnd)
    }

    fn large_objects_end(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn wants(&self, entry: &Entry) -> bool {
        self.stages.tables.contains_key(&entry.dump_id) || self.stages.large_objects.contains(&entry.dump_id)
    }
}
