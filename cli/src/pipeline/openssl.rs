//! In only: what `openssl enc -aes-256-cbc` wrote (`Salted__`, eight bytes of
//! salt, CBC blocks with PKCS#7 padding), with `-pbkdf2` or the older
//! derivations. The format says neither how the key was derived nor whether it
//! is the right one: what comes out of the first blocks must look like a dump.
//!
//! There is no MAC. A changed byte goes unseen here, and a cut is seen only when
//! the last block left has no valid padding: what is inside (gzip, zstd, the
//! archive) must notice.

use std::io::{self, Read};

use aes::Aes256;
use cbc::cipher::{BlockDecryptMut, KeyIvInit, generic_array::GenericArray};
use md5::Md5;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256, Sha512};

use super::keys::Keys;
use super::peel::{Layer, fill, looks_like_dump};
use super::{Error, peel};

const BLOCK: usize = 16;
const CHUNK: usize = 64 * 1024;
/// Ciphertext that a guess is judged by.
const SAMPLE: usize = 1024;
/// `openssl enc -pbkdf2` without `-iter` (openssl-enc(1)).
const ITERATIONS: u32 = 10_000;

type Cipher = cbc::Decryptor<Aes256>;

/// How passphrase and salt become key and IV.
#[derive(Debug, Clone, Copy)]
enum Derivation {
    Pbkdf2Sha256(u32),
    Pbkdf2Sha512(u32),
    /// `EVP_BytesToKey`, one round: the default of OpenSSL 1.1 and later.
    Sha256,
    /// The same before OpenSSL 1.1.
    Md5,
}

impl Derivation {
    fn derive(self, passphrase: &[u8], salt: &[u8]) -> [u8; 48] {
        let mut key = [0; 48];
        match self {
            Self::Pbkdf2Sha256(rounds) => pbkdf2::pbkdf2_hmac::<Sha256>(passphrase, salt, rounds, &mut key),
            Self::Pbkdf2Sha512(rounds) => pbkdf2::pbkdf2_hmac::<Sha512>(passphrase, salt, rounds, &mut key),
            Self::Sha256 => bytes_to_key::<Sha256>(passphrase, salt, &mut key),
            Self::Md5 => bytes_to_key::<Md5>(passphrase, salt, &mut key),
        }
        key
    }

    fn cipher(self, passphrase: &[u8], salt: &[u8]) -> Cipher {
        let key = self.derive(passphrase, salt);
        Cipher::new(GenericArray::from_slice(&key[..32]), GenericArray::from_slice(&key[32..]))
    }
}

impl std::fmt::Display for Derivation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pbkdf2Sha256(rounds) => write!(f, "-pbkdf2 -md sha256 -iter {rounds}"),
            Self::Pbkdf2Sha512(rounds) => write!(f, "-pbkdf2 -md sha512 -iter {rounds}"),
            Self::Sha256 => f.write_str("-md sha256"),
            Self::Md5 => f.write_str("-md md5"),
        }
    }
}

/// `EVP_BytesToKey` with a count of one, EVP_BytesToKey(3).
fn bytes_to_key<D: Digest>(passphrase: &[u8], salt: &[u8], key: &mut [u8]) {
    let mut previous = Vec::new();
    for part in key.chunks_mut(<D as Digest>::output_size()) {
        let mut hash = D::new();
        hash.update(&previous);
        hash.update(passphrase);
        hash.update(salt);
        previous = hash.finalize().to_vec();
        part.copy_from_slice(&previous[..part.len()]);
    }
}

