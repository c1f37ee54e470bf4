//! OpenPGP, with stock gpg at the other end.

use super::*;

fn encryption(certificate: &str) -> Encryption {
    Encryption::from_recipients(&[certificate.to_owned()]).unwrap()
}

fn keys(secret_key: &[u8]) -> Keys {
    let mut keys = Keys::default();
    keys.add_identity("key", secret_key).unwrap();
    keys
}

#[test]
fn each_of_several_certificates_opens_it_alone_in_both_directions() {
    let (first, second) = (Gpg::new(), Gpg::new());
    first.generate("rsa@example.com", "rsa3072");
    second.generate("curve@example.com", "cv25519");
    let certificates = [first.certificate("rsa@example.com"), second.certificate("curve@example.com")];
    let both = Encryption::from_recipients(&certificates).unwrap();
    let (rsa, curve) =
        (keys(&first.secret_key("rsa@example.com")), keys(&second.secret_key("curve@example.com")));
    for length in [0, 1, 5_000_000] {
        let plain = payload(length);
        let stored = sealed(&plain, both.clone());
        assert_eq!(first.run(["--decrypt"], &stored), plain);
        assert_eq!(second.run(["--decrypt"], &stored), plain);
        for keys in [&rsa, &curve] {
            assert_eq!(opened(&stored, keys).unwrap(), (plain.clone(), vec![Layer::Openpgp]));
        }
    }
    // gpg's, compressed as it does by default, binary and armored.
    let plain = payload(300_000);
    for (armor, layer) in [("--no-armor", Layer::Openpgp), ("--armor", Layer::OpenpgpArmored)] {
        for (gpg, name, keys) in [(&first, "rsa@example.com", &rsa), (&second, "curve@example.com", &curve)] {
            let stored = gpg.run([armor, "--encrypt", "--recipient", name], &plain);
            assert_eq!(opened(&stored, keys).unwrap(), (plain.clone(), vec![layer]));
        }
    }
    // Signed, too, and to a recipient that is not named.
    let stored = first.run(["--sign", "--encrypt", "--hidden-recipient", "rsa@example.com"], &plain);
    assert_eq!(opened(&stored, &rsa).unwrap().0, plain);

    // The other's key does not open it, and the message says whose would.
    let stored = sealed(&plain, encryption(&certificates[0]));
    let Err(Error::NoMatchingKey { recipients, .. }) = opened(&stored, &curve) else {
        panic!("opened with a wrong key")
    };
    let listing = String::from_utf8(first.run(["--list-keys", "--with-colons"], b"")).unwrap();
    assert!(listing.contains(&recipients), "{recipients} is not in {listing}");
}

#[test]
fn a_passphrase_opens_it_in_both_directions() {
    let gpg = Gpg::new();
    let keys = with_passphrase(PASSPHRASE);
    for length in [0, 1_000_000] {
        let plain = payload(length);
        let stored = sealed(&plain, Encryption::OpenpgpPassphrase(secret(PASSPHRASE)));
        assert_eq!(gpg.run(["--decrypt"], &stored), plain);
        assert_eq!(opened(&stored, &keys).unwrap().0, plain);
    }
    let plain = payload(100_000);
    for arguments in [
        &["--symmetric", "--cipher-algo", "AES256"][..],
        &["--symmetric", "--armor", "--compress-algo", "zlib", "--s2k-count", "65536"],
        &["--symmetric", "--compress-algo", "none", "--cipher-algo", "AES128", "--s2k-count", "65536"],
    ] {
        let stored = gpg.run(arguments, &plain);
        assert_eq!(opened(&stored, &keys).unwrap().0, plain, "{arguments:?}");
        // The right one among several.
        let mut several = with_passphrase("first guess");
        several.add_passphrase(secret(PASSPHRASE));
        assert_eq!(opened(&stored, &several).unwrap().0, plain, "{arguments:?}");
        // One wrong passphrase in some thousand makes such sense of the first
        // packet that only what follows shows it.
        let wrong = opened(&stored, &with_passphrase("a wrong one")).unwrap_err();
        let other = matches!(wrong, Error::Damaged { .. } | Error::CutShort { .. });
        assert!(other || matches!(wrong, Error::WrongPassphrase { .. }), "{wrong:?}");
        assert!(matches!(opened(&stored, &Keys::default()), Err(Error::NeedsPassphrase { .. })));
    }
    let stored = gpg.run(["--symmetric", "--compress-algo", "bzip2"], &plain);
    let error = opened(&stored, &keys).unwrap_err();
    assert_eq!(
        (error.to_string(), error.hint().unwrap()),
        (
            "it is OpenPGP data that was compressed with bzip2, which is not read".to_owned(),
            "unwrap it first: `gpg --decrypt FILE`".to_owned()
        )
    );
}

