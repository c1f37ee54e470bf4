//! Who can open a backup: the `encryption` section.
//!
//! Public keys only. A private key, a mistyped age recipient (its checksum is
//! verified) and recipients of two kinds are refused here, before a backup is
//! made that nobody can open.

use serde_json::{Map, Value as Json, json};

use crate::parse::yaml::Node;
use crate::secrets;

use super::template::{Secret, Template};
use super::value::{Reader, Section, Value, choices, section};

section! {
    /// How backups are encrypted: to recipients, whose private keys the backup
    /// job does not need, or with a passphrase. Not both.
    pub struct Encryption(check) {
        /// Public keys, each of which can open every backup: age recipients
        /// (`age1…`), or OpenPGP certificates as files (`keys/team.asc`,
        /// relative to this file) or as armored text. All of one kind.
        pub recipients: Vec<Recipient>,
        /// Instead of recipients: a passphrase, as `${VARIABLE}`.
        pub passphrase: Option<Secret>,
        /// `age` or `openpgp`; follows from the recipients, and is `age` for a
        /// passphrase. `none` says that backups are meant to be readable by
        /// whoever can read the store.
        pub method: Option<Method>,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Age,
    Openpgp,
    None,
}

choices!(Method: "age" => Method::Age, "openpgp" => Method::Openpgp, "none" => Method::None);

/// One public key.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipient {
    pub template: Template,
    /// Unknown where it comes from a variable.
    pub kind: Option<RecipientKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientKind {
    Age,
    /// Armored text of a certificate.
    OpenpgpArmor,
    /// A file that holds a certificate.
    OpenpgpFile,
}

impl RecipientKind {
    /// What kind of public key `text` is, or why it is none.
    pub fn of(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("age1") {
            return if is_age_recipient(text) {
                Ok(Self::Age)
            } else if lower.trim_start_matches("age1").contains('1') {
                Err("recipients of age plugins are not supported by this version".to_owned())
            } else {
                Err("it is no whole age recipient: `age1` and 58 more characters, with a checksum".to_owned())
            };
        }
        if text.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----") {
            return Ok(Self::OpenpgpArmor);
        }
        if lower.starts_with("ssh-") {
            return Err("SSH keys are not supported: make an age key with `backstop key generate`".to_owned());
        }
        let fingerprint = lower.trim_start_matches("0x").replace(' ', "");
        if matches!(fingerprint.len(), 8 | 16 | 40)
            && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            return Err("it is a fingerprint: name a file made with `gpg --armor --export`".to_owned());
        }
        let file = [".asc", ".gpg", ".pgp"].iter().any(|suffix| lower.ends_with(suffix));
        if file && !text.contains('\n') {
            return Ok(Self::OpenpgpFile);
        }
        Err("it is neither an age recipient (`age1…`) nor an OpenPGP certificate (a file `*.asc`, `*.gpg` \
             or `*.pgp`, or armored text)"
            .to_owned())
    }

    /// As the messages call it.
    fn method(self) -> Method {
        match self {
            Self::Age => Method::Age,
            Self::OpenpgpArmor | Self::OpenpgpFile => Method::Openpgp,
        }
    }
}

impl Value for Recipient {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string", "minLength": 1 })
    }

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text_of(node, "text")?;
        // Reported once, by the search for secrets in the whole file.
        if secrets::private_key(text).is_some() {
            return None;
        }
        let template = Template::of(node, text, reader)?;
        let Some(literal) = template.literal() else {
            return Some(Self { template, kind: None });
        };
        match RecipientKind::of(literal) {
            Ok(kind) => Some(Self { kind: Some(kind), template }),
            Err(why) => {
                // Not shown: people put passphrases here.
                reader.error("invalid-value", node.span, format!("this recipient cannot be used: {why}"));
                None
            }
        }
    }
}

