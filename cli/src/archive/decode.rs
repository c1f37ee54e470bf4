//! Decompression of one object (a table's data, or a large object): the chunks
//! of its block flow in, its plain bytes flow out in large pieces.
//!
//! It accepts what pg_restore reads to the end, and nothing that pg_restore
//! would read differently, hang on, or silently cut.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{InBuffer, Operation, OutBuffer};

use super::Error;
use super::header::Compression;
use super::input::Input;

/// Bytes of the pieces in which data is read and handed on; four fit a core's cache.
const PIECE: usize = 256 * 1024;

/// Buffers and contexts, made once for an archive.
pub(super) struct Decoder {
    compression: Compression,
    compressed: Vec<u8>,
    plain: Vec<u8>,
    zlib: Decompress,
    zstd: zstd::stream::raw::Decoder<'static>,
}

/// A zstd frame that is not larger may be handed on as it is.
const WHOLE_FRAME: usize = 1024 * 1024;

/// What takes the plain bytes.
pub(super) trait Sink {
    fn plain(&mut self, piece: &[u8]) -> Result<(), Error>;

    /// Whether chunks that are whole zstd frames go to [`Self::frame`] instead.
    fn takes_frames(&self) -> bool {
        false
    }

    /// A whole frame of `plain` bytes, between what was taken before and what
    /// comes next. That it decompresses to them is still to be seen.
    fn frame(&mut self, _frame: Vec<u8>, _plain: usize, _at: u64) -> Result<(), Error> {
        Ok(())
    }
}

/// Damage is described by what it is; who calls adds the object and the place.
pub(super) enum Failure {
    Data(String),
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

fn data(what: impl Into<String>) -> Failure {
    Failure::Data(what.into())
}

impl Decoder {
    pub(super) fn new(compression: Compression) -> Result<Self, Error> {
        Ok(Self {
            compression,
            compressed: vec![0; PIECE],
            plain: vec![0; PIECE],
            zlib: Decompress::new(true),
            // It takes windows of up to 128 MiB, as pg_restore does: a level-22
            // archive needs them. Pages are touched only as data fills them.
            zstd: zstd::stream::raw::Decoder::new().map_err(Error::Read)?,
        })
    }

    /// Read chunks up to the zero that ends them.
    pub(super) fn object<R: Read>(
        &mut self,
        input: &mut Input<R>,
        reading: &str,
        sink: &mut impl Sink,
    ) -> Result<(), Failure> {
        let mut chunks = Chunks { input, reading, left: 0, ended: false };
        match self.compression {
            Compression::None => self.stored(&mut chunks, sink),
            Compression::Gzip => self.gzip(&mut chunks, sink),
            Compression::Zstd => self.zstd(&mut chunks, sink),
            Compression::Lz4 => self.lz4(&mut chunks, sink),
        }
    }

    /// Pass over an object's chunks.
    pub(super) fn skip<R: Read>(&mut self, input: &mut Input<R>, reading: &str) -> Result<(), Error> {
        let mut chunks = Chunks { input, reading, left: 0, ended: false };
        while chunks.read(&mut self.compressed)? > 0 {}
        Ok(())
    }