pub(super) fn open(
    mut input: impl Read + Send + 'static,
    keys: &Keys,
) -> Result<Box<dyn Read + Send>, Error> {
    let layer = Layer::OpensslEnc;
    let mut head = [0; 16];
    let damaged = |cause| peel::damage(layer, cause);
    if fill(&mut input, &mut head).map_err(damaged)? < head.len() {
        return Err(Error::CutShort { layer });
    }
    let salt = &head[8..];
    let mut sample = vec![0; SAMPLE];
    let length = fill(&mut input, &mut sample).map_err(damaged)?;
    sample.truncate(length);
    let whole = length < SAMPLE;
    if sample.is_empty() || whole && !length.is_multiple_of(BLOCK) {
        return Err(Error::CutShort { layer });
    }
    if keys.passphrases.is_empty() {
        return Err(Error::NeedsPassphrase { layer });
    }
    let derivations: &[Derivation] = match keys.openssl_iterations {
        Some(rounds) => &[Derivation::Pbkdf2Sha256(rounds), Derivation::Pbkdf2Sha512(rounds)],
        None => &[
            Derivation::Sha256,
            Derivation::Md5,
            Derivation::Pbkdf2Sha256(ITERATIONS),
            Derivation::Pbkdf2Sha512(ITERATIONS),
        ],
    };
    for passphrase in &keys.passphrases {
        for derivation in derivations {
            let cipher = derivation.cipher(passphrase.expose_secret().as_bytes(), salt);
            if fits(cipher.clone(), &sample, whole) {
                let input = io::Cursor::new(sample).chain(input);
                return Ok(Box::new(Blocks::new(cipher, input)));
            }
        }
    }
    let tried: Vec<String> = derivations.iter().map(ToString::to_string).collect();
    Err(Error::UnknownDerivation { tried: tried.join(", ") })
}

/// Whether a guess makes sense of the first blocks.
fn fits(mut cipher: Cipher, sample: &[u8], whole: bool) -> bool {
    let mut plain = sample.to_vec();
    decrypt(&mut cipher, &mut plain);
    if !whole {
        return looks_like_dump(&plain);
    }
    // Everything is there, so that the padding can speak too; an empty file is
    // one block of it.
    unpadded(&plain).is_some_and(|length| length == 0 || looks_like_dump(&plain[..length]))
}

/// Whole blocks, in place.
fn decrypt(cipher: &mut Cipher, bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(BLOCK) {
        cipher.decrypt_block_mut(GenericArray::from_mut_slice(block));
    }
}

/// The length without PKCS#7 padding, where it is valid.
fn unpadded(bytes: &[u8]) -> Option<usize> {
    let count = usize::from(*bytes.last()?);
    let length = bytes.len().checked_sub(count)?;
    let valid =
        (1..=BLOCK).contains(&count) && bytes[length..].iter().all(|byte| usize::from(*byte) == count);
    valid.then_some(length)
}

/// The plain bytes, with the last block kept back until it is known to be the last.
struct Blocks<R> {
    cipher: Cipher,
    inner: R,
    buffer: Vec<u8>,
    /// Plain bytes that wait in the buffer.
    ready: std::ops::Range<usize>,
    /// Ciphertext behind them.
    kept: usize,
    ended: bool,
}

impl<R: Read> Blocks<R> {
    fn new(cipher: Cipher, inner: R) -> Self {
        Self { cipher, inner, buffer: vec![0; CHUNK + BLOCK], ready: 0..0, kept: 0, ended: false }
    }

    fn advance(&mut self) -> io::Result<()> {
        let start = self.ready.end;
        self.buffer.copy_within(start..start + self.kept, 0);
        let length = self.kept + fill(&mut self.inner, &mut self.buffer[self.kept..])?;
        self.ended = length < self.buffer.len();
        let cut = || Error::CutShort { layer: Layer::OpensslEnc }.into_io();
        if self.ended {
            if length == 0 || !length.is_multiple_of(BLOCK) {
                return Err(cut());
            }
            decrypt(&mut self.cipher, &mut self.buffer[..length]);
            // A cut and a changed last block look the same here.
            self.ready = 0..unpadded(&self.buffer[..length]).ok_or_else(cut)?;
            self.kept = 0;
        } else {
            decrypt(&mut self.cipher, &mut self.buffer[..length - BLOCK]);
            self.ready = 0..length - BLOCK;
            self.kept = BLOCK;
        }
        Ok(())
    }
}

impl<R: Read> Read for Blocks<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() && !self.ended {
            self.advance()?;
        }
        let length = out.len().min(self.ready.len());
        out[..length].copy_from_slice(&self.buffer[self.ready.start..self.ready.start + length]);
        self.ready.start += length;
        Ok(length)
    }
}
