//! Data blocks, written: plain bytes of objects flow in, blocks of chunks flow
//! out, stored or compressed in a way that every pg_restore reads to the end.
//!
//! Chunks are moderate, since pg_restore allocates each whole. Stored chunks and
//! zstd frames end at row borders, so that each can be taken as COPY text alone.

use std::io::Write;

use flate2::{Compress, FlushCompress, Status};

use super::header::Compression;
use super::{Error, blocks};

/// Plain bytes gathered for a stored chunk or for one zstd frame. Frames of this
/// size compress as well as larger ones, and faster: they stay in the cache.
const FRAME: usize = 256 * 1024;
/// Compressed bytes of a gzip chunk.
const GZIP_CHUNK: usize = 64 * 1024;

/// How blocks are to be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    None,
    /// Level 1 to 9; read by every pg_restore.
    Gzip(u32),
    /// Level 1 to 22, with checksums; read by pg_restore 16 and newer where they
    /// were built with it.
    Zstd(i32),
}

impl Coding {
    pub fn compression(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Gzip(_) => Compression::Gzip,
            Self::Zstd(_) => Compression::Zstd,
        }
    }
}

pub(super) struct BlockWriter<W> {
    out: W,
    coder: Coder,
    /// Plain bytes that wait for their row's end; not used by gzip.
    waiting: Vec<u8>,
    compressed: Vec<u8>,
}

enum Coder {
    None,
    Gzip(Compress),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl<W: Write> BlockWriter<W> {
    pub(super) fn new(out: W, coding: Coding) -> Result<Self, Error> {
        let coder = match coding {
            Coding::None => Coder::None,
            Coding::Gzip(level) => Coder::Gzip(Compress::new(flate2::Compression::new(level.min(9)), true)),
            Coding::Zstd(level) => {
                let mut compressor = zstd::bulk::Compressor::new(level).map_err(Error::Write)?;
                // pg_restore tells no damage in a frame without a checksum.
                compressor.include_checksum(true).map_err(Error::Write)?;
                Coder::Zstd(compressor)
            }
        };
        Ok(Self { out, coder, waiting: Vec::with_capacity(FRAME), compressed: vec![0; GZIP_CHUNK] })
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(Error::Write)
    }

    pub(super) fn begin_table(&mut self, dump_id: i32) -> Result<(), Error> {
        self.raw(&[blocks::DATA])?;
        self.raw(&int(i64::from(dump_id)))
    }

    pub(super) fn begin_large_objects(&mut self, dump_id: i32) -> Result<(), Error> {
        self.raw(&[blocks::BLOBS])?;
        self.raw(&int(i64::from(dump_id)))
    }

    pub(super) fn begin_large_object(&mut self, oid: u32) -> Result<(), Error> {
        self.raw(&int(i64::from(oid.cast_signed())))
    }

    pub(super) fn end_large_objects(&mut self) -> Result<(), Error> {
        self.raw(&int(0))
    }

    pub(super) fn data(&mut self, mut piece: &[u8]) -> Result<(), Error> {
        if matches!(self.coder, Coder::Gzip(_)) {
            return self.deflate(piece, FlushCompress::None);
        }
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
        if matches!(self.coder, Coder::Gzip(_)) {
            self.deflate(&[], FlushCompress::Finish)?;
            if let Coder::Gzip(zlib) = &mut self.coder {
                zlib.reset();
            }
        } else if !self.waiting.is_empty() {
            self.frame(self.waiting.len())?;
        }
        self.raw(&int(0))
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(Error::Write)
    }

    /// One chunk of the first `length` bytes that wait.
    fn frame(&mut self, length: usize) -> Result<(), Error> {
        let plain = &self.waiting[..length];
        match &mut self.coder {
            Coder::Zstd(zstd) => {
                let frame = zstd.compress(plain).map_err(Error::Write)?;
                chunk(&mut self.out, &frame)?;
            }
            Coder::None | Coder::Gzip(_) => chunk(&mut self.out, plain)?,
        }
        self.waiting.drain(..length);
        Ok(())
    }

    fn deflate(&mut self, mut piece: &[u8], flush: FlushCompress) -> Result<(), Error> {
        let Coder::Gzip(zlib) = &mut self.coder else { return Ok(()) };
        loop {
            let (before_in, before_out) = (zlib.total_in(), zlib.total_out());
            let status = zlib
                .compress(piece, &mut self.compressed, flush)
                .map_err(|error| Error::Write(std::io::Error::other(error)))?;
            let step = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
            piece = piece.get(step(zlib.total_in(), before_in)..).unwrap_or_default();
            let made = step(zlib.total_out(), before_out).min(self.compressed.len());
            if made > 0 {
                chunk(&mut self.out, &self.compressed[..made])?;
            }
            let done = match flush {
                FlushCompress::Finish => status == Status::StreamEnd,
                // A full buffer may hide more.
                _ => piece.is_empty() && made < self.compressed.len(),
            };
            if done {
                return Ok(());
            }
        }
    }
}

fn chunk(out: &mut impl Write, bytes: &[u8]) -> Result<(), Error> {
    // At most a frame that did not compress: far below 2^31.
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    out.write_all(&int(length)).map_err(Error::Write)?;
    out.write_all(bytes).map_err(Error::Write)
}

/// A sign byte and four bytes, little endian; `value` has at most 32 bits.
pub(super) fn int(value: i64) -> [u8; 5] {
    let [a, b, c, d, ..] = value.unsigned_abs().to_le_bytes();
    [u8::from(value < 0), a, b, c, d]
}
