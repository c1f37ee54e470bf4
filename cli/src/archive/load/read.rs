//! The data blocks of an archive, read once and in order on a thread of its own:
//! the rest of the stream flows in, the pieces of what is wanted flow out through
//! a channel. Then the stream is read to its very end, where its digests are told,
//! and only if that was good the end is said.

use std::io::{self, Read};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::PIECE;
use super::frames::{Budget, Decoders, Plain};
use super::stages::{Stages, Table};
use crate::archive::Error;
use crate::archive::blocks::{self, Visitor};
use crate::archive::decode::Sink;
use crate::archive::input::Input;
use crate::archive::toc::{Entry, Toc};

/// What is read, in the archive's order.
pub enum Piece {
    /// A table's data begins.
    Table(Arc<Table>),
    /// Bytes of the table or large object.
    Data(Plain),
    TableEnd,
    LargeObject(u32),
    LargeObjectEnd,
    /// Nothing follows, and the stream ended well.
    End,
}

/// What is to be read, and how.
pub struct Reading {
    pub toc: Arc<Toc>,
    pub stages: Arc<Stages>,
    /// Bytes before the first block.
    pub position: u64,
    /// Threads that decompress.
    pub decoders: usize,
}

/// Read on behind the table of contents. Blocks; to be called on a thread where a
/// runtime is entered.
pub fn read(rest: impl Read, reading: &Reading, pieces: mpsc::Sender<Piece>) -> Result<(), Error> {
    let mut input = Input::at(rest, reading.position);
    let mut reader = Reader {
        stages: &reading.stages,
        pieces,
        budget: Budget::new(),
        decoders: Decoders::start(reading.decoders),
        waiting: Vec::new(),
        object: Arc::from(""),
    };
    blocks::walk_wanted(&mut input, &reading.toc, &mut reader)?;
    io::copy(&mut input.into_inner(), &mut io::sink()).map_err(Error::Read)?;
    reader.say(Piece::End)
}

struct Reader<'a> {
    stages: &'a Stages,
    pieces: mpsc::Sender<Piece>,
    budget: Budget,
    decoders: Decoders,
    /// Small pieces are gathered.
    waiting: Vec<u8>,
    /// Whose data it is.
    object: Arc<str>,
}

impl Reader<'_> {
    fn say(&self, piece: Piece) -> Result<(), Error> {
        let gone =
            |_| Error::Read(io::Error::new(io::ErrorKind::BrokenPipe, "nobody takes the rows any more"));
        self.pieces.blocking_send(piece).map_err(gone)
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = self.budget.ready(std::mem::take(&mut self.waiting))?;
        self.say(Piece::Data(piece))
    }
}

