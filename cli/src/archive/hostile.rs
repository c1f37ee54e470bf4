//! What a damaged, cut or invented archive does to the reader: an error, soon,
//! and in little memory; never a panic, a hang, or a false "complete".

use std::io::{self, Read};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::fixtures::{self, compressed};
use super::{Coding, Compression, Error, Recoding, inspect, recode};

#[test]
fn cut_at_any_length_it_is_an_error() {
    for (name, archive) in fixtures::ALL {
        let step = if archive.len() < 10_000 { 1 } else { 61 };
        let whole = inspect(archive, |_| {}).unwrap();
        for length in (0..archive.len()).step_by(step) {
            let error = match inspect(&archive[..length], |_| {}) {
                Ok(cut) => {
                    // The one border where nothing is lost: before the second table
                    // of contents that a redirected pg_dump 18 leaves.
                    assert!(whole.toc_repeated && cut.tables == whole.tables, "{name} cut at {length}");
                    continue;
                }
                Err(error) => error,
            };
            assert!(
                matches!(error, Error::CutShort { .. } | Error::MissingData { .. }),
                "{name} cut at {length}: {error}"
            );
        }
    }
}

#[test]
fn cut_between_blocks_it_says_how_many_are_missing() {
    let (_, raw) = fixtures::toc(fixtures::ZOO_18_NONE);
    let error = inspect(&fixtures::ZOO_18_NONE[..raw.len()], |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the archive ends at byte {}, but 25 of its 25 data blocks are missing, first that of 'public.by_state_0'",
            raw.len()
        )
    );
}

#[test]
fn more_entries_than_memory_may_hold_are_not_begun_with() {
    let mut archive = fixtures::ZOO_18_NONE.to_vec();
    let (toc, raw) = fixtures::toc(&archive);
    let count = [&[0][..], &toc.header.entries.to_le_bytes()].concat();
    let at = raw.windows(count.len()).position(|bytes| bytes == count).unwrap();
    archive[at + 1..at + 5].copy_from_slice(&((1_u32 << 22) + 1).to_le_bytes());
    let error = inspect(&archive[..], |_| {}).unwrap_err();
    assert!(error.to_string().contains("more than 4194304 entries"), "{error}");
}

#[test]
fn anything_appended_is_an_error() {
    for (name, archive) in fixtures::ALL {
        for extra in [&b"\0"[..], b"x", b"\x01\0\0\0\0\0", archive] {
            let both = [archive, extra].concat();
            assert!(inspect(&both[..], |_| {}).is_err(), "{name} + {} bytes", extra.len());
        }
    }
}

/// Nothing that is read as whole may differ: bits that fill up a stream's last
/// byte carry nothing, so a change of those need not be found, and is not.
fn found_or_without_effect(archive: &[u8], from: usize, step: usize) {
    let whole = plain(archive).unwrap();
    let mut changed = archive.to_vec();
    let mut without_effect = 0;
    for at in (from..archive.len()).step_by(step) {
        for bit in 0..8 {
            changed[at] ^= 1 << bit;
            if let Ok(read) = plain(&changed) {
                assert!(read == whole, "bit {bit} of byte {at}");
                without_effect += 1;
            }
            changed[at] ^= 1 << bit;
        }
    }
    assert!(without_effect <= 8 + (archive.len() - from) * 8 / step / 100, "{without_effect}");
}

/// All that the archive holds, uncompressed.
fn plain(archive: &[u8]) -> Result<Vec<u8>, Error> {
    inspect(archive, |_| {})?;
    let mut out = Vec::new();
    recode(archive, &mut out, Recoding { coding: Coding::None, readable_by: None })?;
    Ok(out)
}

#[test]
fn every_changed_bit_in_gzip_data_is_found() {
    for (archive, step) in [(fixtures::LATIN1_15, 1), (fixtures::ZOO_15_GZIP, 37)] {
        let (_, raw) = fixtures::toc(archive);
        found_or_without_effect(archive, raw.len(), step);
    }
}

#[test]
fn every_changed_bit_in_a_recoded_zstd_frame_is_found() {
    let mut archive = Vec::new();
    let recoding = Recoding { coding: Coding::Zstd(3), readable_by: None };
    recode(fixtures::INSERTS_18, &mut archive, recoding).unwrap();
    let (_, raw) = fixtures::toc(&archive);
    found_or_without_effect(&archive, raw.len(), 1);
}