    /// pg_dump writes a chunk a row: gather them.
    fn stored<R: Read>(&mut self, chunks: &mut Chunks<'_, R>, sink: &mut impl Sink) -> Result<(), Failure> {
        let mut filled = 0;
        loop {
            let length = chunks.read(&mut self.plain[filled..])?;
            filled += length;
            if filled == self.plain.len() || length == 0 {
                sink.plain(&self.plain[..filled])?;
                filled = 0;
            }
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Exactly one zlib stream: pg_restore never leaves its loop when another follows.
    fn gzip<R: Read>(&mut self, chunks: &mut Chunks<'_, R>, sink: &mut impl Sink) -> Result<(), Failure> {
        self.zlib.reset(true);
        let mut ended = false;
        loop {
            let length = chunks.read(&mut self.compressed)?;
            if length == 0 {
                return if ended { Ok(()) } else { Err(data("its zlib stream stops before its end")) };
            }
            let mut rest = &self.compressed[..length];
            while !rest.is_empty() {
                if ended {
                    return Err(data("a second zlib stream or other bytes follow its zlib stream"));
                }
                let (before_in, before_out) = (self.zlib.total_in(), self.zlib.total_out());
                let status = self
                    .zlib
                    .decompress(rest, &mut self.plain, FlushDecompress::None)
                    .map_err(|error| data(format!("its zlib stream does not decompress ({error})")))?;
                let taken = used(self.zlib.total_in() - before_in, rest.len());
                let made = used(self.zlib.total_out() - before_out, self.plain.len());
                rest = &rest[taken..];
                if made > 0 {
                    sink.plain(&self.plain[..made])?;
                }
                ended = status == Status::StreamEnd;
                if !ended && taken == 0 && made == 0 {
                    return Err(data("its zlib stream does not decompress"));
                }
            }
            // What is decompressed but did not fit goes out before more comes in.
            while !ended {
                let before = self.zlib.total_out();
                let status = self
                    .zlib
                    .decompress(&[], &mut self.plain, FlushDecompress::None)
                    .map_err(|error| data(format!("its zlib stream does not decompress ({error})")))?;
                let made = used(self.zlib.total_out() - before, self.plain.len());
                ended = status == Status::StreamEnd;
                if made == 0 {
                    break;
                }
                sink.plain(&self.plain[..made])?;
            }
        }
    }

    /// Frames that begin where a chunk begins: pg_restore throws the rest of a
    /// chunk away once a frame ended in it.
    fn zstd<R: Read>(&mut self, chunks: &mut Chunks<'_, R>, sink: &mut impl Sink) -> Result<(), Failure> {
        self.zstd.reinit().map_err(|error| data(error.to_string()))?;
        let mut open = false;
        // A chunk that was looked at as a whole.
        let mut held = Vec::new();
        loop {
            held.clear();
            if sink.takes_frames() && !open {
                chunks.whole(&mut held)?;
                if let Some(plain) = plain_length(&held) {
                    sink.frame(std::mem::take(&mut held), plain, chunks.input.position())?;
                    continue;
                }
            }
            let taken = if held.is_empty() {
                let length = chunks.read(&mut self.compressed)?;
                &self.compressed[..length]
            } else {
                &held
            };
            let length = taken.len();
            if length == 0 {
                return if open { Err(data("its zstd frame stops before its end")) } else { Ok(()) };
            }
            let mut from = InBuffer::around(taken);
            loop {
                let mut to = OutBuffer::around(&mut self.plain[..]);
                let before = from.pos;
                let hint = self
                    .zstd
                    .run(&mut from, &mut to)
                    .map_err(|error| data(format!("its zstd frame does not decompress ({error})")))?;
                let made = to.pos();
                sink.plain(&self.plain[..made])?;
                open = hint != 0;
                if !open && (from.pos < length || chunks.left > 0) {
                    return Err(data(
                        "a zstd frame begins in the middle of a chunk; pg_restore would lose it",
                    ));
                }
                // A full buffer may hide more that needs no further input.
                if from.pos == length && (made < PIECE || !open) {
                    break;
                }
                if from.pos == before && made == 0 {
                    return Err(data("its zstd frame does not decompress"));
                }
            }
        }
    }

    /// LZ4 frames, one after the other.
    fn lz4<R: Read>(&mut self, chunks: &mut Chunks<'_, R>, sink: &mut impl Sink) -> Result<(), Failure> {
        while !chunks.at_end()? {
            let source = Lz4Source { chunks, taken: 0, failed: None, probing: false };
            // A decoder a frame: one that goes on to the next keeps buffers of the
            // first frame's size.
            let mut decoder = lz4_flex::frame::FrameDecoder::new(source);
            loop {
                match decoder.read(&mut self.plain) {
                    Ok(0) => break,
                    Ok(length) => sink.plain(&self.plain[..length])?,
                    Err(error) => {
                        let cause = decoder.get_mut().failed.take();
                        return Err(cause.unwrap_or_else(|| {
                            data(format!("its lz4 frame does not decompress ({error})"))
                        }));
                    }
                }
            }
            if !lz4_frame_ended(&mut decoder) {
                return Err(data("its lz4 frame stops before its end"));
            }
        }
        Ok(())
    }
}

/// The decoder says 0 at the end of a frame and at the end of its input alike.
/// So it is given bytes that are neither a frame nor a block: only after a frame's
/// end does it call them a wrong magic number.
fn lz4_frame_ended<R: Read>(decoder: &mut lz4_flex::frame::FrameDecoder<Lz4Source<'_, '_, R>>) -> bool {
    const SHORTEST: u64 = 11;
    let source = decoder.get_mut();
    source.probing = true;
    if source.taken < SHORTEST {
        return false;
    }
    let Err(error) = decoder.read(&mut [0]) else { return false };
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(lz4_flex::frame::Error::WrongMagicNumber))
}

struct Lz4Source<'a, 'b, R> {
    chunks: &'a mut Chunks<'b, R>,
    taken: u64,
    failed: Option<Failure>,
    probing: bool,
}

impl<R: Read> Read for Lz4Source<'_, '_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.probing {
            out.fill(0xff);
            return Ok(out.len());
        }
        match self.chunks.read(out) {
            Ok(length) => {
                self.taken += length as u64;
                Ok(length)
            }
            Err(failure) => {
                self.failed = Some(failure.into());
                Err(io::Error::other("see the cause"))
            }
        }
    }
}

