//! In: whatever a backup is wrapped in (age, OpenPGP, `openssl enc`, gzip, zstd,
//! lz4, in any order) is recognised by its first bytes and peeled off, layer by
//! layer, until something else comes.
//!
//! The end of what is read is said only where every layer said its own: a cut,
//! a changed byte or something behind the end is an error. An error of the
//! source itself comes through as it is, whatever the layers make of it.

use std::fmt;
use std::io::{self, BufReader, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::keys::Keys;
use super::replay::Replay;
use super::{Error, age, openpgp, openssl};

mod unpack;

/// More layers than anybody wraps around a dump.
const MAX_LAYERS: usize = 8;
/// Bytes that every kind shows itself in.
const HEAD: usize = 512;

/// One wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    Age,
    AgeArmored,
    Openpgp,
    OpenpgpArmored,
    /// `openssl enc -aes-256-cbc`: secret, but without integrity.
    OpensslEnc,
    Gzip,
    Zstd,
    Lz4,
}

impl Layer {
    /// Recognise a layer by the first bytes.
    pub fn of(head: &[u8]) -> Option<Self> {
        let layer = match head {
            [0x1F, 0x8B, 8, ..] => Self::Gzip,
            // A frame, or a skippable frame as pzstd writes first.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Zstd,
            [0x04, 0x22, 0x4D, 0x18, ..] => Self::Lz4,
            _ if head.starts_with(b"age-encryption.org/v1\n") => Self::Age,
            _ if head.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") => Self::AgeArmored,
            _ if head.starts_with(b"-----BEGIN PGP MESSAGE-----") => Self::OpenpgpArmored,
            _ if head.starts_with(b"Salted__") => Self::OpensslEnc,
            _ if is_openpgp(head) => Self::Openpgp,
            _ => return None,
        };
        Some(layer)
    }

    /// Whether a key is needed to peel it.
    pub fn is_encryption(self) -> bool {
        !matches!(self, Self::Gzip | Self::Zstd | Self::Lz4)
    }

    pub fn is_openpgp(self) -> bool {
        matches!(self, Self::Openpgp | Self::OpenpgpArmored)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Age | Self::AgeArmored => "age",
            Self::Openpgp | Self::OpenpgpArmored => "OpenPGP",
            Self::OpensslEnc => "openssl",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        })
    }
}

/// The first packet of an encrypted message, with its version (RFC 9580, 4.2 and 5).
fn is_openpgp(head: &[u8]) -> bool {
    let [first, length, ..] = *head else { return false };
    let (tag, header) = match first {
        0xC0..=0xFF => (
            first & 0x3F,
            match length {
                0..=191 | 224..=254 => 2,
                192..=223 => 3,
                255 => 6,
            },
        ),
        0x80..=0xBF => (
            first >> 2 & 0xF,
            match first & 3 {
                0 => 2,
                1 => 3,
                2 => 5,
                _ => 1,
            },
        ),
        _ => return false,
    };
    match (tag, head.get(header)) {
        (1, Some(3 | 6)) | (3, Some(4..=6)) | (18, Some(1 | 2)) => true,
        // AES keys only, and one of the three AEAD modes: a packet of GnuPG's own.
        (20, Some(1)) => head.get(header + 1).is_some_and(|cipher| (7..=9).contains(cipher)),
        _ => false,
    }
}

/// Wrappings that are named but not read.
fn unsupported(head: &[u8]) -> Option<Error> {
    let (what, by_hand) = match head {
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => ("compressed with xz", "xz -dc FILE"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => {
            ("compressed with bzip2", "bzip2 -dc FILE")
        }
        [b'P', b'K', 3, 4, ..] => ("a zip file", "unzip -p FILE"),
        [0x02, 0x21, 0x4C, 0x18, ..] => ("an lz4 file of the legacy format", "lz4 -dc FILE"),
        _ if head.starts_with(b"U2FsdGVkX1") => ("openssl data in base64", "openssl base64 -d -in FILE"),
        _ => return None,
    };
    Some(Error::Unsupported { what, by_hand })
}

/// Whether bytes begin as a dump does, wrapped or not: an archive, a tar file, or
/// the text of SQL.
pub(super) fn looks_like_dump(head: &[u8]) -> bool {
    let head = &head[..head.len().min(HEAD)];
    if head.starts_with(b"PGDMP") || head.get(257..262) == Some(b"ustar") {
        return true;
    }
    if Layer::of(head).is_some_and(|layer| layer != Layer::Openpgp) || unsupported(head).is_some() {
        return true;
    }
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let printable = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C | 0x20..=0x7E);
    !text.is_empty()
        && text.iter().take(16).all(printable)
        && text.iter().all(|byte| printable(byte) || *byte >= 0x80)
}

/// What was inside, and what it was wrapped in, outermost first.
pub struct Opened {
    pub layers: Vec<Layer>,
    reader: Box<dyn Read + Send>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("layers", &self.layers).finish_non_exhaustive()
    }
}

