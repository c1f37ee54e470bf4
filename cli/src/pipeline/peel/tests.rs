use std::io::Write;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::store;

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstded(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 1).unwrap()
}

fn lz4ed(bytes: &[u8]) -> Vec<u8> {
    let blocks = lz4_flex::frame::BlockSize::Max64KB;
    let info = lz4_flex::frame::FrameInfo::new().block_size(blocks);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Layer>), Error> {
    let mut opened = open(Cursor::new(bytes.to_vec()), &Keys::default())?;
    let mut plain = Vec::new();
    opened.read_to_end(&mut plain).map_err(unwrap)?;
    Ok((plain, opened.layers))
}

#[test]
fn what_is_not_wrapped_comes_through_as_it_is() {
    for plain in [&b""[..], b"P", b"PGDMP\x01\x0e", b"-- SQL", b"\xC3\x84rger", b"\x1f\x8b", b"\x00\xff\xfe"]
    {
        assert_eq!(read(plain).unwrap(), (plain.to_vec(), vec![]));
    }
}

#[test]
fn layers_are_peeled_in_any_order_and_named() {
    let wrapped = gzipped(&zstded(&lz4ed(&gzipped(b"PGDMP"))));
    assert_eq!(
        read(&wrapped).unwrap(),
        (b"PGDMP".to_vec(), vec![Layer::Gzip, Layer::Zstd, Layer::Lz4, Layer::Gzip])
    );
    let mut deep = b"PGDMP".to_vec();
    for _ in 0..MAX_LAYERS {
        deep = gzipped(&deep);
    }
    assert_eq!(read(&deep).unwrap().1.len(), MAX_LAYERS);
    assert!(matches!(read(&gzipped(&deep)), Err(Error::TooManyLayers { limit: MAX_LAYERS })));
}

#[test]
fn several_members_and_frames_are_one_stream() {
    let two = |wrap: fn(&[u8]) -> Vec<u8>| [wrap(b"PGDMP first "), wrap(b"second")].concat();
    for wrapped in [two(gzipped), two(zstded), two(lz4ed)] {
        assert_eq!(read(&wrapped).unwrap().0, b"PGDMP first second");
        // Cut in the second one, also between blocks.
        for cut in 1..15 {
            assert!(read(&wrapped[..wrapped.len() - cut]).is_err(), "{cut} bytes less read as whole");
        }
    }
    // gzip passes over zeros, but not over what follows them.
    let padded = [gzipped(b"PGDMP"), vec![0; 100_000]].concat();
    assert_eq!(read(&padded).unwrap().0, b"PGDMP");
    assert!(matches!(read(&[&padded[..], b"x"].concat()), Err(Error::TrailingData { layer: Layer::Gzip })));
    // A skippable frame may come first.
    let skippable = [&[0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 1, 2, 3, 4][..], &zstded(b"PGDMP")].concat();
    assert_eq!(read(&skippable).unwrap().0, b"PGDMP");
}

#[test]
fn other_wrappings_are_named() {
    for (head, message) in [
        (&b"\xFD7zXZ\0rest"[..], "it is compressed with xz, which is not read"),
        (b"PK\x03\x04rest", "it is a zip file, which is not read"),
        (b"BZh91AY&SYrest", "it is compressed with bzip2, which is not read"),
    ] {
        assert_eq!(read(head).unwrap_err().to_string(), message);
    }
}

#[test]
fn an_error_of_the_source_comes_through_every_layer_unchanged() {
    struct Failing(Cursor<Vec<u8>>, bool);
    impl Read for Failing {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.0.read(out)? {
                0 if self.1 => Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    store::Error::NotFound { store: "s".into(), key: "k".into() },
                )),
                length => Ok(length),
            }
        }
    }
    let noise: Vec<u8> = (0..30_000_u64).flat_map(|n| Sha256::digest(n.to_le_bytes())).collect();
    for wrapped in [gzipped(&noise), zstded(&noise), lz4ed(&noise), gzipped(&zstded(&noise))] {
        let half = wrapped[..wrapped.len() / 2].to_vec();
        let mut opened = open(Failing(Cursor::new(half), true), &Keys::default()).unwrap();
        let error = io::copy(&mut opened, &mut io::sink()).unwrap_err();
        assert!(
            error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<store::Error>),
            "{error:?}"
        );
        // And it stays an error.
        assert!(opened.read(&mut [0; 10]).is_err());
    }
    // Also in the very first bytes.
    let Err(Error::Read(error)) = open(Failing(Cursor::new(vec![]), true), &Keys::default()) else {
        panic!("opened")
    };
    assert!(error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<store::Error>));
}

#[test]
fn small_reads_and_interruptions_change_nothing() {
    struct Stuttering(Cursor<Vec<u8>>, bool);
    impl Read for Stuttering {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = out.len().min(1);
            self.0.read(&mut out[..length])
        }
    }
    let wrapped = lz4ed(&zstded(&gzipped(b"PGDMP and so on")));
    let mut plain = Vec::new();
    open(Stuttering(Cursor::new(wrapped), false), &Keys::default()).unwrap().read_to_end(&mut plain).unwrap();
    assert_eq!(plain, b"PGDMP and so on");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever lies behind a magic, opening ends, in bytes or in an error.
    #[test]
    fn random_bytes_never_panic(
        magic in prop::sample::select(vec![
            &b""[..], b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x50\x2a\x4d\x18",
            b"age-encryption.org/v1\n", b"age-encryption.org/v1\n-> X25519 ",
            b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"-----BEGIN PGP MESSAGE-----\n\n", b"Salted__",
            b"\xc1\xc0\x4c\x03", b"\x85\x01\x0c\x03", b"\x8c\x0d\x04\x09\x03\x02", b"\xd2\xff\x01", b"\xd4\x20\x01\x09",
        ]),
        tail in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut keys = Keys::default();
        keys.add_passphrase("passphrase".into());
        // As small as the format allows, or PBKDF2 is all that this test does.
        keys.set_openssl_iterations(1);
        let bytes = [magic, &tail].concat();
        if let Ok(mut opened) = open(Cursor::new(bytes), &keys) {
            let _ = io::copy(&mut opened, &mut io::sink());
        }
    }
}