/// The chunks of one object, read as one stream.
struct Chunks<'a, R> {
    input: &'a mut Input<R>,
    reading: &'a str,
    /// Bytes of the current chunk that were not read yet.
    left: usize,
    ended: bool,
}

impl<R: Read> Chunks<'_, R> {
    /// Bytes of one chunk, or 0 after the last.
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        if self.at_end()? {
            return Ok(0);
        }
        let length = out.len().min(self.left);
        match self.input.some(&mut out[..length])? {
            0 => Err(self.input.cut_short(self.reading)),
            length => {
                self.left -= length;
                Ok(length)
            }
        }
    }

    /// The next chunk, where it is not larger than [`WHOLE_FRAME`]; nothing otherwise.
    fn whole(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if !self.at_end()? && self.left <= WHOLE_FRAME {
            out.resize(self.left, 0);
            self.left = 0;
            self.input.exact(out, self.reading)?;
        }
        Ok(())
    }

    fn at_end(&mut self) -> Result<bool, Error> {
        if self.left == 0 && !self.ended {
            let length = self.input.int(self.reading)?;
            // pg_restore holds lengths in a C int.
            self.left =
                i32::try_from(length).ok().and_then(|length| usize::try_from(length).ok()).ok_or_else(
                    || self.input.damaged(format!("length {length} of a chunk of {}", self.reading)),
                )?;
            self.ended = self.left == 0;
        }
        Ok(self.ended)
    }
}

/// What a chunk says that it decompresses to, if it is one whole frame that says so.
fn plain_length(chunk: &[u8]) -> Option<usize> {
    use zstd::zstd_safe::{find_frame_compressed_size, get_frame_content_size};
    if chunk.is_empty() || find_frame_compressed_size(chunk) != Ok(chunk.len()) {
        return None;
    }
    let plain = usize::try_from(get_frame_content_size(chunk).ok()??).ok()?;
    (plain <= WHOLE_FRAME).then_some(plain)
}

/// A counter's step as an index; never past the buffer it counts in.
fn used(step: u64, limit: usize) -> usize {
    usize::try_from(step).map_or(limit, |step| step.min(limit))
}
