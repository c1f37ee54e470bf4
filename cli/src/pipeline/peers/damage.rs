//! Every method, cut at many lengths and changed at many places: an error each
//! time, never a shorter or another plain text that passes for whole.

use secrecy::ExposeSecret;

use super::*;

fn methods() -> Vec<(&'static str, Vec<u8>, Keys)> {
    let plain = payload(200_000);
    let (identity, recipient) = super::super::generate_identity(None).unwrap();
    let mut keys = with_passphrase(PASSPHRASE);
    keys.add_identity("key", identity.expose_secret().as_bytes()).unwrap();
    // To a certificate: a passphrase costs a tenth of a second each time.
    let gpg = Gpg::new();
    gpg.generate("damage@example.com", "cv25519");
    keys.add_identity("key", &gpg.secret_key("damage@example.com")).unwrap();
    let openpgp = Encryption::from_recipients(&[gpg.certificate("damage@example.com")]).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::with_frame_info(
        lz4_flex::frame::FrameInfo::new().content_checksum(true),
        Vec::new(),
    );
    lz4.write_all(&plain).unwrap();
    let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
    zstd.include_checksum(true).unwrap();
    zstd.write_all(&plain).unwrap();
    let age = Encryption::from_recipients(std::slice::from_ref(&recipient)).unwrap();
    vec![
        ("age", sealed(&plain, age), keys.clone()),
        ("armored age", run(Command::new("age").args(["-a", "-r", &recipient]), &plain), keys.clone()),
        ("openpgp", sealed(&plain, openpgp), keys.clone()),
        ("gpg", gpg.run(["--symmetric", "--s2k-count", "65536"], &plain), keys.clone()),
        (
            "gpg, not compressed",
            gpg.run(["--symmetric", "--s2k-count", "65536", "--compress-algo", "none"], &plain),
            keys.clone(),
        ),
        ("gzip", gzip.finish().unwrap(), Keys::default()),
        ("zstd", zstd.finish().unwrap(), Keys::default()),
        ("lz4", lz4.finish().unwrap(), Keys::default()),
    ]
}

#[test]
fn a_cut_or_a_changed_bit_never_passes_for_whole() {
    let plain = payload(200_000);
    for (name, stored, keys) in methods() {
        assert_eq!(opened(&stored, &keys).unwrap().0, plain, "{name}");
        let length = stored.len();

        // The first few bytes alone are not recognised, and come back as they are.
        let mut cuts: Vec<usize> = vec![60, 100, 150, 200, 1000, 65_536, 65_700, 131_072, length / 2];
        cuts.extend((1..=64).chain([512, 8192]).map(|back| length - back));
        for cut in cuts {
            if let Ok((read, _)) = opened(&stored[..cut], &keys) {
                // Armor may lack its last line break or its unused checksum.
                assert!(
                    name.starts_with("armored") && read == plain,
                    "{name}: {cut} of {length} bytes read as {}",
                    read.len()
                );
            }
        }
        for at in
            [70, 90, 130, 400, 5000, 65_600, length / 2, length - 30, length - 20, length - 3, length - 2]
        {
            let mut changed = stored.clone();
            changed[at] ^= 4;
            if let Ok((read, _)) = opened(&changed, &keys) {
                assert!(
                    name.starts_with("armored") && read == plain,
                    "{name}: byte {at} of {length} changed, read as {} bytes",
                    read.len()
                );
            }
        }
        for tail in [&b"x"[..], b"PGDMP and more"] {
            let longer = [&stored[..], tail].concat();
            // Text behind armored OpenPGP is no part of it (RFC 9580, 6.2).
            let passed = opened(&longer, &keys).is_ok();
            assert_eq!(passed, name == "armored gpg", "{name}: followed by something else");
        }
    }
}
