//! Length and SHA-256 of the bytes that pass, on the plain side and on the
//! stored side of the same stream. The bytes themselves are not changed.
//!
//! Beside them stands a [`Check`], many times quicker, for the one question whether
//! a store gives back what it was handed a moment ago.

use std::io::{self, Read, Write};

use backstop_policy::manifest::Digest;
use sha2::{Digest as _, Sha256};
use twox_hash::xxhash3_128::Hasher;

/// A running tally of bytes that are given to it.
#[derive(Clone, Default)]
pub struct Count {
    bytes: u64,
    hash: Sha256,
}

impl Count {
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    pub fn digest(&self) -> Digest {
        Digest { bytes: self.bytes, sha256: hex::encode(self.hash.clone().finalize()) }
    }
}

/// Length and XXH3-128 of bytes. It tells whatever goes wrong by itself in a store or
/// on the way there. Who forges is no matter of this moment: against them stands the
/// SHA-256 in the manifest.
#[derive(Clone)]
pub struct Check {
    bytes: u64,
    hash: Hasher,
}

impl Default for Check {
    fn default() -> Self {
        Self { bytes: 0, hash: Hasher::new() }
    }
}

impl Check {
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.write(bytes);
    }
}

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.hash.finish_128() == other.hash.finish_128()
    }
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes with {:032x}", self.bytes, self.hash.finish_128())
    }
}

/// Tallies what is read through it.
pub struct Tally<R> {
    inner: R,
    count: Count,
}

impl<R> Tally<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, count: Count::default() }
    }

    /// Of what was read so far.
    pub fn digest(&self) -> Digest {
        self.count.digest()
    }

    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for Tally<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(out)?;
        self.count.add(&out[..length]);
        Ok(length)
    }
}

/// Tallies what is written through it.
pub struct TallyWriter<W> {
    inner: W,
    count: Count,
}

impl<W> TallyWriter<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, count: Count::default() }
    }

    /// Of what was written so far.
    pub fn digest(&self) -> Digest {
        self.count.digest()
    }

    pub fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Write> Write for TallyWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.count.add(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn both_sides_count_what_passes_and_nothing_else() {
        let mut reader = Tally::new(&b"abcdef"[..]);
        let mut three = [0; 3];
        reader.read_exact(&mut three).unwrap();
        assert_eq!(reader.digest(), Digest { bytes: 3, sha256: ABC.into() });

        // A slice takes only what fits: the rest was not written.
        let mut room = [0; 3];
        let mut writer = TallyWriter::new(&mut room[..]);
        assert_eq!(writer.write(b"abcdef").unwrap(), 3);
        assert_eq!(writer.digest(), Digest { bytes: 3, sha256: ABC.into() });
    }

    #[test]
    fn a_check_tells_every_change_whatever_the_pieces() {
        let check = |pieces: &[&[u8]]| {
            let mut check = Check::default();
            for piece in pieces {
                check.add(piece);
            }
            check
        };
        let bytes: Vec<u8> = (0..2000_u32).map(|n| (n % 251) as u8).collect();
        let whole = check(&[&bytes]);
        assert_eq!(whole, check(&[&bytes[..7], &bytes[7..1024], &[], &bytes[1024..]]));
        for at in [0, 1, 999, 1999] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_ne!(whole, check(&[&flipped]), "byte {at}");
        }
        assert_ne!(whole, check(&[&bytes[..1999]]));
        assert_ne!(whole, check(&[&bytes, &[0]]));
        assert_ne!(whole, check(&[&bytes[1000..], &bytes[..1000]]));
    }
}