impl Sink for Reader<'_> {
    fn plain(&mut self, mut piece: &[u8]) -> Result<(), Error> {
        while !piece.is_empty() {
            if self.waiting.capacity() == 0 {
                self.waiting.reserve_exact(PIECE);
            }
            let (head, rest) = piece.split_at(piece.len().min(PIECE - self.waiting.len()));
            self.waiting.extend_from_slice(head);
            piece = rest;
            if self.waiting.len() == PIECE {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn takes_frames(&self) -> bool {
        true
    }

    fn frame(&mut self, frame: Vec<u8>, plain: usize, at: u64) -> Result<(), Error> {
        self.flush()?;
        let coming = self.decoders.decode(&self.budget, frame, plain, &self.object, at)?;
        self.say(Piece::Data(coming))
    }
}

impl Visitor for Reader<'_> {
    fn table(&mut self, entry: &Entry) -> Result<(), Error> {
        let Some(table) = self.stages.tables.get(&entry.dump_id) else { return Ok(()) };
        self.object = Arc::from(entry.name());
        self.say(Piece::Table(table.clone()))
    }

    fn table_end(&mut self) -> Result<Result<(), &'static str>, Error> {
        self.flush()?;
        self.say(Piece::TableEnd).map(Ok)
    }

    fn large_objects(&mut self, entry: &Entry) -> Result<(), Error> {
        self.object = Arc::from(entry.name());
        Ok(())
    }

    fn large_object(&mut self, oid: u32) -> Result<(), Error> {
        self.say(Piece::LargeObject(oid))
    }

    fn large_object_end(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.say(Piece::LargeObjectEnd)
    }

    fn large_objects_end(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn wants(&self, entry: &Entry) -> bool {
        self.stages.tables.contains_key(&entry.dump_id) || self.stages.large_objects.contains(&entry.dump_id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::archive::fixtures::{self, compressed};
    use crate::archive::load::{Cut, Cutter, stages};
    use crate::archive::select::Plan;
    use crate::archive::toc::read_toc;
    use crate::archive::{Coding, Compression, Recoding, recode};

    /// Rows by table and bytes by large object, as they come out of an archive.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Loaded {
        tables: BTreeMap<String, Vec<u8>>,
        large_objects: BTreeMap<u32, Vec<u8>>,
    }

    async fn loaded(archive: &[u8], all: bool) -> Result<Loaded, Error> {
        let mut rest = std::io::Cursor::new(archive.to_vec());
        let (toc, head) = read_toc(&mut rest)?;
        let wanted = |entry: &&Entry| all || entry.tag == "orders";
        let entries = toc.entries.iter().filter(wanted).map(|entry| entry.dump_id).collect();
        let stages = Arc::new(stages(&toc, &Plan { entries, ..Plan::default() }).unwrap());
        let reading = Reading { toc: Arc::new(toc), stages, position: head.len() as u64, decoders: 2 };
        let (sender, mut pieces) = mpsc::channel(4);
        let reader = tokio::task::spawn_blocking(move || read(rest, &reading, sender));
        let mut loaded = Loaded::default();
        let (mut table, mut object) = (None, None);
        let mut ended = false;
        while let Some(piece) = pieces.recv().await {
            match piece {
                Piece::Table(begun) => table = Some((begun.name.clone(), Cutter::default(), Vec::new())),
                Piece::LargeObject(oid) => {
                    loaded.large_objects.insert(oid, Vec::new());
                    object = Some(oid);
                }
                Piece::Data(bytes) => match (&mut table, object) {
                    (Some((_, cutter, cuts)), _) => cutter.feed(bytes.bytes().await?, cuts).unwrap(),
                    (None, Some(oid)) => {
                        loaded.large_objects.entry(oid).or_default().extend(bytes.bytes().await?);
                    }
                    (None, None) => panic!("bytes of nothing"),
                },
                Piece::TableEnd => {
                    let (name, cutter, cuts) = table.take().unwrap();
                    cutter.finish().unwrap();
                    let bytes = |cut: Cut| match cut {
                        Cut::Rows(bytes) | Cut::Open(bytes) | Cut::More(bytes) | Cut::Close(bytes) => {
                            bytes.to_vec()
                        }
                    };
                    loaded.tables.insert(name, cuts.into_iter().flat_map(bytes).collect());
                }
                Piece::LargeObjectEnd => object = None,
                Piece::End => ended = true,
            }
        }
        reader.await.unwrap()?;
        assert!(ended, "the end was not said");
        Ok(loaded)
    }

    #[tokio::test]
    async fn the_same_rows_come_out_of_every_compression() {
        let expected = loaded(fixtures::ZOO_18_NONE, true).await.unwrap();
        assert!(expected.tables.len() > 10 && expected.large_objects.len() > 1, "{expected:?}");
        let contents = crate::archive::inspect(fixtures::ZOO_18_NONE, |_| {}).unwrap();
        for table in &contents.tables {
            let bytes = expected.tables[&format!("{}.{}", table.schema, table.name)].len();
            assert_eq!(bytes as u64, table.bytes, "{}", table.name);
        }
        let of_frames = |coding| {
            let mut out = Vec::new();
            recode(fixtures::ZOO_18_NONE, &mut out, Recoding { coding, readable_by: None }).unwrap();
            out
        };
        for archive in [
            fixtures::ZOO_18_GZIP.to_vec(),
            of_frames(Coding::Zstd(3)),
            of_frames(Coding::Gzip(1)),
            compressed(fixtures::ZOO_18_NONE, Compression::Zstd, fixtures::one_zstd_frame),
            compressed(fixtures::ZOO_18_NONE, Compression::Lz4, fixtures::one_lz4_frame),
            // Frames that end anywhere in a row.
            compressed(fixtures::ZOO_18_NONE, Compression::Zstd, |plain| {
                plain.chunks(5).map(|chunk| zstd::bulk::compress(chunk, 1).unwrap()).collect()
            }),
        ] {
            let found = loaded(&archive, true).await.unwrap();
            assert_eq!(found.tables, expected.tables);
            assert!(found.large_objects == expected.large_objects);
        }
    }

    #[tokio::test]
    async fn what_is_not_wanted_is_passed_over() {
        let all = loaded(fixtures::ZOO_18_GZIP, true).await.unwrap();
        let one = loaded(fixtures::ZOO_18_GZIP, false).await.unwrap();
        let name = one.tables.keys().next().unwrap();
        assert_eq!((one.tables.len(), one.large_objects.len()), (1, 0));
        assert_eq!(one.tables[name], all.tables[name]);
    }

    #[tokio::test]
    async fn a_frame_that_does_not_decompress_names_its_table() {
        let mut archive = compressed(fixtures::ZOO_18_NONE, Compression::Zstd, |plain| {
            let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
            compressor.include_checksum(true).unwrap();
            vec![compressor.compress(plain).unwrap()]
        });
        let frame = memchr::memmem::rfind(&archive, &[0x28, 0xb5, 0x2f, 0xfd]).unwrap();
        archive[frame + 12] ^= 1;
        let error = loaded(&archive, true).await.unwrap_err().to_string();
        assert!(error.contains("is damaged before byte") && error.contains("zstd frame"), "{error}");
    }

    #[tokio::test]
    async fn a_cut_archive_says_no_end() {
        let archive = fixtures::ZOO_18_GZIP;
        for cut in [archive.len() - 1, archive.len() - 40] {
            loaded(&archive[..cut], true).await.unwrap_err();
        }
    }
}
