//! The age format, <https://c2sp.org/age>: X25519 recipients or one passphrase
//! out, the same in, binary or armored. What is written here opens with stock
//! `age -d`, and the other way round.

use std::io::{self, BufRead, BufReader, Read, Write};

use ::age::armor::ArmoredReader;
use ::age::secrecy::{ExposeSecret, SecretString};
use ::age::{DecryptError, Decryptor, Encryptor, Identity, Recipient, scrypt, x25519};
use jiff::Timestamp;

use super::keys::Keys;
use super::peel::{Layer, damage};
use super::replay::Replay;
use super::{Error, keys};

/// Bytes read at once from a source.
const BUFFER: usize = 128 * 1024;

/// scrypt rounds (as a power of two) that a passphrase costs: 64 MiB of memory
/// and a quarter of a second. Stock age takes 2^18, whose 256 MiB would be the
/// largest allocation of a whole backup, for two bits of strength.
const WORK: u8 = 16;

/// What a file may ask for before its passphrase is tried: 1 GiB of memory.
const MAX_WORK: u8 = 20;

/// Longer lines are no armor; without a limit, one could fill the memory.
const MAX_LINE: usize = 1024;

pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn encrypt(
    recipients: &[x25519::Recipient],
    plain: &mut impl Read,
    stored: &mut impl Write,
) -> Result<(), Cause> {
    let encryptor = Encryptor::with_recipients(recipients.iter().map(|r| r as &dyn Recipient))?;
    write(encryptor, plain, stored)
}

pub(super) fn encrypt_with_passphrase(
    passphrase: &SecretString,
    plain: &mut impl Read,
    stored: &mut impl Write,
) -> Result<(), Cause> {
    let mut recipient = scrypt::Recipient::new(passphrase.clone());
    recipient.set_work_factor(WORK);
    write(Encryptor::with_recipients(std::iter::once(&recipient as &dyn Recipient))?, plain, stored)
}

fn write(encryptor: Encryptor, plain: &mut impl Read, stored: &mut impl Write) -> Result<(), Cause> {
    let mut writer = encryptor.wrap_output(stored)?;
    copy(plain, &mut writer)?;
    // Writes the last chunk, without which the file counts as truncated.
    writer.finish()?;
    Ok(())
}

/// `io::copy` with a buffer worth a system call.
pub(super) fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(&buffer[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Decrypt with whichever key fits.
pub(super) fn open(input: &Replay, layer: Layer, keys: &Keys) -> Result<Box<dyn Read + Send>, Error> {
    let begin = || {
        input.rewind();
        Decryptor::new_buffered(decode(input, layer)).map_err(|cause| refuse(cause, layer))
    };
    let decryptor = begin()?;
    if decryptor.is_scrypt() {
        if keys.passphrases.is_empty() {
            return Err(Error::NeedsPassphrase { layer });
        }
        for passphrase in &keys.passphrases {
            let mut identity = scrypt::Identity::new(passphrase.clone());
            identity.set_max_work_factor(MAX_WORK);
            match begin()?.decrypt(std::iter::once(&identity as &dyn Identity)) {
                Ok(reader) => {
                    input.commit();
                    return Ok(Box::new(reader));
                }
                Err(DecryptError::DecryptionFailed) => {}
                Err(cause) => return Err(refuse(cause, layer)),
            }
        }
        return Err(Error::WrongPassphrase { layer });
    }
    match decryptor.decrypt(keys.age.iter().map(|identity| identity as &dyn Identity)) {
        Ok(reader) => {
            input.commit();
            Ok(Box::new(reader))
        }
        Err(DecryptError::NoMatchingKeys) => {
            input.rewind();
            Err(Error::NoMatchingKey { layer, recipients: recipients(decode(input, layer)) })
        }
        Err(cause) => Err(refuse(cause, layer)),
    }
}

fn decode(input: &Replay, layer: Layer) -> Box<dyn BufRead + Send> {
    if layer == Layer::AgeArmored {
        let lines = ShortLines { inner: input.clone(), length: 0 };
        Box::new(BufReader::with_capacity(64 * 1024, ArmoredReader::new(lines)))
    } else {
        Box::new(BufReader::with_capacity(64 * 1024, input.clone()))
    }
}

fn refuse(cause: DecryptError, layer: Layer) -> Error {
    match cause {
        DecryptError::ExcessiveWork { required, .. } => {
            Error::TooMuchWork { log_n: required, limit: MAX_WORK }
        }
        DecryptError::Io(cause) => damage(layer, cause),
        DecryptError::InvalidHeader => damage(layer, io::Error::other("its header is not valid")),
        DecryptError::InvalidMac => damage(layer, io::Error::other("its header was changed")),
        DecryptError::UnknownFormat => damage(layer, io::Error::other("it is a newer version of the format")),
        cause => damage(layer, io::Error::other(cause.to_string())),
    }
}

/// For whom a file is, as far as its header tells: age does not name X25519
/// recipients, so their number must do.
fn recipients(mut header: impl BufRead) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        match header.read_line(&mut line) {
            Ok(length) if length > 0 && !line.starts_with("---") => {}
            _ => break,
        }
        let Some(kind) = line.strip_prefix("-> ").and_then(|rest| rest.split_whitespace().next()) else {
            continue;
        };
        // A stanza of a random kind is there to keep readers tolerant.
        let kind = if kind.ends_with("-grease") { continue } else { kind.escape_debug().to_string() };
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(kind, count)| format!("{count} {kind} recipient{}", if count == 1 { "" } else { "s" }))
        .collect();
    if kinds.is_empty() { "nobody".to_owned() } else { kinds.join(" and ") }
}

/// Refuses lines that are too long for armor.
struct ShortLines<R> {
    inner: R,
    length: usize,
}

impl<R: Read> Read for ShortLines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let room = out.len().min(MAX_LINE);
        let length = self.inner.read(&mut out[..room])?;
        self.length = match out[..length].iter().rposition(|byte| *byte == b'\n') {
            Some(last) => length - last - 1,
            None => self.length + length,
        };
        if self.length > MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of the armor does not end"));
        }
        Ok(length)
    }
}

/// A new identity as the text of its file, in the layout of `age-keygen`, and
/// its recipient. With a passphrase the text is itself armored age.
pub fn generate_identity(passphrase: Option<&SecretString>) -> Result<(SecretString, String), Error> {
    let identity = x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let text = SecretString::from(format!(
        "# created: {}\n# public key: {recipient}\n{}\n",
        Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        identity.to_string().expose_secret(),
    ));
    let Some(passphrase) = passphrase else { return Ok((text, recipient)) };
    let armored = keys::armor(|writer| {
        encrypt_with_passphrase(passphrase, &mut text.expose_secret().as_bytes(), writer)
    })
    .map_err(Error::Encrypt)?;
    Ok((armored.into(), recipient))
}
