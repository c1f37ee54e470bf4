//! A whole archive flows in; what is in it flows out, and only when every block
//! was read to its end. Listing alone (`pg_restore --list`) passes half a file.
//!
//! What it finds: a cut at any byte, missing, repeated, reordered or foreign
//! blocks, anything appended, every change of what a gzip block (Adler-32) or a
//! frame with a checksum holds. What nobody can find by structure alone: a
//! changed byte inside a row of an uncompressed archive, or of a zstd or lz4
//! frame without a checksum, which is what pg_dump writes. There the object's
//! digest is what proves it.

use std::io::{BufReader, Read};

use super::Error;
use super::blocks::{self, Visitor};
use super::copy::Rows;
use super::decode::Sink;
use super::digest::RowSum;
use super::input::Input;
use super::toc::{Entry, Toc, read_kept};

/// Bytes read from the source at once.
const BUFFER: usize = 256 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    pub toc: Toc,
    /// In the order of the archive.
    pub tables: Vec<TableRows>,
    pub large_objects: u64,
    pub large_object_bytes: u64,
    /// All data, decompressed.
    pub plain_bytes: u64,
    /// The archive's own length.
    pub bytes: u64,
    /// pg_dump 18 wrote to a redirected standard output, and left a second table
    /// of contents at the end; it does no harm.
    pub toc_repeated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRows {
    pub dump_id: i32,
    /// The table's OID in the database that was dumped.
    pub oid: u32,
    pub schema: String,
    pub name: String,
    /// Absent where pg_dump was asked for INSERT statements.
    pub rows: Option<u64>,
    /// Of the rows' text, without the marker that ends them.
    pub bytes: u64,
    /// What they add up to, where they were copied by ourselves.
    pub sum: Option<RowSum>,
}

/// Read everything. `on_toc` is called once, as soon as the table of contents is
/// complete: a backup counts the same rows in its snapshot meanwhile.
pub fn inspect(reader: impl Read, on_toc: impl FnOnce(&Toc)) -> Result<Contents, Error> {
    let mut input = Input::new(BufReader::with_capacity(BUFFER, reader));
    let toc = read_kept(&mut input)?;
    drop(input.kept());
    on_toc(&toc);
    let mut tally = Tally::default();
    let end = blocks::walk(&mut input, &toc, &mut tally)?;
    let contents = tally.contents(toc, input.position())?;
    Ok(Contents { toc_repeated: end.toc_repeated, ..contents })
}

/// How many large objects must have data: each has an entry of its own up to
/// pg_dump 16, and stands in a list of OIDs from 17 on. `None` where the archive
/// holds definitions only.
pub(super) fn listed_large_objects(toc: &Toc) -> Option<u64> {
    if !toc.entries.iter().any(|entry| entry.desc == "BLOBS") {
        return None;
    }
    let count = |entry: &Entry| match entry.desc.as_str() {
        "BLOB" => 1,
        "BLOB METADATA" => entry.definition.split_ascii_whitespace().count() as u64,
        _ => 0,
    };
    Some(toc.entries.iter().map(count).sum())
}

/// Counts what it is told of.
#[derive(Default)]
pub(super) struct Tally {
    tables: Vec<TableRows>,
    /// Of the table whose bytes are coming in, where they are COPY text.
    rows: Option<Rows>,
    block_bytes: u64,
    large_objects: u64,
    large_object_bytes: u64,
    plain_bytes: u64,
}

impl Tally {
    /// What was counted in an archive of so many bytes.
    pub(super) fn contents(self, toc: Toc, bytes: u64) -> Result<Contents, Error> {
        if let Some(listed) = listed_large_objects(&toc)
            && listed != self.large_objects
        {
            return Err(Error::LargeObjects { listed, found: self.large_objects });
        }
        Ok(Contents {
            tables: self.tables,
            large_objects: self.large_objects,
            large_object_bytes: self.large_object_bytes,
            plain_bytes: self.plain_bytes,
            bytes,
            toc_repeated: false,
            toc,
        })
    }
}

impl Sink for Tally {
    fn plain(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.plain_bytes += piece.len() as u64;
        self.block_bytes += piece.len() as u64;
        if let Some(rows) = &mut self.rows {
            rows.feed(piece);
        }
        Ok(())
    }
}

