//! Data blocks, written in order by one hand: plain bytes of objects flow in,
//! blocks of chunks flow out.
//!
//! Stored chunks and zstd frames end at row borders, so that each can be taken as
//! COPY text alone.

use std::io::Write;

use super::frame::{Coder, Coding, FRAME};
use super::{Error, blocks};

pub(super) struct BlockWriter<W> {
    out: W,
    coder: Coder,
    /// Plain bytes that wait for their row's end.
    waiting: Vec<u8>,
    /// What was made of them.
    made: Vec<u8>,
}

impl<W: Write> BlockWriter<W> {
    pub(super) fn new(out: W, coding: Coding) -> Result<Self, Error> {
        Ok(Self { out, coder: Coder::new(coding)?, waiting: Vec::with_capacity(FRAME), made: Vec::new() })
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(Error::Write)
    }

    pub(super) fn begin_table(&mut self, dump_id: i32) -> Result<(), Error> {
        self.raw(&[blocks::DATA])?;
        self.raw(&int(i64::from(dump_id)))?;
        self.begin_object()
    }

    pub(super) fn begin_large_objects(&mut self, dump_id: i32) -> Result<(), Error> {
        self.raw(&[blocks::BLOBS])?;
        self.raw(&int(i64::from(dump_id)))
    }

    pub(super) fn begin_large_object(&mut self, oid: u32) -> Result<(), Error> {
        self.raw(&int(i64::from(oid.cast_signed())))?;
        self.begin_object()
    }

    pub(super) fn end_large_objects(&mut self) -> Result<(), Error> {
        self.raw(&int(0))
    }

    fn begin_object(&mut self) -> Result<(), Error> {
        self.coder.open(&mut self.made);
        self.hand_on()
    }

    pub(super) fn data(&mut self, mut piece: &[u8]) -> Result<(), Error> {
        while !piece.is_empty() {
            let (head, rest) = piece.split_at(piece.len().min(FRAME - self.waiting.len()));
            self.waiting.extend_from_slice(head);
            piece = rest;
            if self.waiting.len() == FRAME {
                // A row that is larger than a frame is cut.
                let rows = memchr::memrchr(b'\n', &self.waiting).map_or(FRAME, |at| at + 1);
                self.frame(rows)?;
            }
        }
        Ok(())
    }

    pub(super) fn end_object(&mut self) -> Result<(), Error> {
        self.frame(self.waiting.len())?;
        self.coder.close(self.coder.check(), &mut self.made);
        self.hand_on()
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(Error::Write)
    }

    /// One chunk of the first `length` bytes that wait.
    fn frame(&mut self, length: usize) -> Result<(), Error> {
        self.coder.piece(&self.waiting[..length], &mut self.made)?;
        self.waiting.drain(..length);
        self.hand_on()
    }

    fn hand_on(&mut self) -> Result<(), Error> {
        let written = self.out.write_all(&self.made).map_err(Error::Write);
        self.made.clear();
        written
    }
}

/// A sign byte and four bytes, little endian; `value` has at most 32 bits.
pub(super) fn int(value: i64) -> [u8; 5] {
    let [a, b, c, d, ..] = value.unsigned_abs().to_le_bytes();
    [u8::from(value < 0), a, b, c, d]
}
