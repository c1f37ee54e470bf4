//! age, with stock `age` and `age-keygen` at the other end.

use super::super::generate_identity;
use super::*;
use secrecy::ExposeSecret;

/// An identity by stock age-keygen: its file's text and its recipient.
fn keygen() -> (String, String) {
    let text = String::from_utf8(run(&mut Command::new("age-keygen"), b"")).unwrap();
    let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    (text, recipient)
}

fn keys(identity: &str) -> Keys {
    let mut keys = Keys::default();
    keys.add_identity("key.txt", identity.as_bytes()).unwrap();
    keys
}

#[test]
fn each_of_several_recipients_opens_it_alone_in_both_directions() {
    let folder = tempfile::tempdir().unwrap();
    // One by age-keygen, one by us.
    let (theirs, theirs_public) = keygen();
    let (ours, ours_public) = generate_identity(None).unwrap();
    let ours = ours.expose_secret().to_owned();
    let encryption = Encryption::from_recipients(&[theirs_public.clone(), ours_public.clone()]).unwrap();
    let paths = [file(folder.path(), "theirs", &theirs), file(folder.path(), "ours", &ours)];
    for length in [0, 1, 64 * 1024, 5_000_000] {
        let plain = payload(length);
        let stored = sealed(&plain, encryption.clone());
        for path in &paths {
            assert_eq!(run(Command::new("age").arg("-d").arg("-i").arg(path), &stored), plain);
        }
        for identity in [&theirs, &ours] {
            assert_eq!(opened(&stored, &keys(identity)).unwrap(), (plain.clone(), vec![Layer::Age]));
        }
    }
    let plain = payload(300_000);
    for (arguments, layer) in [(&[][..], Layer::Age), (&["-a"], Layer::AgeArmored)] {
        let stored =
            run(Command::new("age").args(arguments).args(["-r", &theirs_public, "-r", &ours_public]), &plain);
        for identity in [&theirs, &ours] {
            assert_eq!(opened(&stored, &keys(identity)).unwrap(), (plain.clone(), vec![layer]));
        }
        let (stranger, _) = keygen();
        let error = opened(&stored, &keys(&stranger)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "none of the given keys opens it: it is age-encrypted to 2 X25519 recipients"
        );
    }
}

#[test]
fn a_passphrase_opens_it_and_no_other_does() {
    let plain = payload(200_000);
    let stored = sealed(&plain, Encryption::AgePassphrase(secret(PASSPHRASE)));
    let mut several = with_passphrase("a wrong one");
    assert!(matches!(opened(&stored, &several), Err(Error::WrongPassphrase { .. })));
    several.add_passphrase(secret(PASSPHRASE));
    assert_eq!(opened(&stored, &several).unwrap().0, plain);
    assert!(matches!(opened(&stored, &Keys::default()), Err(Error::NeedsPassphrase { .. })));

    // Stock age takes a passphrase from a terminal only; `script` makes one.
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "stored.age", &stored);
    let out = folder.path().join("plain");
    let command = format!("age -d -o {} {}", out.display(), path.display());
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &command, "/dev/null"]);
    run(&mut terminal, format!("{PASSPHRASE}\n").as_bytes());
    assert_eq!(std::fs::read(out).unwrap(), plain);
}

#[test]
fn too_much_work_is_refused_before_it_is_done() {
    let stored = sealed(b"PGDMP", Encryption::AgePassphrase(secret(PASSPHRASE)));
    let text = String::from_utf8_lossy(&stored).into_owned();
    let rounds = text.lines().nth(1).unwrap().to_owned();
    assert!(rounds.ends_with(" 16"), "{rounds}");
    let mut greedy = stored.clone();
    let at = stored.windows(4).position(|part| part == b" 16\n").unwrap();
    greedy[at + 1..at + 3].copy_from_slice(b"30");
    assert!(matches!(
        opened(&greedy, &with_passphrase(PASSPHRASE)),
        Err(Error::TooMuchWork { log_n: 30, limit: 20 })
    ));
}

