//! `openssl enc -aes-256-cbc`, made by stock openssl.

use super::*;

const SQL: &[u8] = b"--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n";

fn enc(arguments: &[&str], plain: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(["enc", "-aes-256-cbc", "-salt", "-pass", "env:BACKSTOP_TEST_PASSPHRASE"]);
    command.args(arguments).env("BACKSTOP_TEST_PASSPHRASE", PASSPHRASE);
    run(&mut command, plain)
}

#[test]
fn the_derivation_is_found_by_what_comes_out() {
    let long = SQL.repeat(4000);
    let archive = payload(1_000_001);
    for plain in [b"".as_slice(), b"SELECT 1;\n", SQL, &long, &archive] {
        for arguments in
            [&["-pbkdf2"][..], &["-md", "sha256"], &["-md", "md5"], &["-pbkdf2", "-md", "sha512"]]
        {
            let stored = enc(arguments, plain);
            let result = opened(&stored, &with_passphrase(PASSPHRASE)).unwrap();
            assert_eq!(result, (plain.to_vec(), vec![Layer::OpensslEnc]), "{arguments:?}");
        }
    }
}

#[test]
fn other_iterations_must_be_told() {
    let stored = enc(&["-pbkdf2", "-iter", "12345"], SQL);
    let mut keys = with_passphrase("a wrong one");
    keys.add_passphrase(secret(PASSPHRASE));
    let error = opened(&stored, &keys).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the passphrase does not open it, or its key was derived in another way than: -md sha256, -md md5, \
         -pbkdf2 -md sha256 -iter 10000, -pbkdf2 -md sha512 -iter 10000"
    );
    assert!(error.hint().unwrap().contains("-iter N"));
    keys.set_openssl_iterations(12345);
    assert_eq!(opened(&stored, &keys).unwrap().0, SQL);
    assert!(matches!(opened(&stored, &Keys::default()), Err(Error::NeedsPassphrase { .. })));
}

#[test]
fn a_cut_is_an_error() {
    let plain = SQL.repeat(3000);
    let stored = enc(&["-md", "sha256"], &plain);
    let keys = with_passphrase(PASSPHRASE);
    let length = stored.len();
    for cut in [9, 15, 16, 17, 31, 32, 100, 1024, 65_536, length / 2, length - 17, length - 16, length - 1] {
        assert!(opened(&stored[..cut], &keys).is_err(), "{cut} of {length} bytes read as whole");
    }
    let mut changed = stored.clone();
    *changed.last_mut().unwrap() ^= 0x80;
    assert!(matches!(opened(&changed, &keys), Err(Error::CutShort { .. })));
}

#[test]
fn base64_is_named_with_the_way_out() {
    let error = opened(&enc(&["-a"], SQL), &with_passphrase(PASSPHRASE)).unwrap_err();
    assert_eq!(error.hint().unwrap(), "unwrap it first: `openssl base64 -d -in FILE`");
}
