//! OpenPGP messages (RFC 9580): encrypted to certificates or with a passphrase
//! out, the same in, binary or armored. What is written here is what every
//! GnuPG opens: version 1 integrity-protected data with AES-256, also where a
//! certificate would allow the newer version 2, which GnuPG does not read.
//!
//! Both ways stream. The integrity code stands at a message's very end, so that
//! bytes come out before it is checked: whoever reads must wait for the end, and
//! a failed check is an error there, never an end.

use std::io::{self, BufReader, Read, Write};

use pgp::armor::DearmorOptions;
use pgp::composed::{
    DecryptionOptions, Deserializable, Esk, Message, MessageBuilder, SignedSecretKey, TheRing,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::DataMode;
use pgp::types::{KeyDetails, Password, Seipdv1ReadMode, StringToKey};
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretString};

use super::Error;
use super::age::Cause;
use super::keys::Keys;
use super::peel::{Layer, damage};
use super::replay::Replay;

mod certificate;

pub use certificate::Certificate;

/// Bytes in one part of a message; a power of two (RFC 9580, 4.2.1.4).
const PART: u32 = 128 * 1024;
/// Octet count of the iterated and salted S2K, encoded: 65,011,712 bytes, the
/// most that the format can say.
const S2K_COUNT: u8 = 255;
/// Compression inside a message; gpg writes one.
const MAX_NESTED: usize = 4;

pub(super) const PUBLIC_ARMOR: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const SECRET_ARMOR: &str = "-----BEGIN PGP PRIVATE KEY BLOCK-----";

pub(super) fn encrypt(
    certificates: &[Certificate],
    plain: &mut impl Read,
    stored: &mut impl Write,
) -> Result<(), Cause> {
    let mut builder = MessageBuilder::from_reader("", plain).seipd_v1(OsRng, SymmetricKeyAlgorithm::AES256);
    builder.partial_chunk_size(PART)?;
    for certificate in certificates {
        certificate.add_to(&mut builder)?;
    }
    Ok(builder.to_writer(OsRng, stored)?)
}

pub(super) fn encrypt_with_passphrase(
    passphrase: &SecretString,
    plain: &mut impl Read,
    stored: &mut impl Write,
) -> Result<(), Cause> {
    let mut builder = MessageBuilder::from_reader("", plain).seipd_v1(OsRng, SymmetricKeyAlgorithm::AES256);
    builder.partial_chunk_size(PART)?;
    let s2k = StringToKey::new_iterated(OsRng, HashAlgorithm::Sha256, S2K_COUNT);
    builder.encrypt_with_password(s2k, &password(passphrase))?;
    Ok(builder.to_writer(OsRng, stored)?)
}

/// Decrypt with whichever key fits.
pub(super) fn open(input: &Replay, layer: Layer, keys: &Keys) -> Result<Box<dyn Read + Send>, Error> {
    let begin = || {
        input.rewind();
        parse(input, layer).map_err(|cause| refuse(cause, layer))
    };
    let message = begin()?;
    let Message::Encrypted { esk, .. } = &message else {
        // Signed or only packed: nothing to decrypt.
        let message = unpack(message).map_err(|cause| refuse(cause, layer))?;
        input.commit();
        return Ok(Box::new(message));
    };
    let wanted = Wanted::by(esk, &keys.openpgp);
    let passwords: Vec<Password> = keys.passphrases.iter().map(password).collect();

    if wanted.recipients > 0 && !keys.openpgp.is_empty() {
        let ring = TheRing {
            secret_keys: keys.openpgp.iter().collect(),
            // Keys that are not locked open with the empty one.
            key_passwords: passwords.iter().collect(),
            decrypt_options: options(),
            ..TheRing::default()
        };
        match message.decrypt_the_ring(ring, true) {
            Ok((message, _)) => {
                let message = unpack(message).map_err(|cause| refuse(cause, layer))?;
                input.commit();
                return Ok(Box::new(message));
            }
            Err(pgp::errors::Error::MissingKey) => {}
            Err(cause) => return Err(refuse(cause, layer)),
        }
    }
    if wanted.passphrase {
        for password in &passwords {
            let ring = TheRing {
                message_password: vec![password],
                decrypt_options: options(),
                ..TheRing::default()
            };
            // A wrong passphrase makes a wrong key, which makes nonsense of the
            // first packet: only that tells.
            match begin()?.decrypt_the_ring(ring, true).and_then(|(message, _)| unpack(message)) {
                Ok(message) if makes_sense(&message) => {
                    input.commit();
                    return Ok(Box::new(message));
                }
                Ok(_) => {}
                Err(cause) => {
                    let cause = refuse(cause, layer);
                    if matches!(cause, Error::Unsupported { .. }) {
                        return Err(cause);
                    }
                }
            }
        }
    }
    Err(wanted.refuse(layer, !keys.passphrases.is_empty()))
}

/// Whether literal data is of a kind that somebody writes.
fn makes_sense(message: &Message<'_>) -> bool {
    let known = [DataMode::Binary, DataMode::Text, DataMode::Utf8];
    message.literal_data_header().is_some_and(|header| known.contains(&header.mode()))
}

fn options() -> DecryptionOptions {
    DecryptionOptions::new().set_seipdv1_read_mode(Seipdv1ReadMode::Streaming).enable_gnupg_aead()
}

fn password(passphrase: &SecretString) -> Password {
    Password::from(passphrase.expose_secret())
}

