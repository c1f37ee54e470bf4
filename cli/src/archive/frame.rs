//! Plain bytes flow in piece by piece; chunks of a data block flow out, each with
//! its length, stored or compressed so that every pg_restore reads them.
//!
//! Pieces can be compressed apart, by several hands, and be put together in
//! order: a zstd frame is one piece and one chunk (pg_restore drops what follows
//! a frame's end in the same chunk), and a zlib stream is made of raw deflate
//! pieces that each end at a byte, with the checksums of all combined.

use std::io;

use flate2::{Compress, FlushCompress, Status};

use super::Error;
use super::header::Compression;
use super::write::int;

/// Plain bytes of a piece, about. Larger ones compress no better, and slower: they
/// do not stay in the processor's cache.
pub(super) const FRAME: usize = 256 * 1024;
const MODULUS: u64 = 65521;

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

/// Adler-32 of some bytes, and how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Check {
    adler: u32,
    length: u64,
}

impl Default for Check {
    /// Of no bytes.
    fn default() -> Self {
        Self { adler: 1, length: 0 }
    }
}

impl Check {
    fn of(bytes: &[u8]) -> Self {
        let mut adler = simd_adler32::Adler32::new();
        adler.write(bytes);
        Self { adler: adler.finish(), length: bytes.len() as u64 }
    }

    /// Of these bytes and then `next`. The low half is one more than the sum of
    /// all bytes; the high half adds up every state of the low half.
    pub(super) fn then(self, next: Self) -> Self {
        let halves = |adler: u32| (u64::from(adler & 0xffff), u64::from(adler >> 16));
        let ((low, high), (next_low, next_high)) = (halves(self.adler), halves(next.adler));
        let before = (low + MODULUS - 1) % MODULUS;
        let low = (before + next_low) % MODULUS;
        let high = (high + next_high + before * (next.length % MODULUS)) % MODULUS;
        // Both are below 2^16.
        let adler = u32::try_from(high << 16 | low).unwrap_or_default();
        Self { adler, length: self.length + next.length }
    }
}

/// Makes chunks.
pub(super) struct Coder {
    kind: Kind,
    check: Check,
    /// Compressed bytes of one piece.
    packed: Vec<u8>,
}

enum Kind {
    None,
    Gzip(Compress),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Coder {
    pub(super) fn new(coding: Coding) -> Result<Self, Error> {
        let kind = match coding {
            Coding::None => Kind::None,
            Coding::Gzip(level) => {
                Kind::Gzip(Compress::new(flate2::Compression::new(level.clamp(1, 9)), false))
            }
            Coding::Zstd(level) => {
                let mut compressor = zstd::bulk::Compressor::new(level).map_err(Error::Write)?;
                // pg_restore tells no damage in a frame without a checksum.
                compressor.include_checksum(true).map_err(Error::Write)?;
                Kind::Zstd(compressor)
            }
        };
        Ok(Self { kind, check: Check::default(), packed: Vec::new() })
    }

    /// What an object begins with.
    pub(super) fn open(&mut self, out: &mut Vec<u8>) {
        if let Kind::Gzip(_) = self.kind {
            // Deflate with a window of 32 KiB.
            chunk(out, &[0x78, 0x9c]);
        }
        self.part();
    }

    /// Begin a part of an object that another coder may have begun.
    pub(super) fn part(&mut self) {
        self.check = Check::default();
        if let Kind::Gzip(deflate) = &mut self.kind {
            // What came before is not at hand where this is unpacked alone.
            deflate.reset();
        }
    }

    /// One piece. An empty one makes no chunk.
    pub(super) fn piece(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        if plain.is_empty() {
            return Ok(());
        }
        match &mut self.kind {
            Kind::None => chunk(out, plain),
            Kind::Zstd(zstd) => {
                self.packed.resize(zstd::zstd_safe::compress_bound(plain.len()), 0);
                let length = zstd.compress_to_buffer(plain, &mut self.packed).map_err(Error::Write)?;
                chunk(out, &self.packed[..length]);
            }
            Kind::Gzip(deflate) => {
                self.check = self.check.then(Check::of(plain));
                self.packed.clear();
                pack(deflate, plain, &mut self.packed)?;
                chunk(out, &self.packed);
            }
        }
        Ok(())
    }

    /// Of the pieces since the object or the part was begun.
    pub(super) fn check(&self) -> Check {
        self.check
    }

    /// What an object ends with, whose bytes are all in `check`.
    pub(super) fn close(&self, check: Check, out: &mut Vec<u8>) {
        if let Kind::Gzip(_) = self.kind {
            // An empty last block.
            let mut end = vec![0x03, 0x00];
            end.extend(check.adler.to_be_bytes());
            chunk(out, &end);
        }
        out.extend(int(0));
    }
}

/// Deflate all of a piece, up to a byte's border.
fn pack(deflate: &mut Compress, mut plain: &[u8], packed: &mut Vec<u8>) -> Result<(), Error> {
    loop {
        packed.reserve(plain.len() / 2 + 1024);
        let before = deflate.total_in();
        let status = deflate
            .compress_vec(plain, packed, FlushCompress::Sync)
            .map_err(|error| Error::Write(io::Error::other(error)))?;
        let taken = usize::try_from(deflate.total_in() - before).unwrap_or(usize::MAX);
        plain = plain.get(taken..).unwrap_or_default();
        // A full buffer may hide more.
        if plain.is_empty() && packed.len() < packed.capacity() || status == Status::BufError {
            return Ok(());
        }
    }
}

/// A length and bytes.
pub(super) fn chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    // At most a piece that did not compress: far below 2^31.
    out.extend(int(i64::try_from(bytes.len()).unwrap_or(i64::MAX)));
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    fn bytes_of(mut chunks: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some((head, rest)) = chunks.split_at_checked(5) {
            let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
            if length == 0 {
                break;
            }
            bytes.extend_from_slice(&rest[..length]);
            chunks = &rest[length..];
        }
        bytes
    }

    proptest! {
        #[test]
        fn zlib_streams_are_put_together_from_the_pieces_of_several_hands(
            pieces in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..3000), 0..8),
            level in 1u32..=9,
        ) {
            let mut whole = Coder::new(Coding::Gzip(level)).unwrap();
            let mut out = Vec::new();
            whole.open(&mut out);
            let mut check = whole.check();
            for piece in &pieces {
                let mut hand = Coder::new(Coding::Gzip(level)).unwrap();
                hand.part();
                let (first, second) = piece.split_at(piece.len() / 3);
                hand.piece(first, &mut out).unwrap();
                hand.piece(second, &mut out).unwrap();
                check = check.then(hand.check());
            }
            whole.close(check, &mut out);
            let mut plain = Vec::new();
            flate2::read::ZlibDecoder::new(&bytes_of(&out)[..]).read_to_end(&mut plain).unwrap();
            prop_assert_eq!(plain, pieces.concat());
        }
    }

    #[test]
    fn incompressible_bytes_come_back() {
        let mut state = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(2 * FRAME + 77)
        .collect();
        let mut coder = Coder::new(Coding::Gzip(6)).unwrap();
        let mut out = Vec::new();
        coder.open(&mut out);
        coder.piece(&noise, &mut out).unwrap();
        coder.close(coder.check(), &mut out);
        let mut plain = Vec::new();
        flate2::read::ZlibDecoder::new(&bytes_of(&out)[..]).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, noise);
    }
}