impl Visitor for Tally {
    fn table(&mut self, entry: &Entry) -> Result<(), Error> {
        self.block_bytes = 0;
        self.rows = entry.is_copy().then(Rows::default);
        self.tables.push(TableRows {
            dump_id: entry.dump_id,
            oid: entry.oid,
            schema: entry.namespace.clone(),
            name: entry.tag.clone(),
            rows: None,
            bytes: 0,
            sum: None,
        });
        Ok(())
    }

    fn table_end(&mut self) -> Result<Result<(), &'static str>, Error> {
        let counted = match self.rows.take().map(Rows::finish).transpose() {
            Ok(counted) => counted,
            Err(what) => return Ok(Err(what)),
        };
        if let Some(table) = self.tables.last_mut() {
            table.bytes = counted.as_ref().map_or(self.block_bytes, |counted| counted.bytes);
            table.rows = counted.map(|counted| counted.rows);
        }
        Ok(Ok(()))
    }

    fn large_objects(&mut self, _: &Entry) -> Result<(), Error> {
        Ok(())
    }

    fn large_object(&mut self, _: u32) -> Result<(), Error> {
        self.large_objects += 1;
        self.block_bytes = 0;
        Ok(())
    }

    fn large_object_end(&mut self) -> Result<(), Error> {
        self.large_object_bytes += self.block_bytes;
        Ok(())
    }

    fn large_objects_end(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, compressed};
    use super::*;
    use crate::archive::Compression;

    fn rows(contents: &Contents) -> Vec<(String, Option<u64>)> {
        let name = |table: &TableRows| format!("{}.{}", table.schema, table.name.replace('\n', "/"));
        contents.tables.iter().map(|table| (name(table), table.rows)).collect()
    }

    fn rows_of(contents: &Contents, schema: &str, name: &str) -> u64 {
        let table = contents.tables.iter().find(|table| table.schema == schema && table.name == name);
        table.unwrap().rows.unwrap()
    }

    #[test]
    fn every_row_and_every_large_object_is_counted() {
        for archive in
            [fixtures::ZOO_15_GZIP, fixtures::ZOO_15_NONE, fixtures::ZOO_18_GZIP, fixtures::ZOO_18_NONE]
        {
            let mut called = 0;
            let contents = inspect(archive, |toc| called = toc.entries.len()).unwrap();
            assert_eq!(called, contents.toc.entries.len());
            assert_eq!(rows_of(&contents, "shop", "orders"), 120);
            assert_eq!(rows_of(&contents, "shop", "products"), 40);
            assert_eq!(rows_of(&contents, "we\"ird schema", "tab le\n-- x"), 3);
            assert_eq!(rows_of(&contents, "public", "only_marker"), 7);
            assert_eq!(rows_of(&contents, "public", "zero_columns"), 5);
            assert_eq!(rows_of(&contents, "public", "empty"), 0);
            assert_eq!(
                rows_of(&contents, "public", "by_state_0") + rows_of(&contents, "public", "by_state_1"),
                12
            );
            assert_eq!(contents.large_objects, 3);
            assert_eq!(contents.large_object_bytes, 14 + 4800);
            assert_eq!(contents.bytes, archive.len() as u64);
            assert!(!contents.toc_repeated);
        }
    }

    #[test]
    fn the_same_is_found_however_the_blocks_are_compressed() {
        let stored = inspect(fixtures::ZOO_18_NONE, |_| {}).unwrap();
        let gzip = inspect(fixtures::ZOO_18_GZIP, |_| {}).unwrap();
        assert_eq!(gzip.tables, stored.tables);
        assert_eq!(gzip.plain_bytes, stored.plain_bytes);
        for (archive, algorithm) in [
            (
                compressed(fixtures::ZOO_18_NONE, Compression::Zstd, fixtures::one_zstd_frame),
                Compression::Zstd,
            ),
            (compressed(fixtures::ZOO_18_NONE, Compression::Lz4, fixtures::one_lz4_frame), Compression::Lz4),
        ] {
            let found = inspect(&archive[..], |_| {}).unwrap();
            assert_eq!(found.toc.header.compression, algorithm);
            assert_eq!(rows(&found), rows(&stored));
            assert_eq!(found.plain_bytes, stored.plain_bytes);
            assert_eq!(found.large_object_bytes, stored.large_object_bytes);
        }
    }

    #[test]
    fn frames_that_begin_with_a_chunk_are_read_and_others_refused() {
        let cut = |plain: &[u8]| plain.chunks(50).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let zstd = |plain: &[u8]| zstd::bulk::compress(plain, 3).unwrap();
        let apart = |plain: &[u8]| cut(plain).iter().map(|piece| zstd(piece)).collect();
        let archive = compressed(fixtures::ZOO_18_NONE, Compression::Zstd, apart);
        assert_eq!(inspect(&archive[..], |_| {}).unwrap().large_objects, 3);

        let glued = |plain: &[u8]| vec![cut(plain).iter().flat_map(|piece| zstd(piece)).collect()];
        let archive = compressed(fixtures::ZOO_18_NONE, Compression::Zstd, glued);
        let error = inspect(&archive[..], |_| {}).unwrap_err();
        assert!(error.to_string().contains("in the middle of a chunk"), "{error}");

        let glued =
            |plain: &[u8]| vec![cut(plain).iter().flat_map(|piece| fixtures::lz4_frame(piece)).collect()];
        let archive = compressed(fixtures::ZOO_18_NONE, Compression::Lz4, glued);
        assert_eq!(inspect(&archive[..], |_| {}).unwrap().large_objects, 3);
    }

    #[test]
    fn an_object_whose_stream_is_cut_or_followed_is_damaged() {
        type Frame = fn(&[u8]) -> Vec<u8>;
        let zlib: Frame = |plain| {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, plain).unwrap();
            encoder.finish().unwrap()
        };
        let zstd: Frame = |plain| zstd::bulk::compress(plain, 3).unwrap();
        for (algorithm, frame) in [
            (Compression::Gzip, zlib),
            (Compression::Zstd, zstd),
            (Compression::Lz4, fixtures::lz4_frame as Frame),
        ] {
            // Every length of the stream but its own: the large object of 14 bytes,
            // in the archive's last blocks, has no marker of its own to tell.
            for missing in 1..20 {
                let short = |plain: &[u8]| {
                    let mut bytes = frame(plain);
                    if plain == b"a large object" {
                        bytes.truncate(bytes.len().saturating_sub(missing).max(1));
                    }
                    vec![bytes]
                };
                let archive = compressed(fixtures::ZOO_18_NONE, algorithm, short);
                let error = inspect(&archive[..], |_| {}).unwrap_err();
                assert!(matches!(error, Error::DamagedData { .. }), "{algorithm} -{missing}: {error}");
            }
            let followed = |plain: &[u8]| vec![[&frame(plain)[..], b"x"].concat()];
            let archive = compressed(fixtures::ZOO_18_NONE, algorithm, followed);
            let error = inspect(&archive[..], |_| {}).unwrap_err();
            assert!(matches!(error, Error::DamagedData { .. }), "{algorithm}: {error}");
        }
        // pg_restore would never come back from this one.
        let twice = |plain: &[u8]| vec![[zlib(plain), zlib(plain)].concat()];
        let error = inspect(&compressed(fixtures::ZOO_18_NONE, Compression::Gzip, twice)[..], |_| {});
        assert!(error.unwrap_err().to_string().contains("second zlib stream"));
    }

    #[test]
    fn insert_statements_have_no_row_count() {
        for archive in [fixtures::INSERTS_15, fixtures::INSERTS_18] {
            let contents = inspect(archive, |_| {}).unwrap();
            assert_eq!(rows(&contents), [("shop.products".to_owned(), None)]);
            assert!(contents.tables[0].bytes > 1000);
        }
    }

    #[test]
    fn the_second_table_of_contents_of_a_redirected_pg_dump_18_does_no_harm() {
        let contents = inspect(fixtures::LATIN1_18, |_| {}).unwrap();
        assert!(contents.toc_repeated);
        assert_eq!(rows(&contents), [("public.größe".to_owned(), Some(1))]);
        assert!(!inspect(fixtures::LATIN1_15, |_| {}).unwrap().toc_repeated);
    }
}