fn parse(input: &Replay, layer: Layer) -> Result<Message<'static>, pgp::errors::Error> {
    let reader = BufReader::with_capacity(64 * 1024, input.clone());
    if layer == Layer::OpenpgpArmored {
        let options = DearmorOptions::new().set_limit(64 * 1024);
        Ok(Message::from_armor_with_options(reader, options)?.0)
    } else {
        Message::from_bytes(reader)
    }
}

/// Down to the literal data, through compression and signatures. A signature is
/// not checked: the manifest's digests say whether an artifact is the right one.
fn unpack(mut message: Message<'static>) -> Result<Message<'static>, pgp::errors::Error> {
    for _ in 0..MAX_NESTED {
        if !message.is_compressed() && !message.is_signed() {
            break;
        }
        message = message.decompress()?;
    }
    if message.is_encrypted() || message.is_compressed() {
        return Err(io::Error::other("its packets are nested in an unusual way").into());
    }
    Ok(message)
}

fn refuse(cause: pgp::errors::Error, layer: Layer) -> Error {
    match cause {
        pgp::errors::Error::IO { source, .. } if source.to_string().contains("BZip2") => Error::Unsupported {
            what: "OpenPGP data that was compressed with bzip2",
            by_hand: "gpg --decrypt FILE",
        },
        pgp::errors::Error::IO { source, .. } => damage(layer, source),
        cause => damage(layer, io::Error::other(cause)),
    }
}

/// What an encrypted message asks for.
struct Wanted {
    recipients: usize,
    /// Key IDs, 16 hexadecimal digits each.
    ids: Vec<String>,
    passphrase: bool,
    /// A given key it is for; when that does not open it, it is locked.
    ours: Option<String>,
}

impl Wanted {
    fn by(esk: &[Esk], keys: &[SignedSecretKey]) -> Self {
        let mut wanted = Self { recipients: 0, ids: Vec::new(), passphrase: false, ours: None };
        for esk in esk {
            let Esk::PublicKeyEncryptedSessionKey(packet) = esk else {
                wanted.passphrase = true;
                continue;
            };
            wanted.recipients += 1;
            let id = match (packet.id(), packet.fingerprint()) {
                (Ok(id), _) if !id.is_wildcard() => id.to_string().to_uppercase(),
                (_, Ok(Some(fingerprint))) => format!("{fingerprint:X}"),
                _ => "a hidden recipient".to_owned(),
            };
            if id.starts_with(|first: char| first.is_ascii_hexdigit()) && !id.contains(' ') {
                let fits = |key: &&SignedSecretKey| {
                    packet.match_identity(key.primary_key.public_key())
                        || key.secret_subkeys.iter().any(|sub| packet.match_identity(sub.key.public_key()))
                };
                wanted.ours = wanted.ours.or_else(|| {
                    keys.iter().find(fits).map(|key| format!("{:X}", key.primary_key.fingerprint()))
                });
            }
            wanted.ids.push(id);
        }
        wanted
    }

    fn refuse(self, layer: Layer, passphrase_given: bool) -> Error {
        match (self.ours, self.recipients > 0) {
            (Some(name), _) if passphrase_given => Error::IdentityPassphrase { name },
            (Some(name), _) => Error::LockedIdentity { name },
            (None, true) => Error::NoMatchingKey { layer, recipients: self.ids.join(", ") },
            (None, false) if passphrase_given => Error::WrongPassphrase { layer },
            (None, false) => Error::NeedsPassphrase { layer },
        }
    }
}

/// An OpenPGP secret key, armored or binary.
pub(super) fn is_secret(bytes: &[u8]) -> bool {
    starts_with_packet(bytes, 5) || bytes.trim_ascii_start().starts_with(SECRET_ARMOR.as_bytes())
}

/// An OpenPGP certificate, armored or binary.
pub(super) fn is_public(bytes: &[u8]) -> bool {
    starts_with_packet(bytes, 6) || bytes.trim_ascii_start().starts_with(PUBLIC_ARMOR.as_bytes())
}

/// Whether the first byte is the header of a packet of this type, in the old or
/// the new format (RFC 9580, 4.2).
fn starts_with_packet(bytes: &[u8], packet: u8) -> bool {
    bytes.first().is_some_and(|first| *first == 0xC0 | packet || *first & 0xFC == 0x80 | packet << 2)
}

pub(super) fn read_secret_keys(name: &str, bytes: &[u8]) -> Result<Vec<SignedSecretKey>, Error> {
    let bad =
        |cause: pgp::errors::Error| Error::BadIdentity { name: name.to_owned(), reason: cause.to_string() };
    let mut keys = Vec::new();
    for block in blocks(bytes, SECRET_ARMOR) {
        let (found, _) = SignedSecretKey::from_reader_many(block).map_err(bad)?;
        for key in found {
            keys.push(key.map_err(bad)?);
        }
    }
    Ok(keys)
}

/// Armored keys that were written one after the other; binary ones need no cut.
fn blocks<'a>(bytes: &'a [u8], begin: &str) -> Vec<&'a [u8]> {
    let starts: Vec<usize> =
        (0..bytes.len()).filter(|start| bytes[*start..].starts_with(begin.as_bytes())).collect();
    if starts.is_empty() {
        return vec![bytes];
    }
    let ends = starts.iter().skip(1).copied().chain(std::iter::once(bytes.len()));
    starts.iter().zip(ends).map(|(start, end)| &bytes[*start..end]).collect()
}
