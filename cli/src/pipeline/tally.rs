//! Length and SHA-256 of the bytes that pass, on the plain side and on the
//! stored side of the same stream. The bytes themselves are not changed.

use std::io::{self, Read, Write};

use backstop_policy::manifest::Digest;
use sha2::{Digest as _, Sha256};

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
}