#[test]
fn blocks_in_another_order_are_an_error() {
    let archive = fixtures::ZOO_18_NONE;
    let (toc, raw) = fixtures::toc(archive);
    let first = toc.entries.iter().find(|entry| entry.has_data()).unwrap();
    // The second block's head, which is neither compressed nor far.
    let second = toc.entries.iter().filter(|entry| entry.has_data()).nth(1).unwrap();
    let mut changed = archive.to_vec();
    changed[raw.len() + 2..raw.len() + 6].copy_from_slice(&second.dump_id.to_le_bytes());
    let error = inspect(&changed[..], |_| {}).unwrap_err().to_string();
    assert!(error.contains(&format!("block {} where block {}", second.dump_id, first.dump_id)), "{error}");
}

#[test]
fn what_is_no_custom_archive_is_named() {
    let mut newer = fixtures::ZOO_18_NONE.to_vec();
    newer[6] = 17;
    assert!(
        matches!(inspect(&newer[..], |_| {}), Err(Error::UnknownVersion { version }) if version == "1.17")
    );
    let mut directory = fixtures::ZOO_18_NONE.to_vec();
    directory[10] = 5;
    assert!(matches!(inspect(&directory[..], |_| {}), Err(Error::NotCustom { .. })));
    assert!(matches!(inspect(&b"SELECT 1;"[..], |_| {}), Err(Error::NotCustom { .. })));
    assert!(matches!(inspect(&b""[..], |_| {}), Err(Error::CutShort { at: 0, .. })));
}

#[test]
fn a_failing_source_is_not_called_a_cut_archive() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream stopped before its end"))
        }
    }
    assert!(matches!(inspect(fixtures::ZOO_15_GZIP[..3000].chain(Failing), |_| {}), Err(Error::Read(_))));
}

/// A length of 2 GiB that nothing stands behind: the reader sees the end after
/// the bytes that are there, having asked for little more.
#[test]
fn claimed_lengths_cost_nothing() {
    let (_, raw) = fixtures::toc(fixtures::ZOO_18_NONE);
    let huge = [0, 0xff, 0xff, 0xff, 0x7f];
    let mut chunk = fixtures::ZOO_18_NONE[..raw.len() + 6].to_vec();
    chunk.extend(huge);
    let mut string = fixtures::ZOO_18_NONE[..40].to_vec();
    string.extend(huge);
    let mut entries = fixtures::EMPTY_15.to_vec();
    // The count stands before the first entry, whose id and flag come next.
    let name = memchr::memmem::find(&entries, b"ENCODING").unwrap();
    let count = name - 5 - 6 - 6 - 5 - 5 - 5;
    entries[count + 1..count + 5].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
    for archive in [chunk, string, entries] {
        let started = Instant::now();
        let before = resident();
        assert!(inspect(&archive[..], |_| {}).is_err());
        assert!(started.elapsed() < Duration::from_secs(2));
        assert!(resident().saturating_sub(before) < 64 * 1024 * 1024);
    }
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn sources() -> Vec<Vec<u8>> {
    let mut sources: Vec<Vec<u8>> = fixtures::ALL.iter().map(|(_, archive)| archive.to_vec()).collect();
    sources.push(compressed(fixtures::ZOO_18_NONE, Compression::Zstd, fixtures::one_zstd_frame));
    sources.push(compressed(fixtures::ZOO_18_NONE, Compression::Lz4, fixtures::one_lz4_frame));
    sources.push(compressed(fixtures::LATIN1_18, Compression::Zstd, fixtures::one_zstd_frame));
    sources.push(compressed(fixtures::LATIN1_18, Compression::Lz4, fixtures::one_lz4_frame));
    sources
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_end_in_an_answer(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        thread_local!(static SOURCES: Vec<Vec<u8>> = sources());
        let mut archive = SOURCES.with(|sources| which.get(sources).clone());
        for (at, byte) in &changes {
            let at = at.index(archive.len());
            archive[at] = *byte;
        }
        if changes.len() == 1 {
            archive.truncate(cut.index(archive.len()));
        }
        let started = Instant::now();
        let answer = inspect(&archive[..], |_| {});
        let soon = started.elapsed() < Duration::from_secs(5);
        prop_assert!(soon);
        let mut out = Vec::new();
        let again = recode(&archive[..], &mut out, Recoding { coding: Coding::None, readable_by: None });
        // Both read the same; only the count of large objects is inspect's own.
        if answer.is_ok() {
            prop_assert!(again.is_ok());
        }
        if let Err(error) = answer {
            let text = error.to_string();
            prop_assert!(!text.is_empty());
        }
    }

    #[test]
    fn invented_bytes_end_in_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400), minor in 12u8..17) {
        let mut archive = vec![b'P', b'G', b'D', b'M', b'P', 1, minor, 0, 4, 8, 1, 0, 0, 0, 0, 0];
        archive.extend(bytes);
        let refused = inspect(&archive[..], |_| {}).is_err();
        prop_assert!(refused);
    }
}
