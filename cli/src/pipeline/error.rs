//! What can go wrong between a database and a store, and what to do about it.
//! No variant ever holds a key, a passphrase or a recipient that may be one.

use std::io;
use std::path::PathBuf;

use super::Layer;
use crate::error::Advise;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    // On the way out.
    #[error("stopped before the end")]
    Interrupted,
    /// The source of the stream failed; its own message stands for itself.
    #[error("{0}")]
    Source(#[source] io::Error),
    #[error("the stream was given up before its end by what reads it")]
    ReaderGone,
    #[error("cannot start a thread to read the source")]
    Thread(#[source] io::Error),
    #[error("the thread that reads the source panicked")]
    Panicked,
    #[error("cannot encrypt")]
    Encrypt(#[source] Box<dyn std::error::Error + Send + Sync>),

    // Recipients.
    #[error("'{recipient}' is not a recipient: {reason}")]
    BadRecipient { recipient: String, reason: String },
    /// Not shown: what is no recipient may be a secret in the wrong place.
    #[error("recipient {position} is neither an age recipient, nor an OpenPGP certificate, nor a file")]
    UnknownRecipient { position: usize },
    #[error("{place} is a private key, but recipients are public keys")]
    PrivateRecipient { place: String },
    #[error("'{recipient}' is an SSH key, which cannot be a recipient here")]
    SshRecipient { recipient: String },
    #[error("age recipients and OpenPGP certificates cannot open the same artifact")]
    MixedRecipients,
    #[error("no recipient in '{}'", path.display())]
    NoRecipient { path: PathBuf },
    #[error("OpenPGP certificate {name} cannot be a recipient: {reason}")]
    BadCertificate { name: String, reason: String },
    #[error("cannot read the key file '{}'", path.display())]
    KeyFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    // Identities.
    #[error("no identity in '{name}': {reason}")]
    BadIdentity { name: String, reason: String },
    #[error("'{name}' is an SSH key, which cannot open an artifact here")]
    SshIdentity { name: String },
    #[error("'{name}' is locked with a passphrase, and none was given")]
    LockedIdentity { name: String },
    #[error("the passphrase does not unlock '{name}'")]
    IdentityPassphrase { name: String },

    // On the way in.
    #[error("cannot read what is to be opened")]
    Read(#[source] io::Error),
    #[error("none of the given keys opens it: it is {layer}-encrypted to {recipients}")]
    NoMatchingKey { layer: Layer, recipients: String },
    #[error("it is {layer}-encrypted with a passphrase, and none was given")]
    NeedsPassphrase { layer: Layer },
    #[error("the passphrase does not open it")]
    WrongPassphrase { layer: Layer },
    #[error("the passphrase does not open it, or its key was derived in another way than: {tried}")]
    UnknownDerivation { tried: String },
    #[error("its passphrase asks for 2^{log_n} rounds of scrypt, more than the 2^{limit} that are accepted")]
    TooMuchWork { log_n: u8, limit: u8 },
    #[error("it is cut short: the {layer} data stops before its end")]
    CutShort { layer: Layer },
    #[error("its {layer} data is damaged")]
    Damaged {
        layer: Layer,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("something else follows its {layer} data")]
    TrailingData { layer: Layer },
    #[error("it is wrapped more than {limit} times")]
    TooManyLayers { limit: usize },
    #[error("it is {what}, which is not read")]
    Unsupported { what: &'static str, by_hand: &'static str },
}

impl Error {
    /// Whether the fault lies with what was given to open it, not with what was
    /// to be opened.
    pub fn wants_another_key(&self) -> bool {
        matches!(
            self,
            Self::NoMatchingKey { .. }
                | Self::NeedsPassphrase { .. }
                | Self::WrongPassphrase { .. }
                | Self::UnknownDerivation { .. }
                | Self::LockedIdentity { .. }
                | Self::IdentityPassphrase { .. }
        )
    }

    /// As an error of a stream. Never of the kind `Interrupted`, which readers
    /// take as "try again".
    pub(super) fn into_io(self) -> io::Error {
        let kind = match &self {
            Self::CutShort { .. } => io::ErrorKind::UnexpectedEof,
            Self::ReaderGone => io::ErrorKind::BrokenPipe,
            Self::Damaged { .. } | Self::TrailingData { .. } => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }
}

impl Advise for Error {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::BadRecipient { .. } => {
                "a recipient begins with `age1` and is printed by `backstop key generate`".to_owned()
            }
            Self::UnknownRecipient { .. } => {
                "give `age1…`, the path of a file with such lines, or the path of an OpenPGP certificate"
                    .to_owned()
            }
            Self::PrivateRecipient { .. } => {
                "give the public part (`backstop key recipient FILE` prints it) and keep the private key \
                 off the machine that makes backups"
                    .to_owned()
            }
            Self::SshRecipient { .. } | Self::SshIdentity { .. } => {
                "make an age key with `backstop key generate`; SSH keys are for logging in".to_owned()
            }
            Self::MixedRecipients => {
                "name either only age recipients or only OpenPGP certificates; each one alone can open the \
                 backup"
                    .to_owned()
            }
            Self::BadCertificate { .. } => {
                "export a current certificate with `gpg --export --armor ID`, or renew it with \
                 `gpg --quick-set-expire`"
                    .to_owned()
            }
            Self::NoRecipient { .. } => "write one recipient a line; lines with # are comments".to_owned(),
            Self::KeyFile { .. } => "check the path, and who may read it".to_owned(),
            Self::BadIdentity { .. } => {
                "give a file made by `backstop key generate`, `age-keygen` or `gpg --export-secret-keys`"
                    .to_owned()
            }
            Self::LockedIdentity { .. } | Self::NeedsPassphrase { .. } => {
                "give the passphrase in BACKSTOP_PASSPHRASE".to_owned()
            }
            Self::WrongPassphrase { .. } | Self::IdentityPassphrase { .. } => {
                "check the passphrase in BACKSTOP_PASSPHRASE".to_owned()
            }
            Self::NoMatchingKey { .. } => {
                "give the identity that belongs to one of these recipients".to_owned()
            }
            Self::UnknownDerivation { .. } => {
                "if it was made with `openssl enc -iter N`, give the number of iterations".to_owned()
            }
            Self::Damaged { .. } | Self::CutShort { .. } | Self::TrailingData { .. } => {
                "take another copy of this backup, or an older backup".to_owned()
            }
            Self::Unsupported { by_hand, .. } => format!("unwrap it first: `{by_hand}`"),
            Self::TooMuchWork { .. } => {
                "decrypt it with `age -d` on a machine with enough memory, and give the result".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}
