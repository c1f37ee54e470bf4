//! Real archives (tests/fixtures/archives, made by scripts/make-fixtures) for
//! this room's tests, and the compressions that no client at hand writes.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::blocks::{self, Visitor};
use super::decode::Sink;
use super::input::Input;
use super::select::Plan;
use super::toc::{Entry, Toc, read_kept, read_toc};
use super::write::int;
use super::{Compression, Error};

macro_rules! archive {
    ($name:ident, $file:literal) => {
        pub(crate) const $name: &[u8] = include_bytes!(concat!("../../../tests/fixtures/archives/", $file));
    };
}

archive!(ZOO_15_GZIP, "zoo-15-gzip.dump");
archive!(ZOO_15_NONE, "zoo-15-none.dump");
archive!(ZOO_18_GZIP, "zoo-18-gzip.dump");
archive!(ZOO_18_NONE, "zoo-18-none.dump");
archive!(INSERTS_15, "inserts-15.dump");
archive!(INSERTS_18, "inserts-18.dump");
archive!(LATIN1_15, "latin1-15-redirected.dump");
archive!(LATIN1_18, "latin1-18-redirected.dump");
archive!(EMPTY_15, "empty-15.dump");
archive!(EMPTY_18, "empty-18.dump");

archive!(NO_BLOBS_18, "no-blobs-18.dump");

/// What pg_restore 18 prints for [`NO_BLOBS_18`], without comments.
pub(super) const NO_BLOBS_18_SQL: &[u8] = include_bytes!("../../../tests/fixtures/archives/no-blobs-18.sql");

pub(super) const ALL: [(&str, &[u8]); 11] = [
    ("zoo 15 gzip", ZOO_15_GZIP),
    ("zoo 15 none", ZOO_15_NONE),
    ("zoo 18 gzip", ZOO_18_GZIP),
    ("zoo 18 none", ZOO_18_NONE),
    ("no blobs 18", NO_BLOBS_18),
    ("inserts 15", INSERTS_15),
    ("inserts 18", INSERTS_18),
    ("latin1 15", LATIN1_15),
    ("latin1 18", LATIN1_18),
    ("empty 15", EMPTY_15),
    ("empty 18", EMPTY_18),
];

/// The archive with the chunks that `compress` makes of each object's plain
/// bytes. Of format 1.15 or newer, since older ones name no algorithm.
pub(super) fn compressed(
    archive: &[u8],
    algorithm: Compression,
    compress: impl FnMut(&[u8]) -> Vec<Vec<u8>>,
) -> Vec<u8> {
    let mut input = Input::new(archive);
    let toc = read_kept(&mut input).unwrap();
    let mut out = input.kept();
    assert!(toc.header.version >= (1, 15, 0));
    out[11] = match algorithm {
        Compression::None => 0,
        Compression::Gzip => 1,
        Compression::Lz4 => 2,
        Compression::Zstd => 3,
    };
    let mut rewriter = Rewriter { out, object: Vec::new(), compress };
    blocks::walk(&mut input, &toc, &mut rewriter).unwrap();
    rewriter.out
}

/// As pg_dump does: one frame an object, in chunks of an awkward size.
pub(super) fn one_zstd_frame(plain: &[u8]) -> Vec<Vec<u8>> {
    zstd::bulk::compress(plain, 3).unwrap().chunks(777).map(<[u8]>::to_vec).collect()
}

/// As pg_dump does: one frame an object, blocks linked, no checksum.
pub(super) fn one_lz4_frame(plain: &[u8]) -> Vec<Vec<u8>> {
    lz4_frame(plain).chunks(777).map(<[u8]>::to_vec).collect()
}

pub(super) fn lz4_frame(plain: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new()
        .block_mode(lz4_flex::frame::BlockMode::Linked)
        .block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(plain).unwrap();
    let mut frame = encoder.finish().unwrap();
    if frame.is_empty() {
        // The encoder writes nothing for nothing; pg_dump writes an empty frame.
        frame = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 0, 0, 0, 0];
    }
    frame
}

/// What the installed pg_restore prints for an archive, without comments and
/// without the random key that newer versions print.
pub(super) fn pg_restore(archive: &[u8]) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), archive).unwrap();
    let output = Command::new("pg_restore")
        .args(["--file=-"])
        .arg(file.path())
        .stdin(Stdio::null())
        .output()
        .expect("pg_restore (Debian: postgresql-client) is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    without_comments(&output.stdout)
}

pub(super) fn without_comments(sql: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in sql.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b"--") && !line.starts_with(b"\\restrict") && !line.starts_with(b"\\unrestrict")
        {
            text.extend_from_slice(line);
        }
    }
    text
}

struct Rewriter<F> {
    out: Vec<u8>,
    object: Vec<u8>,
    compress: F,
}

impl<F: FnMut(&[u8]) -> Vec<Vec<u8>>> Rewriter<F> {
    fn end_object(&mut self) {
        let plain = std::mem::take(&mut self.object);
        // A chunk of no bytes would be the object's end.
        for chunk in (self.compress)(&plain).into_iter().filter(|chunk| !chunk.is_empty()) {
            self.out.extend(int(i64::try_from(chunk.len()).unwrap()));
            self.out.extend(chunk);
        }
        self.out.extend(int(0));
    }
}

impl<F> Sink for Rewriter<F> {
    fn plain(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.object.extend_from_slice(piece);
        Ok(())
    }
}

impl<F: FnMut(&[u8]) -> Vec<Vec<u8>>> Visitor for Rewriter<F> {
    fn table(&mut self, entry: &Entry) -> Result<(), Error> {
        self.out.push(blocks::DATA);
        self.out.extend(int(i64::from(entry.dump_id)));
        Ok(())
    }

    fn table_end(&mut self) -> Result<Result<(), &'static str>, Error> {
        self.end_object();
        Ok(Ok(()))
    }

    fn large_objects(&mut self, entry: &Entry) -> Result<(), Error> {
        self.out.push(blocks::BLOBS);
        self.out.extend(int(i64::from(entry.dump_id)));
        Ok(())
    }

    fn large_object(&mut self, oid: u32) -> Result<(), Error> {
        self.out.extend(int(i64::from(oid)));
        Ok(())
    }

    fn large_object_end(&mut self) -> Result<(), Error> {
        self.end_object();
        Ok(())
    }

    fn large_objects_end(&mut self) -> Result<(), Error> {
        self.out.extend(int(0));
        Ok(())
    }
}

/// Nothing is left out.
pub(crate) fn everything(toc: &Toc) -> Plan {
    Plan { entries: toc.entries.iter().map(|entry| entry.dump_id).collect(), ..Plan::default() }
}

pub(crate) fn toc(mut archive: &[u8]) -> (Toc, Vec<u8>) {
    read_toc(&mut archive).unwrap()
}
