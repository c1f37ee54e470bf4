//! An archive flows in, the same archive flows out with its data blocks stored
//! or compressed otherwise, and if asked in an older format: so that a pg_restore
//! without zstd (PostgreSQL 15's, some builds of newer ones) can read it.
//!
//! Objects, their order and their bytes stay; nothing is written before the
//! table of contents was read and found to be expressible.

use std::io::{BufReader, Read, Write};

use super::blocks::{self, Visitor};
use super::copy::Rows;
use super::decode::Sink;
use super::frame::Coding;
use super::head::Head;
use super::input::Input;
use super::toc::{Entry, Toc, read_kept};
use super::write::BlockWriter;
use super::{Compression, Error};

/// What becomes of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recoding {
    pub coding: Coding,
    /// Write the format that this major version of pg_restore reads, where the
    /// archive's own is newer.
    pub readable_by: Option<u32>,
}

/// Read an archive to its end and write it anew; yields the table of contents of
/// what was read. On an error, what was written is no archive.
///
/// A lower format loses nothing, or is refused:
/// - 1.16 to 1.15 drops each relation's kind, which pg_restore 17 uses only to set
///   the access method of a partitioned table; an archive that has one is
///   refused, and so is one with grouped large objects (pg_dump 17 and newer),
///   whose list of OIDs an older pg_restore would take for SQL.
/// - 1.15 to 1.14 names the compression by a level, so it can be none or gzip.
pub fn recode(reader: impl Read, writer: impl Write, recoding: Recoding) -> Result<Toc, Error> {
    let mut input = Input::new(BufReader::with_capacity(256 * 1024, reader));
    let toc = read_kept(&mut input)?;
    let raw = input.kept();
    let minor = target_minor(&toc, recoding)?;
    let mut out = BlockWriter::new(writer, recoding.coding)?;
    let mut head = Vec::with_capacity(raw.len());
    Head { coding: recoding.coding, minor, key: None }.write(&toc, &raw, &mut head)?;
    out.raw(&head)?;
    drop((raw, head));
    let mut recoder = Recoder { out, rows: None };
    blocks::walk(&mut input, &toc, &mut recoder)?;
    recoder.out.flush()?;
    Ok(toc)
}

/// The newest format that `major` reads, never newer than the archive's own.
fn target_minor(toc: &Toc, recoding: Recoding) -> Result<u8, Error> {
    let own = toc.header.version.1;
    let minor = match recoding.readable_by {
        None | Some(17..) => own,
        Some(16) => own.min(15),
        Some(..16) => own.min(14),
    };
    let refuse = |why| Error::CannotLower { version: format!("1.{minor}"), why };
    if minor < 16 && own >= 16 {
        if toc.entries.iter().any(|entry| entry.desc == "BLOB METADATA") {
            return Err(refuse(
                "its large objects are grouped, which older versions of pg_restore do not know",
            ));
        }
        if toc.entries.iter().any(|entry| entry.relkind == Some('p') && !entry.table_am.is_empty()) {
            return Err(refuse("a partitioned table has an access method of its own"));
        }
    }
    if minor < 15 && recoding.coding.compression() == Compression::Zstd {
        return Err(refuse("it has no zstd"));
    }
    Ok(minor)
}

struct Recoder<W> {
    out: BlockWriter<W>,
    /// Of COPY text: a table that lost its end must not pass on as whole.
    rows: Option<Rows>,
}

impl<W: Write> Sink for Recoder<W> {
    fn plain(&mut self, piece: &[u8]) -> Result<(), Error> {
        if let Some(rows) = &mut self.rows {
            rows.feed(piece);
        }
        self.out.data(piece)
    }
}

impl<W: Write> Visitor for Recoder<W> {
    fn table(&mut self, entry: &Entry) -> Result<(), Error> {
        self.rows = entry.is_copy().then(Rows::default);
        self.out.begin_table(entry.dump_id)
    }

