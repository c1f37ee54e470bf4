//! The dump as one stream of `pg_dump`, written anew on its way: read to its end,
//! its rows counted, its blocks compressed by us. It ends only when
//! the program ended well and its archive was whole.

use std::io::{self, Read, Write};
use std::thread::JoinHandle;

use super::super::Error;
use super::super::blocks::{self, Visitor};
use super::super::decode::Sink;
use super::super::frame::Coding;
use super::super::head::Head;
use super::super::input::Input;
use super::super::inspect::Tally;
use super::super::toc::{Entry, Toc};
use super::super::write::BlockWriter;
use super::Dumped;
use super::announced::{Announced, Ending};
use crate::stream;

pub(super) struct Stream {
    bytes: stream::Reader,
    passing: Option<JoinHandle<Result<Dumped, Error>>>,
}

impl Stream {
    pub(super) fn start(announced: Announced, coding: Coding) -> Self {
        let (sender, bytes) = stream::channel();
        let passing = std::thread::spawn(move || {
            let Announced { toc, head, mut rest, mut ending } = announced;
            let mut writer = Counted { inner: sender.into_writer(), bytes: 0 };
            let beginning = Head { coding, minor: toc.header.version.1, key: None };
            let passed = pass(&toc, &beginning, &head, &mut rest, &mut writer);
            let toc = beginning.written(toc);
            let Counted { inner: writer, bytes } = writer;
            let outcome = outcome(passed, &mut ending)
                .and_then(|(tally, warnings)| Ok(Dumped { contents: tally.contents(toc, bytes)?, warnings }));
            match outcome {
                Ok(dumped) => writer.end().map_err(Error::Write).map(|()| dumped),
                // Its reader is told by `finish`.
                Err(error) => Err(error),
            }
        });
        Self { bytes: bytes.into_reader(), passing: Some(passing) }
    }

    fn outcome(&mut self) -> Result<Dumped, Error> {
        let passing = self.passing.take().ok_or(Error::ThreadDied)?;
        passing.join().map_err(|_| Error::ThreadDied)?
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes
            .read(buffer)
            .map_err(|_| io::Error::other(self.outcome().err().unwrap_or(Error::ThreadDied)))
    }

    pub(super) fn finish(mut self) -> Result<Dumped, Error> {
        self.outcome()
    }
}

/// What pg_dump says of its own failure comes before what that did to its archive.
fn outcome(passed: Result<Tally, Error>, ending: &mut Ending) -> Result<(Tally, Vec<String>), Error> {
    match passed {
        Ok(tally) => Ok((tally, ending.wait(true)?)),
        // Nobody takes the bytes any more.
        Err(error @ Error::Write(_)) => Err(error),
        Err(error) => {
            let ended = matches!(error, Error::CutShort { .. } | Error::MissingData { .. } | Error::Read(_));
            ending.wait(ended)?;
            Err(ending.not_whole(error))
        }
    }
}

fn pass<R: Read, W: Write>(
    toc: &Toc,
    beginning: &Head<'_>,
    raw: &[u8],
    rest: &mut Input<R>,
    writer: &mut W,
) -> Result<Tally, Error> {
    beginning.write(toc, raw, writer)?;
    let mut passing = Passing { tally: Tally::default(), out: BlockWriter::new(writer, beginning.coding)? };
    blocks::walk(rest, toc, &mut passing)?;
    passing.out.flush()?;
    Ok(passing.tally)
}

struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Counts and writes.
struct Passing<W> {
    tally: Tally,
    out: BlockWriter<W>,
}

impl<W: Write> Sink for Passing<W> {
    fn plain(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.tally.plain(piece)?;
        self.out.data(piece)
    }
}

impl<W: Write> Visitor for Passing<W> {
    fn table(&mut self, entry: &Entry) -> Result<(), Error> {
        self.tally.table(entry)?;
        self.out.begin_table(entry.dump_id)
    }

    fn table_end(&mut self) -> Result<Result<(), &'static str>, Error> {
        if let Err(what) = self.tally.table_end()? {
            return Ok(Err(what));
        }
        self.out.end_object().map(Ok)
    }

    fn large_objects(&mut self, entry: &Entry) -> Result<(), Error> {
        self.tally.large_objects(entry)?;
        self.out.begin_large_objects(entry.dump_id)
    }

    fn large_object(&mut self, oid: u32) -> Result<(), Error> {
        self.tally.large_object(oid)?;
        self.out.begin_large_object(oid)
    }

    fn large_object_end(&mut self) -> Result<(), Error> {
        self.tally.large_object_end()?;
        self.out.end_object()
    }

    fn large_objects_end(&mut self) -> Result<(), Error> {
        self.tally.large_objects_end()?;
        self.out.end_large_objects()
    }
}
