//! Decompression of whole streams: gzip with several members, zstd and lz4 with
//! several frames. A stream that is cut short or that is followed by something
//! else is an error; the libraries alone let some of these pass.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use lz4_flex::frame::FrameDecoder;

use super::super::Error;
use super::Layer;

/// zstd reads all frames, skips skippable ones, and refuses windows above its
/// own default limit of 128 MiB.
pub(super) fn zstd<R: BufRead>(input: R) -> io::Result<impl Read> {
    ::zstd::stream::read::Decoder::with_buffer(input)
}

pub(super) fn gzip<R: BufRead>(input: R) -> impl Read {
    Gzip { member: Some(GzDecoder::new(input)) }
}

struct Gzip<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let length = member.read(out)?;
            if length > 0 {
                return Ok(length);
            }
            // The member ended and its checksum was right.
            let Some(mut input) = self.member.take().map(GzDecoder::into_inner) else { break };
            match input.fill_buf()? {
                [] => break,
                // Tapes and some transports pad with zeros, which gzip accepts.
                [0, ..] => expect_zeros(&mut input)?,
                [0x1F, ..] => self.member = Some(GzDecoder::new(input)),
                _ => return Err(trailing(Layer::Gzip)),
            }
        }
        Ok(0)
    }
}

fn expect_zeros(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(trailing(Layer::Gzip));
        }
        let length = bytes.len();
        input.consume(length);
    }
}

pub(super) fn lz4<R: BufRead>(input: R) -> impl Read {
    Lz4 { frame: Some(FrameDecoder::new(Endless(input))) }
}

struct Lz4<R: BufRead> {
    frame: Option<FrameDecoder<Endless<R>>>,
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(frame) = &mut self.frame {
            let length = frame.read(out)?;
            if length > 0 {
                return Ok(length);
            }
            let Some(mut input) = self.frame.take().map(FrameDecoder::into_inner) else { break };
            match input.0.fill_buf()? {
                [] => break,
                [0x04, ..] => self.frame = Some(FrameDecoder::new(input)),
                _ => return Err(trailing(Layer::Lz4)),
            }
        }
        Ok(0)
    }
}

/// Inside a frame there is no end: the decoder would take one between two blocks
/// for the frame's own. Not of the kind `UnexpectedEof`, which it swallows.
struct Endless<R>(R);

impl<R: Read> Read for Endless<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out) {
            Ok(0) if !out.is_empty() => Err(io::Error::other(Error::CutShort { layer: Layer::Lz4 })),
            result => result,
        }
    }
}

fn trailing(layer: Layer) -> io::Error {
    Error::TrailingData { layer }.into_io()
}
