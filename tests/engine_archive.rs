//! An archive of ours that was damaged on its way: we find every damage, and stock
//! pg_restore stops at those that change what a table holds.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use backstop::archive::{Coding, Contents, Recoding, inspect, read_toc, recode};
use backstop_policy::manifest::Manifest;

use crate::support::scene::{Scene, shared, shared_18};
use crate::support::tools;

const TABLES: &str = "
    CREATE TABLE a AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 60000) n;
    CREATE TABLE b AS SELECT n AS id, repeat(md5(n::text), 9) AS words FROM generate_series(1, 20000) n;
    CREATE TABLE empty (id int); CREATE TABLE zlast AS SELECT 1 AS id;
    SELECT lo_from_bytea(0, decode(repeat(md5('x'), 9000), 'hex')) FROM generate_series(1, 3)";

struct Archive {
    bytes: Vec<u8>,
    /// Where the rows begin.
    data: usize,
    contents: Contents,
}

async fn archive(major: u32, name: &str, arguments: &[&str]) -> Archive {
    let server = if major == 15 { shared().await } else { shared_18().await };
    let scene = Scene::bare(server, name, TABLES).await;
    let taken = scene.backup(&[arguments, &["--format", "json"]].concat()).run().ended(0);
    let manifest: Manifest = serde_json::from_str(&taken.stdout).unwrap();
    let bytes = std::fs::read(scene.store_path().join(&manifest.artifact.key)).unwrap();
    let contents = inspect(&bytes[..], |_| {}).unwrap();
    let (_, head) = read_toc(&mut &bytes[..]).unwrap();
    server.sql("postgres", &format!("DROP DATABASE {name}")).await;
    Archive { data: head.len(), bytes, contents }
}

/// Whether a stock pg_restore is content with it.
fn restores(programs: &Path, archive: &[u8]) -> bool {
    let mut child = Command::new(programs.join("pg_restore"))
        .arg("--file=/dev/null")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It may have seen enough.
    let _ = child.stdin.take().unwrap().write_all(archive);
    child.wait().unwrap().success()
}

/// The same archive, its blocks not compressed.
fn plain(archive: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    recode(archive, &mut plain, Recoding { coding: Coding::None, readable_by: None }).unwrap();
    plain
}

/// Chunks of the first block: where each begins with its length, and where it ends.
fn chunks(archive: &Archive) -> Vec<std::ops::Range<usize>> {
    // A kind and a number before them.
    let mut at = archive.data + 1 + 5;
    let mut found = Vec::new();
    loop {
        let head = &archive.bytes[at..at + 5];
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length == 0 {
            return found;
        }
        found.push(at..at + 5 + length);
        at += 5 + length;
    }
}

#[tokio::test]
async fn a_flipped_bit_is_found_at_every_depth() {
    for (major, name, arguments, programs) in [
        (18, "flipped_zstd", &[][..], vec![tools::client(17), tools::client(18)]),
        (15, "flipped_gzip", &[][..], vec![tools::client(15), tools::client(18)]),
        (18, "flipped_gzip", &["--compress", "gzip:9"][..], vec![tools::postgres(18)]),
    ] {
        let archive = archive(major, name, arguments).await;
        assert!(programs.iter().all(|programs| restores(programs, &archive.bytes)));
        let rows = archive.bytes.len() - archive.data;
        for n in 0..120 {
            let at = archive.data + rows * n / 120;
            let mut damaged = archive.bytes.clone();
            damaged[at] ^= 1 << (n % 8);
            // Bits that only fill the last byte of a piece of deflate mean nothing.
            assert!(
                inspect(&damaged[..], |_| {}).is_err() || plain(&damaged) == plain(&archive.bytes),
                "{name}: bit {} of byte {at} of the rows",
                n % 8
            );
        }
        // In the middle of a chunk of rows, so that a length is not what it meets.
        let chunks = chunks(&archive);
        assert!(chunks.len() > 3, "{chunks:?}");
        for chunk in [&chunks[1], &chunks[chunks.len() / 2]] {
            let mut damaged = archive.bytes.clone();
            damaged[usize::midpoint(chunk.start, chunk.end)] ^= 4;
            for programs in &programs {
                assert!(!restores(programs, &damaged), "{name}: {}", programs.display());
            }
        }
    }
}

#[tokio::test]
async fn an_end_that_is_missing_is_found_wherever_it_is() {
    let archive = archive(18, "truncated", &[]).await;
    let length = archive.bytes.len();
    let ends =
        (1..40).map(|n| length - n).chain((1..40).map(|n| length * n / 40)).chain([0, 5, archive.data]);
    for end in ends {
        assert!(inspect(&archive.bytes[..end], |_| {}).is_err(), "{end} of {length} bytes");
    }
    let mut longer = archive.bytes.clone();
    longer.push(0);
    assert!(inspect(&longer[..], |_| {}).is_err(), "a byte more");
    assert!(!restores(&tools::client(18), &archive.bytes[..length * 2 / 3]));
}

/// A whole chunk is missing, or comes twice: each that is left is sound, and stock
/// pg_restore finds nothing. By its rows, the table is not what the proof says.
#[tokio::test]
async fn a_piece_that_is_missing_is_seen_by_the_count_of_rows() {
    let archive = archive(18, "missing_piece", &[]).await;
    let rows = |contents: &Contents, name: &str| {
        contents.tables.iter().find(|table| table.name == name).unwrap().rows.unwrap()
    };
    assert_eq!(rows(&archive.contents, "a"), 60_000);
    let chunk = chunks(&archive)[2].clone();
    let without = [&archive.bytes[..chunk.start], &archive.bytes[chunk.end..]].concat();
    assert!(restores(&tools::client(18), &without), "if it has learnt to see that, say so");
    let twice = [&archive.bytes[..chunk.end], &archive.bytes[chunk.start..]].concat();
    let (fewer, more) = (inspect(&without[..], |_| {}).unwrap(), inspect(&twice[..], |_| {}).unwrap());
    let count = 60_000 - rows(&fewer, "a");
    assert!(count > 1000, "{count}");
    assert_eq!(rows(&more, "a"), 60_000 + count);
    assert_eq!(rows(&fewer, "b"), 20_000);
}