impl Read for Opened {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.reader.read(out)
    }
}

/// Peel every layer. Reads the first bytes at once, so it belongs on a blocking
/// thread, as does the reading of the result.
pub fn open(reader: impl Read + Send + 'static, keys: &Keys) -> Result<Opened, Error> {
    let mut reader: Box<dyn Read + Send> = Box::new(reader);
    let mut layers = Vec::new();
    loop {
        let mut head = vec![0; HEAD];
        let length = fill(&mut reader, &mut head).map_err(unwrap)?;
        head.truncate(length);
        let found = Layer::of(&head);
        let refused = unsupported(&head);
        reader = Box::new(Cursor::new(head).chain(reader));
        if let Some(refused) = refused {
            return Err(refused);
        }
        let Some(layer) = found else { return Ok(Opened { layers, reader }) };
        if layers.len() == MAX_LAYERS {
            return Err(Error::TooManyLayers { limit: MAX_LAYERS });
        }
        reader = Box::new(peel(layer, reader, keys)?);
        layers.push(layer);
    }
}

fn peel(layer: Layer, reader: Box<dyn Read + Send>, keys: &Keys) -> Result<Peeled, Error> {
    let fault = Fault::default();
    let input = Watched { inner: reader, fault: fault.clone() };
    let decoder = catch_unwind(AssertUnwindSafe(|| -> Result<Box<dyn Read + Send>, Error> {
        Ok(match layer {
            Layer::Age | Layer::AgeArmored => age::open(&Replay::new(input), layer, keys)?,
            Layer::Openpgp | Layer::OpenpgpArmored => openpgp::open(&Replay::new(input), layer, keys)?,
            Layer::OpensslEnc => openssl::open(input, keys)?,
            Layer::Gzip => Box::new(unpack::gzip(buffered(input))),
            Layer::Zstd => Box::new(unpack::zstd(buffered(input)).map_err(|cause| damage(layer, cause))?),
            Layer::Lz4 => Box::new(unpack::lz4(buffered(input))),
        })
    }))
    .unwrap_or_else(|_| Err(damage(layer, io::Error::other("it makes no sense"))));
    // A fault that the decoder swallowed or wrapped is none the less the reason.
    if let Some(cause) = fault.take() {
        return Err(unwrap(cause));
    }
    Ok(Peeled { decoder: decoder?, layer, fault, state: State::Going })
}

fn buffered(input: Watched) -> BufReader<Watched> {
    BufReader::with_capacity(64 * 1024, input)
}

/// One layer's plain side. Once it failed it fails for ever, and once it ended
/// its decoder is not asked again.
struct Peeled {
    decoder: Box<dyn Read + Send>,
    layer: Layer,
    fault: Fault,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Going,
    Ended,
    Failed,
}

impl Read for Peeled {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.state {
            State::Ended => return Ok(0),
            State::Failed => {
                return Err(damage(self.layer, io::Error::other("it failed before")).into_io());
            }
            State::Going if out.is_empty() => return Ok(0),
            State::Going => {}
        }
        // Decoders of foreign bytes assert here and there; to a reader that is
        // damage like any other.
        let result = catch_unwind(AssertUnwindSafe(|| self.decoder.read(out)))
            .unwrap_or_else(|_| Err(io::Error::other("it makes no sense")));
        let error = match (result, self.fault.take()) {
            (Ok(length), None) => {
                if length == 0 {
                    self.state = State::Ended;
                }
                return Ok(length);
            }
            (_, Some(cause)) => cause,
            (Err(error), None) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            (Err(error), None) => damage(self.layer, error).into_io(),
        };
        self.state = State::Failed;
        Err(error)
    }
}

/// What a decoder's I/O error means for its layer.
pub(super) fn damage(layer: Layer, cause: io::Error) -> Error {
    if cause.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Error>) {
        return unwrap(cause);
    }
    if cause.kind() == io::ErrorKind::UnexpectedEof {
        return Error::CutShort { layer };
    }
    Error::Damaged { layer, source: cause.into() }
}

/// A pipeline error that travelled through a reader, or what the source said.
fn unwrap(cause: io::Error) -> Error {
    match cause.downcast::<Error>() {
        Ok(error) => error,
        Err(cause) => Error::Read(cause),
    }
}

/// Where a layer's input leaves its error, so that no decoder can lose it.
#[derive(Clone, Default)]
struct Fault(Arc<Mutex<Option<io::Error>>>);

impl Fault {
    fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// A layer's input.
struct Watched {
    inner: Box<dyn Read + Send>,
    fault: Fault,
}

impl Read for Watched {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let error = match self.inner.read(out) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => error,
            result => return result,
        };
        self.fault.set(error);
        // Not the same kind: an early end must not look like a cut to a decoder.
        Err(io::Error::other("the input failed"))
    }
}

/// Read until `out` is full or the input ends.
pub(super) fn fill(reader: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < out.len() {
        match reader.read(&mut out[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests;