#[test]
fn a_locked_identity_file_opens_with_its_passphrase() {
    let (locked, recipient) = generate_identity(Some(&secret(PASSPHRASE))).unwrap();
    let locked = locked.expose_secret().as_bytes();
    assert!(locked.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"));
    assert!(matches!(Keys::default().add_identity("k", locked), Err(Error::LockedIdentity { .. })));
    assert!(matches!(
        with_passphrase("wrong").add_identity("k", locked),
        Err(Error::IdentityPassphrase { .. })
    ));
    let mut keys = with_passphrase(PASSPHRASE);
    keys.add_identity("k", locked).unwrap();
    assert_eq!(keys.recipients(), std::slice::from_ref(&recipient));
    let stored = run(Command::new("age").args(["-r", &recipient]), b"PGDMP");
    assert_eq!(opened(&stored, &keys).unwrap().0, b"PGDMP");
}

#[test]
fn recipients_come_from_text_and_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, first) = keygen();
    let (_, second) = keygen();
    let list = file(folder.path(), "team", format!("# who\n\n{first}\n  {second}\n"));
    let given = [first.clone(), list.display().to_string()];
    let encryption = Encryption::from_recipients(&given).unwrap();
    assert_eq!(
        encryption.record(),
        backstop_policy::manifest::Encryption::Age { recipients: vec![first.clone(), second] }
    );
    assert!(matches!(Encryption::from_recipients(&[]), Ok(Encryption::None)));

    let refuse = |given: &str| Encryption::from_recipients(&[given.to_owned()]).unwrap_err();
    let private = file(folder.path(), "private", &identity);
    let empty = file(folder.path(), "empty", "# nobody\n");
    let ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN me";
    let key = identity.lines().last().unwrap();
    for (given, message) in [
        (key, "recipient 1 is a private key, but recipients are public keys".to_owned()),
        (&key.to_lowercase(), "recipient 1 is a private key, but recipients are public keys".to_owned()),
        (
            &private.display().to_string(),
            format!("'{}' is a private key, but recipients are public keys", private.display()),
        ),
        (&empty.display().to_string(), format!("no recipient in '{}'", empty.display())),
        (ssh, "'ssh-ed25519 AAAAC3NzaC1l…' is an SSH key, which cannot be a recipient here".to_owned()),
        (
            "hunter2hunter2",
            "recipient 1 is neither an age recipient, nor an OpenPGP certificate, nor a file".to_owned(),
        ),
        ("/no/such/file", "cannot read the key file '/no/such/file'".to_owned()),
        ("age1qqqq", "'age1qqqq' is not a recipient: invalid Bech32 encoding".to_owned()),
    ] {
        let error = refuse(given);
        assert_eq!(error.to_string(), message);
        assert!(error.hint().is_some() || matches!(error, Error::KeyFile { .. }), "no hint: {error}");
        assert!(!format!("{error:?}").contains(key), "the key is shown");
    }
}

#[test]
fn what_is_no_identity_is_refused_without_being_shown() {
    let (identity, recipient) = keygen();
    let broken = identity.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1X");
    for (bytes, message) in [
        (recipient.as_str(), "no identity in 'k': it holds a recipient, which is the public part"),
        ("# nothing\n", "no identity in 'k': it is empty"),
        (&broken, "no identity in 'k': line 3 is not an age identity"),
        (
            "AGE-PLUGIN-YUBIKEY-1QQ\n",
            "no identity in 'k': it is for an age plugin; only keys in a file are read",
        ),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nxyz", "'k' is an SSH key, which cannot open an artifact here"),
    ] {
        let error = Keys::default().add_identity("k", bytes.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.hint().is_some());
    }
    let mut keys = keys(&identity);
    keys.add_passphrase(secret(PASSPHRASE));
    let shown = format!("{keys:?} {:?}", Encryption::AgePassphrase(secret(PASSPHRASE)));
    assert!(!shown.contains("SECRET") && !shown.contains(PASSPHRASE), "{shown}");
}
