//! The archive's primitives: bytes flow in from any reader; integers and strings
//! flow out, each with the position at which it was read. A claimed length grows
//! a buffer only as fast as its bytes arrive.

use std::io::{self, Read};

use super::Error;

/// A table of contents that is larger than this is not one: 5,000 tables take
/// about 5 MB, and all of it is held in memory.
const MAX_KEPT: usize = 1 << 30;
/// Bytes that a string's buffer grows by before more of it was read.
const STEP: usize = 64 * 1024;

pub(super) struct Input<R> {
    reader: R,
    /// Bytes read since the start of the archive.
    position: u64,
    /// What was read, while it is kept.
    kept: Option<Vec<u8>>,
}

impl<R: Read> Input<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, position: 0, kept: None }
    }

    /// Go on at a position of the archive.
    pub(super) fn at(reader: R, position: u64) -> Self {
        Self { position, ..Self::new(reader) }
    }

    /// What it reads from, with what was read ahead.
    pub(super) fn into_inner(self) -> R {
        self.reader
    }

    /// Keep what is read from now on.
    pub(super) fn keep(&mut self) {
        self.kept = Some(Vec::new());
    }

    /// Stop keeping; yields what was kept.
    pub(super) fn kept(&mut self) -> Vec<u8> {
        self.kept.take().unwrap_or_default()
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Read some bytes; 0 is the end.
    pub(super) fn some(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.reader.read(out) {
                Ok(length) => {
                    self.position += length as u64;
                    if let Some(kept) = &mut self.kept {
                        if kept.len() + length > MAX_KEPT {
                            return Err(self.damaged("its table of contents is larger than 1 GiB"));
                        }
                        kept.extend_from_slice(&out[..length]);
                    }
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Read(error)),
            }
        }
    }

    /// Fill `out`; the end before that is an archive that was cut short.
    pub(super) fn exact(&mut self, out: &mut [u8], reading: &str) -> Result<(), Error> {
        let mut filled = 0;
        while filled < out.len() {
            match self.some(&mut out[filled..])? {
                0 => return Err(self.cut_short(reading)),
                length => filled += length,
            }
        }
        Ok(())
    }

    /// One byte, or `None` at the end.
    pub(super) fn byte_or_end(&mut self) -> Result<Option<u8>, Error> {
        let mut byte = [0];
        Ok((self.some(&mut byte)? == 1).then_some(byte[0]))
    }

    pub(super) fn byte(&mut self, reading: &str) -> Result<u8, Error> {
        self.byte_or_end()?.ok_or_else(|| self.cut_short(reading))
    }

    /// A sign byte and four bytes, little endian.
    pub(super) fn int(&mut self, reading: &str) -> Result<i64, Error> {
        let mut bytes = [0; 5];
        self.exact(&mut bytes, reading)?;
        let [sign, a, b, c, d] = bytes;
        let magnitude = i64::from(u32::from_le_bytes([a, b, c, d]));
        match sign {
            0 => Ok(magnitude),
            1 => Ok(-magnitude),
            _ => Err(self.damaged(format!("byte {sign} where a sign belongs, in {reading}"))),
        }
    }

    /// A length and that many bytes; `None` for a NULL (length -1).
    pub(super) fn string(&mut self, reading: &str) -> Result<Option<Vec<u8>>, Error> {
        let length = match self.int(reading)? {
            -1 => return Ok(None),
            length => usize::try_from(length)
                .map_err(|_| self.damaged(format!("length {length} of a string, in {reading}")))?,
        };
        let mut text = Vec::new();
        while text.len() < length {
            let start = text.len();
            text.resize(length.min(start + STEP), 0);
            self.exact(&mut text[start..], reading)?;
        }
        Ok(Some(text))
    }

    pub(super) fn cut_short(&self, reading: &str) -> Error {
        Error::CutShort { at: self.position, reading: reading.to_owned() }
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> Error {
        Error::Damaged { at: self.position, what: what.into() }
    }
}
