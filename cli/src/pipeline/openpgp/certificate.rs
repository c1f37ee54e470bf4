//! An OpenPGP certificate as a recipient: bytes in, its one best encryption key
//! out. Only what its own valid signatures say counts; revoked, expired or
//! without such a key, it is refused before anything is encrypted to it.

use std::io::Read;

use jiff::Timestamp;
use pgp::composed::{Deserializable, EncryptionSeipdV1, MessageBuilder, SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{PublicKey, PublicSubkey, Signature, SignatureType};
use pgp::types::{KeyDetails, Tag};
use rand::rngs::OsRng;

use super::blocks;
use crate::pipeline::Error;

/// A certificate with a key that can be encrypted to.
#[derive(Debug, Clone)]
pub struct Certificate {
    fingerprint: String,
    key: Key,
}

#[derive(Debug, Clone)]
enum Key {
    Primary(Box<PublicKey>),
    Subkey(Box<PublicSubkey>),
}

impl Certificate {
    /// Of the primary key, in upper-case hexadecimal digits as gpg prints it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Every certificate in an armored or binary export; `name` stands for it in
    /// errors.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Vec<Self>, Error> {
        let bad = |reason: String| Error::BadCertificate { name: name.to_owned(), reason };
        let mut certificates = Vec::new();
        for block in blocks(bytes, super::PUBLIC_ARMOR) {
            let (found, _) =
                SignedPublicKey::from_reader_many(block).map_err(|cause| bad(cause.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|cause| bad(cause.to_string()))?;
                certificates.push(Self::choose(&certificate, now()).map_err(|reason| {
                    bad(format!("{reason} (key {:X})", certificate.primary_key.fingerprint()))
                })?);
            }
        }
        if certificates.is_empty() {
            return Err(bad("there is none".to_owned()));
        }
        Ok(certificates)
    }

    pub(super) fn add_to<R: Read>(
        &self,
        builder: &mut MessageBuilder<'_, R, EncryptionSeipdV1>,
    ) -> Result<(), pgp::errors::Error> {
        match &self.key {
            Key::Primary(key) => builder.encrypt_to_key(OsRng, key.as_ref())?,
            Key::Subkey(key) => builder.encrypt_to_key(OsRng, key.as_ref())?,
        };
        Ok(())
    }

    fn choose(certificate: &SignedPublicKey, now: i64) -> Result<Self, String> {
        let primary = &certificate.primary_key;
        let revoked = certificate.details.revocation_signatures.iter();
        if revoked.into_iter().any(|signature| signature.verify_key(primary).is_ok()) {
            return Err("it is revoked".to_owned());
        }
        let own = self_signature(certificate).ok_or("no valid signature of its own describes it")?;
        if let Some(since) = expired(primary, own, now) {
            return Err(format!("it expired on {since}"));
        }
        let mut expired_on = None;
        let mut best: Option<&SignedPublicSubKey> = None;
        for subkey in &certificate.public_subkeys {
            let Some(binding) = binding(subkey, primary) else { continue };
            let flags = binding.key_flags();
            if !(flags.encrypt_comms() || flags.encrypt_storage()) || !subkey.key.algorithm().can_encrypt() {
                continue;
            }
            if let Some(since) = expired(&subkey.key, binding, now) {
                expired_on = Some(since);
                continue;
            }
            // As gpg does: the newest one is meant.
            if best.is_none_or(|best| created(&best.key) <= created(&subkey.key)) {
                best = Some(subkey);
            }
        }
        let flags = own.key_flags();
        let key = if let Some(subkey) = best {
            Key::Subkey(Box::new(subkey.key.clone()))
        } else if (flags.encrypt_comms() || flags.encrypt_storage()) && primary.algorithm().can_encrypt() {
            Key::Primary(Box::new(primary.clone()))
        } else if let Some(since) = expired_on {
            return Err(format!("its encryption key expired on {since}"));
        } else {
            return Err("it has no valid encryption key".to_owned());
        };
        Ok(Self { fingerprint: format!("{:X}", primary.fingerprint()), key })
    }
}

/// The newest valid self-signature: on the key itself or on a user id that is
/// not revoked.
fn self_signature(certificate: &SignedPublicKey) -> Option<&Signature> {
    let primary = &certificate.primary_key;
    let direct = certificate
        .details
        .direct_signatures
        .iter()
        .filter(|signature| signature.verify_key(primary).is_ok());
    let users = certificate.details.users.iter().filter_map(|user| {
        let valid =
            |signature: &&Signature| signature.verify_certification(primary, Tag::UserId, &user.id).is_ok();
        let revoked = user
            .signatures
            .iter()
            .filter(|signature| signature.typ() == Some(SignatureType::CertRevocation))
            .any(|signature| valid(&signature));
        if revoked {
            return None;
        }
        user.signatures
            .iter()
            .filter(|signature| signature.is_certification())
            .filter(valid)
            .max_by_key(|s| made(s))
    });
    direct.chain(users).max_by_key(|signature| made(signature))
}

/// The newest valid binding of a subkey, unless it is revoked.
fn binding<'a>(subkey: &'a SignedPublicSubKey, primary: &PublicKey) -> Option<&'a Signature> {
    let valid = || {
        subkey
            .signatures
            .iter()
            .filter(|signature| signature.verify_subkey_binding(primary, &subkey.key).is_ok())
    };
    if valid().any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation)) {
        return None;
    }
    valid().filter(|signature| signature.typ() == Some(SignatureType::SubkeyBinding)).max_by_key(|s| made(s))
}

/// The day on which a key expired, if it has.
fn expired(key: &impl KeyDetails, signature: &Signature, now: i64) -> Option<String> {
    let lifetime = i64::from(signature.key_expiration_time()?.as_secs());
    let end = created(key) + lifetime;
    (lifetime > 0 && end <= now).then(|| {
        Timestamp::from_second(end)
            .map_or_else(|_| "an unknown day".to_owned(), |at| at.strftime("%F").to_string())
    })
}

fn created(key: &impl KeyDetails) -> i64 {
    i64::from(key.created_at().as_secs())
}

fn made(signature: &Signature) -> u32 {
    signature.created().map_or(0, pgp::types::Timestamp::as_secs)
}

fn now() -> i64 {
    Timestamp::now().as_second()
}