#[test]
fn a_locked_key_asks_for_its_passphrase() {
    let gpg = Gpg::new();
    gpg.run(["--quick-generate-key", "locked@example.com", "future-default", "default", "never"], b"");
    let key = gpg.secret_key("locked@example.com");
    let stored = sealed(b"PGDMP", encryption(&gpg.certificate("locked@example.com")));
    assert!(matches!(opened(&stored, &keys(&key)), Err(Error::LockedIdentity { .. })));
    let mut wrong = keys(&key);
    wrong.add_passphrase(secret("wrong"));
    assert!(matches!(opened(&stored, &wrong), Err(Error::IdentityPassphrase { .. })));
    let mut right = keys(&key);
    right.add_passphrase(secret(PASSPHRASE));
    assert_eq!(opened(&stored, &right).unwrap().0, b"PGDMP");
}

#[test]
fn a_certificate_of_version_6_is_a_recipient() {
    use pgp::composed::{EncryptionCaps, KeyType, SecretKeyParamsBuilder, SubkeyParamsBuilder};
    let subkey = SubkeyParamsBuilder::default()
        .version(pgp::types::KeyVersion::V6)
        .key_type(KeyType::X25519)
        .can_encrypt(EncryptionCaps::All)
        .build()
        .unwrap();
    let key = SecretKeyParamsBuilder::default()
        .version(pgp::types::KeyVersion::V6)
        .key_type(KeyType::Ed25519)
        .can_certify(true)
        .primary_user_id("six <six@example.com>".into())
        .subkeys(vec![subkey])
        .build()
        .unwrap()
        .generate(rand::thread_rng())
        .unwrap();
    let certificate = key.to_public_key().to_armored_string(pgp::composed::ArmorOptions::default()).unwrap();
    let secret = key.to_armored_bytes(pgp::composed::ArmorOptions::default()).unwrap();
    let plain = payload(100_000);
    let stored = sealed(&plain, encryption(&certificate));
    assert_eq!(opened(&stored, &keys(&secret)).unwrap().0, plain);
}

#[test]
fn a_certificate_that_is_no_use_is_refused() {
    let gpg = Gpg::new();
    let reason = |bytes: &[u8]| match super::super::Certificate::read("'x'", bytes) {
        Err(Error::BadCertificate { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    // Expired.
    let faked = ["--faked-system-time", "20200101T000000", "--quick-generate-key"];
    gpg.unlocked(&[&faked[..], &["old@example.com", "future-default", "default", "1y"]].concat());
    let said = reason(gpg.certificate("old@example.com").as_bytes());
    assert!(said.starts_with("it expired on 2020-12-31"), "{said}");

    // For signing only.
    gpg.unlocked(&["--quick-generate-key", "sign@example.com", "ed25519", "sign", "never"]);
    let said = reason(gpg.certificate("sign@example.com").as_bytes());
    assert!(said.starts_with("it has no valid encryption key"), "{said}");

    // Revoked, with the certificate that gpg makes beside each key.
    gpg.generate("gone@example.com", "cv25519");
    let fingerprint = gpg.fingerprint("gone@example.com");
    let path = gpg.home.path().join(format!("openpgp-revocs.d/{fingerprint}.rev"));
    let revocation = std::fs::read_to_string(path).unwrap().replace(":-----BEGIN", "-----BEGIN");
    gpg.run(["--import"], revocation.as_bytes());
    let said = reason(gpg.certificate("gone@example.com").as_bytes());
    assert!(said.starts_with("it is revoked"), "{said}");
}

#[test]
fn every_certificate_in_a_file_becomes_a_recipient() {
    let gpg = Gpg::new();
    gpg.generate("one@example.com", "cv25519");
    gpg.generate("two@example.com", "cv25519");
    let folder = tempfile::tempdir().unwrap();
    let one_after_the_other =
        [gpg.certificate("one@example.com"), gpg.certificate("two@example.com")].concat();
    for bytes in [one_after_the_other.into_bytes(), gpg.run(["--export"], b"")] {
        let path = file(folder.path(), "keyring.gpg", bytes);
        let encryption = Encryption::from_recipients(&[path.display().to_string()]).unwrap();
        let Encryption::Openpgp(certificates) = &encryption else { panic!("{encryption:?}") };
        assert_eq!(certificates.len(), 2);
    }
}

#[test]
fn a_secret_key_and_a_mixture_are_refused_as_recipients() {
    let gpg = Gpg::new();
    gpg.generate("me@example.com", "cv25519");
    let armored = gpg.run(["--export-secret-keys", "--armor", "me@example.com"], b"");
    let folder = tempfile::tempdir().unwrap();
    let binary = file(folder.path(), "secret.gpg", gpg.secret_key("me@example.com"));
    for given in [String::from_utf8(armored).unwrap(), binary.display().to_string()] {
        assert!(matches!(Encryption::from_recipients(&[given]), Err(Error::PrivateRecipient { .. })));
    }
    let (_, age) = super::super::generate_identity(None).unwrap();
    let mixed = [gpg.certificate("me@example.com"), age];
    assert!(matches!(Encryption::from_recipients(&mixed), Err(Error::MixedRecipients)));
    let mut keys = Keys::default();
    let error = keys.add_identity("k", mixed[0].as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no identity in 'k': it holds an OpenPGP certificate, which is the public part"
    );
}