fn check(encryption: &Encryption, section: &Section<'_>, reader: &mut Reader<'_>) {
    let recipients = section.span_of("recipients");
    let method = section.span_of("method").zip(encryption.method);
    if let (Some(_), Some(span)) = (recipients, section.span_of("passphrase")) {
        reader.error_help(
            "conflicting-keys",
            span,
            "'passphrase' cannot stand beside 'recipients'",
            "keep 'recipients': a backup job then holds nothing that opens a backup",
        );
    }
    if recipients.is_none() && section.span_of("passphrase").is_none() {
        if section.span_of("method").is_none() || method.is_some_and(|(_, method)| method != Method::None) {
            reader.error_help(
                "missing-key",
                section.span,
                "'recipients' or 'passphrase' is missing",
                "make a key with `backstop key generate`, or say `method: none`",
            );
        }
    } else if let Some((span, Method::None)) = method {
        reader.error_help(
            "conflicting-keys",
            span,
            "'method: none' cannot stand beside keys",
            "remove 'method' to encrypt, or the keys not to",
        );
    }
    let mut kinds = encryption.recipients.iter().filter_map(|recipient| Some((recipient, recipient.kind?)));
    let Some((_, first)) = kinds.next() else { return };
    if let Some((other, _)) = kinds.find(|(_, kind)| kind.method() != first.method()) {
        let (first, second) = match first.method() {
            Method::Age => ("an age recipient", "an OpenPGP certificate"),
            _ => ("an OpenPGP certificate", "an age recipient"),
        };
        reader.error_help(
            "mixed-recipients",
            other.template.span,
            format!("recipients of two kinds: this is {second}, the first is {first}"),
            "one file is encrypted in one format: keep recipients of one kind",
        );
    } else if let Some((span, method @ (Method::Age | Method::Openpgp))) = method
        && method != first.method()
    {
        let message = "'method' does not fit the recipients";
        reader.error_help("conflicting-keys", span, message, "remove it: it follows from the recipients");
    }
}

/// `age1` and 32 bytes in Bech32 with a good checksum (BIP 173).
fn is_age_recipient(text: &str) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let Some(data) = text.strip_prefix("age1") else { return false };
    let value =
        |byte: u8| ALPHABET.iter().position(|known| *known == byte).and_then(|at| u32::try_from(at).ok());
    let Some(data) = data.bytes().map(value).collect::<Option<Vec<u32>>>() else { return false };
    let prefix = b"age".iter().map(|byte| u32::from(byte >> 5));
    let prefix = prefix.chain([0]).chain(b"age".iter().map(|byte| u32::from(byte & 31)));
    // 32 bytes are 52 groups of five bits; six more are the checksum.
    data.len() == 58 && prefix.chain(data).fold(1, polymod) == 1
}

fn polymod(checksum: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = checksum >> 25;
    let next = (checksum & 0x01ff_ffff) << 5 ^ value;
    GENERATOR
        .iter()
        .enumerate()
        .fold(next, |sum, (bit, term)| if top >> bit & 1 == 1 { sum ^ term } else { sum })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    #[test]
    fn a_recipient_is_known_by_its_checksum() {
        assert!(is_age_recipient(RECIPIENT));
        for at in 4..RECIPIENT.len() {
            let mut broken = RECIPIENT.as_bytes().to_vec();
            broken[at] = if broken[at] == b'q' { b'p' } else { b'q' };
            assert!(!is_age_recipient(std::str::from_utf8(&broken).unwrap()), "position {at}");
        }
        assert!(!is_age_recipient(&RECIPIENT[..RECIPIENT.len() - 1]));
    }

    #[test]
    fn what_is_no_public_key_is_refused_with_the_way_out() {
        let why = |text: &str| RecipientKind::of(text).unwrap_err();
        assert!(why("age1...").contains("no whole age recipient"));
        assert!(
            why("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t")
                .contains("plugins")
        );
        assert!(why("ssh-ed25519 AAAA").contains("backstop key generate"));
        assert!(why("0xDEADBEEFDEADBEEF").contains("gpg --armor --export"));
        assert!(why("ops@example.com").contains("neither"));
        assert_eq!(RecipientKind::of("keys/ops.asc"), Ok(RecipientKind::OpenpgpFile));
        let armor = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxx\n";
        assert_eq!(RecipientKind::of(armor), Ok(RecipientKind::OpenpgpArmor));
    }
}
