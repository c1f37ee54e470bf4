//! Who can open an artifact ([`Encryption`], public keys or a passphrase) and
//! what opens one ([`Keys`], identities and passphrases), from what a user gives.
//! Public keys are checked here, once, before any byte is dumped.

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use ::age::armor::{ArmoredWriter, Format};
use ::age::x25519;
use backstop_policy::manifest;
use pgp::composed::SignedSecretKey;
use secrecy::SecretString;

use super::age::Cause;
use super::openpgp::{self, Certificate};
use super::{Error, age, peel};

/// No key file is larger; a dump given by mistake is not read whole.
const MAX_KEY_FILE: u64 = 1024 * 1024;

/// Who will be able to open the artifact.
#[derive(Clone)]
pub enum Encryption {
    None,
    /// Any one of them opens it.
    Age(Vec<x25519::Recipient>),
    AgePassphrase(SecretString),
    /// Any one of them opens it.
    Openpgp(Vec<Certificate>),
    OpenpgpPassphrase(SecretString),
}

impl Encryption {
    /// From recipients as a configuration gives them: `age1…`, a path to a file
    /// of age recipients (one a line, `#` comments), a path to an OpenPGP
    /// certificate, or the armored certificate itself. Several of one kind; no
    /// recipients at all are [`Encryption::None`].
    pub fn from_recipients(recipients: &[String]) -> Result<Self, Error> {
        let mut found = Found::default();
        for (index, recipient) in recipients.iter().enumerate() {
            found.add(recipient.trim(), index + 1)?;
        }
        match (found.age.is_empty(), found.openpgp.is_empty()) {
            (true, true) => Ok(Self::None),
            (false, true) => Ok(Self::Age(found.age)),
            (true, false) => Ok(Self::Openpgp(found.openpgp)),
            (false, false) => Err(Error::MixedRecipients),
        }
    }

    /// The public part, for the manifest.
    pub fn record(&self) -> manifest::Encryption {
        match self {
            Self::None => manifest::Encryption::None,
            Self::Age(recipients) => {
                manifest::Encryption::Age { recipients: recipients.iter().map(ToString::to_string).collect() }
            }
            Self::AgePassphrase(_) => manifest::Encryption::AgePassphrase,
            Self::Openpgp(certificates) => manifest::Encryption::Openpgp {
                recipients: certificates.iter().map(|each| each.fingerprint().to_owned()).collect(),
            },
            Self::OpenpgpPassphrase(_) => manifest::Encryption::OpenpgpPassphrase,
        }
    }

    /// Pull everything from `plain` and write it encrypted, whole with its end.
    pub(super) fn encrypt(&self, plain: &mut impl Read, stored: &mut impl Write) -> Result<(), Cause> {
        match self {
            Self::None => Ok(age::copy(plain, stored)?),
            Self::Age(recipients) => age::encrypt(recipients, plain, stored),
            Self::AgePassphrase(passphrase) => age::encrypt_with_passphrase(passphrase, plain, stored),
            Self::Openpgp(certificates) => openpgp::encrypt(certificates, plain, stored),
            Self::OpenpgpPassphrase(passphrase) => {
                openpgp::encrypt_with_passphrase(passphrase, plain, stored)
            }
        }
    }
}

impl fmt::Debug for Encryption {
    /// What the manifest says: public parts only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record().fmt(f)
    }
}

#[derive(Default)]
struct Found {
    age: Vec<x25519::Recipient>,
    openpgp: Vec<Certificate>,
}

impl Found {
    fn add(&mut self, given: &str, position: usize) -> Result<(), Error> {
        if is_private(given.as_bytes()) {
            return Err(Error::PrivateRecipient { place: format!("recipient {position}") });
        }
        if is_age_recipient(given) {
            return self.add_age(given);
        }
        if is_ssh(given.as_bytes()) {
            return Err(Error::SshRecipient { recipient: first_words(given) });
        }
        if given.starts_with(openpgp::PUBLIC_ARMOR) {
            return self.add_certificates(&format!("recipient {position}"), given.as_bytes());
        }
        let path = Path::new(given);
        // What neither exists nor looks like a path is not shown.
        if given.is_empty() || !(path.exists() || given.contains(['/', '.']) && !given.contains('\n')) {
            return Err(Error::UnknownRecipient { position });
        }
        self.add_file(path)
    }

    fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let bytes = read_key_file(path)?;
        if is_private(&bytes) {
            return Err(Error::PrivateRecipient { place: format!("'{}'", path.display()) });
        }
        if openpgp::is_public(&bytes) {
            return self.add_certificates(&format!("'{}'", path.display()), &bytes);
        }
        let no_recipient = || Error::NoRecipient { path: path.to_owned() };
        let text = std::str::from_utf8(&bytes).map_err(|_| no_recipient())?;
        let before = self.age.len();
        let mut lines = 0;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            lines += 1;
            if is_ssh(line.as_bytes()) {
                return Err(Error::SshRecipient { recipient: first_words(line) });
            }
            if !is_age_recipient(line) {
                return Err(no_recipient());
            }
            self.add_age(line)?;
        }
        // One that was named before is there already; an empty file is an error.
        if lines == 0 && self.age.len() == before {
            return Err(no_recipient());
        }
        Ok(())
    }

    fn add_age(&mut self, text: &str) -> Result<(), Error> {
        let recipient: x25519::Recipient = text.parse().map_err(|reason: &str| Error::BadRecipient {
            recipient: text.to_owned(),
            reason: if text.starts_with("age1") && text.len() > 70 {
                "only X25519 recipients (`age1` and 58 more characters) are written".to_owned()
            } else {
                reason.to_owned()
            },
        })?;
        if !self.age.contains(&recipient) {
            self.age.push(recipient);
        }
        Ok(())
    }

    fn add_certificates(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        for certificate in Certificate::read(name, bytes)? {
            if !self.openpgp.iter().any(|known| known.fingerprint() == certificate.fingerprint()) {
                self.openpgp.push(certificate);
            }
        }
        Ok(())
    }
}

/// What the way in may need. `Default` is no key at all, which opens whatever
/// is not encrypted.
#[derive(Clone, Default)]
pub struct Keys {
    pub(super) age: Vec<x25519::Identity>,
    pub(super) openpgp: Vec<SignedSecretKey>,
    pub(super) passphrases: Vec<SecretString>,
    pub(super) openssl_iterations: Option<u32>,
}

impl Keys {
    /// A passphrase: of an artifact, of an identity file, or of an OpenPGP key.
    /// Add passphrases before the identity files that they unlock.
    pub fn add_passphrase(&mut self, passphrase: SecretString) {
        self.passphrases.push(passphrase);
    }

    /// For `openssl enc -pbkdf2 -iter N` with another N than 10,000.
    pub fn set_openssl_iterations(&mut self, iterations: u32) {
        self.openssl_iterations = Some(iterations);
    }

    /// Age identities or OpenPGP secret keys from a file.
    pub fn add_identity_file(&mut self, path: &Path) -> Result<(), Error> {
        let bytes = read_key_file(path)?;
        self.add_identity(&path.display().to_string(), &bytes)
    }