    fn table_end(&mut self) -> Result<Result<(), &'static str>, Error> {
        if let Some(Err(what)) = self.rows.take().map(Rows::finish) {
            return Ok(Err(what));
        }
        self.out.end_object().map(Ok)
    }

    fn large_objects(&mut self, entry: &Entry) -> Result<(), Error> {
        self.rows = None;
        self.out.begin_large_objects(entry.dump_id)
    }

    fn large_object(&mut self, oid: u32) -> Result<(), Error> {
        self.out.begin_large_object(oid)
    }

    fn large_object_end(&mut self) -> Result<(), Error> {
        self.out.end_object()
    }

    fn large_objects_end(&mut self) -> Result<(), Error> {
        self.out.end_large_objects()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, compressed, pg_restore};
    use super::*;
    use crate::archive::inspect;

    fn recoded(archive: &[u8], coding: Coding, readable_by: Option<u32>) -> Vec<u8> {
        let mut out = Vec::new();
        recode(archive, &mut out, Recoding { coding, readable_by }).unwrap();
        out
    }

    #[test]
    fn pg_restore_prints_the_same_of_a_recoded_archive() {
        let expected = pg_restore(fixtures::ZOO_15_GZIP);
        assert!(expected.len() > 20_000);
        for coding in [Coding::None, Coding::Gzip(1), Coding::Gzip(9)] {
            for archive in [fixtures::ZOO_15_GZIP, fixtures::ZOO_15_NONE] {
                assert!(pg_restore(&recoded(archive, coding, None)) == expected, "{coding:?}");
            }
        }
    }

    #[test]
    fn an_older_pg_restore_reads_a_lowered_archive() {
        let zstd = compressed(fixtures::NO_BLOBS_18, Compression::Zstd, fixtures::one_zstd_frame);
        let lz4 = compressed(fixtures::NO_BLOBS_18, Compression::Lz4, fixtures::one_lz4_frame);
        // What pg_restore itself prints differently since 16 and 17.
        let expected = String::from_utf8(fixtures::NO_BLOBS_18_SQL.to_vec()).unwrap();
        let expected = expected.replacen("SET transaction_timeout = 0;\n", "", 1);
        let older_words = |line: &str| match line {
            line if !line.contains(" OWNER TO ") => line.to_owned(),
            line => line
                .replace("ALTER SEQUENCE ", "ALTER TABLE ")
                .replace("ALTER MATERIALIZED VIEW ", "ALTER TABLE ")
                .replace("ALTER VIEW ", "ALTER TABLE "),
        };
        let expected: String = expected.split_inclusive('\n').map(older_words).collect();
        for archive in [fixtures::NO_BLOBS_18, &zstd, &lz4] {
            for coding in [Coding::None, Coding::Gzip(6)] {
                let lowered = recoded(archive, coding, Some(15));
                let contents = inspect(&lowered[..], |_| {}).unwrap();
                assert_eq!(contents.toc.header.format_version(), "1.14");
                assert_eq!(contents.toc.header.oldest_pg_restore(), 12);
                similar(&pg_restore(&lowered), expected.as_bytes());
            }
        }
    }

    fn similar(found: &[u8], expected: &[u8]) {
        let (found, expected) = (String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
        for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "line {number}");
        }
        assert_eq!(found.lines().count(), expected.lines().count());
    }

    #[test]
    fn there_and_back_is_the_same_archive() {
        for (name, archive) in fixtures::ALL {
            let before = inspect(archive, |_| {}).unwrap();
            let stored = recoded(archive, Coding::None, None);
            for coding in [Coding::Gzip(6), Coding::Zstd(3)] {
                if coding.compression() == Compression::Zstd && before.toc.header.version < (1, 15, 0) {
                    continue;
                }
                let coded = recoded(archive, coding, None);
                let after = inspect(&coded[..], |_| {}).unwrap();
                assert_eq!(after.tables, before.tables, "{name}");
                assert_eq!(after.plain_bytes, before.plain_bytes);
                assert_eq!(after.toc.header.compression, coding.compression());
                assert!(recoded(&coded, Coding::None, None) == stored, "{name}");
            }
        }
    }

    #[test]
    fn what_an_older_format_cannot_say_is_refused_before_a_byte_is_written() {
        let mut out = Vec::new();
        let lower = Recoding { coding: Coding::None, readable_by: Some(15) };
        let error = recode(fixtures::ZOO_18_NONE, &mut out, lower).unwrap_err();
        assert!(error.to_string().contains("large objects are grouped"), "{error}");
        let zstd = Recoding { coding: Coding::Zstd(3), readable_by: None };
        let error = recode(fixtures::ZOO_15_NONE, &mut out, zstd).unwrap_err();
        assert_eq!(error.to_string(), "the archive cannot be written as format 1.14: it has no zstd");
        assert!(out.is_empty());
    }

    #[test]
    fn chunks_are_moderate_and_end_with_a_row() {
        // 6,000 rows of 100 bytes in one chunk, as no pg_dump writes it.
        let rows = format!("{}\n", "x".repeat(99)).repeat(6000) + "\\.\n\n\n";
        let one = |plain: &[u8]| match plain {
            b"\\.\n\n\n" => vec![rows.as_bytes().to_vec()],
            plain => vec![plain.to_vec()],
        };
        let archive = compressed(fixtures::ZOO_18_NONE, Compression::None, one);
        let stored = recoded(&archive, Coding::None, None);
        let empty = inspect(&stored[..], |_| {}).unwrap().tables.into_iter().find(|t| t.name == "empty");
        assert_eq!(empty.unwrap().rows, Some(6000));
        let at = memchr::memmem::find(&stored, b"xxxx").unwrap();
        let length = u32::from_le_bytes(stored[at - 4..at].try_into().unwrap());
        assert_eq!(length, 262_100);
    }
}