    /// Age identities or OpenPGP secret keys as they lie in a file; `name` stands
    /// for them in errors. A file that is itself encrypted with a passphrase is
    /// opened with those already added.
    pub fn add_identity(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let bad = |reason: &str| Error::BadIdentity { name: name.to_owned(), reason: reason.to_owned() };
        if is_ssh(bytes) {
            return Err(Error::SshIdentity { name: name.to_owned() });
        }
        if openpgp::is_secret(bytes) {
            self.openpgp.extend(openpgp::read_secret_keys(name, bytes)?);
            return Ok(());
        }
        if openpgp::is_public(bytes) {
            return Err(bad("it holds an OpenPGP certificate, which is the public part"));
        }
        if peel::Layer::of(bytes).is_some() {
            return self.add_locked(name, bytes);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| bad("it is not text"))?;
        let before = self.age.len();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // Never quote a line: it may be a key with a typing error.
            let identity = line.parse().map_err(|_| {
                let upper = line.to_ascii_uppercase();
                let reason = if upper.starts_with("AGE-PLUGIN-") {
                    "it is for an age plugin; only keys in a file are read"
                } else if upper.starts_with("AGE-SECRET-KEY-PQ-") {
                    "it is a post-quantum age identity; only X25519 ones are read"
                } else if is_age_recipient(line) {
                    "it holds a recipient, which is the public part"
                } else {
                    return bad(&format!("line {number} is not an age identity"));
                };
                bad(reason)
            })?;
            self.age.push(identity);
        }
        if self.age.len() == before {
            return Err(bad("it is empty"));
        }
        Ok(())
    }

    /// Whether there is nothing to open an encrypted artifact with.
    pub fn is_empty(&self) -> bool {
        self.age.is_empty() && self.openpgp.is_empty() && self.passphrases.is_empty()
    }

    /// The recipients of the age identities, in their order.
    pub fn recipients(&self) -> Vec<String> {
        self.age.iter().map(|identity| identity.to_public().to_string()).collect()
    }

    fn add_locked(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let name = || name.to_owned();
        let only_passphrases = Self { passphrases: self.passphrases.clone(), ..Self::default() };
        let opened = match peel::open(std::io::Cursor::new(bytes.to_vec()), &only_passphrases) {
            Err(Error::NeedsPassphrase { .. }) => return Err(Error::LockedIdentity { name: name() }),
            Err(Error::WrongPassphrase { .. } | Error::UnknownDerivation { .. }) => {
                return Err(Error::IdentityPassphrase { name: name() });
            }
            opened => opened?,
        };
        let mut inner = Vec::new();
        opened.take(MAX_KEY_FILE).read_to_end(&mut inner).map_err(Error::Read)?;
        if peel::Layer::of(&inner).is_some_and(|layer| !layer.is_openpgp()) {
            return Err(Error::BadIdentity { name: name(), reason: "it is wrapped too often".to_owned() });
        }
        self.add_identity(&name(), &inner)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("age", &self.age.len())
            .field("openpgp", &self.openpgp.len())
            .field("passphrases", &self.passphrases.len())
            .finish_non_exhaustive()
    }
}

fn read_key_file(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::KeyFile { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_KEY_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_KEY_FILE {
        return Err(failed(std::io::Error::other("it is too large to be a key")));
    }
    Ok(bytes)
}

/// Text of an armored age file that `write` fills.
pub(super) fn armor(
    write: impl FnOnce(&mut ArmoredWriter<Vec<u8>>) -> Result<(), Cause>,
) -> Result<String, Cause> {
    let mut writer = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
    write(&mut writer)?;
    Ok(String::from_utf8(writer.finish()?)?)
}

fn is_age_recipient(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("age1"))
}

fn is_private(bytes: &[u8]) -> bool {
    let contains = |needle: &[u8]| bytes.windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle));
    contains(b"AGE-SECRET-KEY-")
        || contains(b"AGE-PLUGIN-")
        || contains(b"PRIVATE KEY")
        || openpgp::is_secret(bytes)
}

fn is_ssh(bytes: &[u8]) -> bool {
    bytes.starts_with(b"ssh-")
        || bytes.starts_with(b"ecdsa-sha2-")
        || ["OPENSSH", "RSA", "EC", "DSA", "ENCRYPTED"]
            .iter()
            .any(|kind| bytes.starts_with(format!("-----BEGIN {kind} PRIVATE KEY-----").as_bytes()))
}

/// Enough of a public key to know which is meant.
fn first_words(text: &str) -> String {
    text.chars().take(24).chain("…".chars()).collect()
}
