//! The data blocks after the table of contents: an archive flows in, each
//! object's plain bytes flow out to a [`Visitor`], in the order of the table of
//! contents, every block exactly once, and nothing after the last.

use std::io::Read;

use super::Error;
use super::decode::{Decoder, Failure, Sink};
use super::input::Input;
use super::toc::{DataState, Entry, Toc, read_entries};

pub(super) const DATA: u8 = 1;
pub(super) const BLOBS: u8 = 3;

/// What is told of an archive's data.
pub(super) trait Visitor: Sink {
    /// The block of a table; its bytes follow.
    fn table(&mut self, entry: &Entry) -> Result<(), Error>;
    /// The table's bytes are complete. An `Err(what)` inside says what is wrong with them.
    fn table_end(&mut self) -> Result<Result<(), &'static str>, Error>;
    /// A block of large objects.
    fn large_objects(&mut self, entry: &Entry) -> Result<(), Error>;
    /// One of them; its bytes follow.
    fn large_object(&mut self, oid: u32) -> Result<(), Error>;
    fn large_object_end(&mut self) -> Result<(), Error>;
    fn large_objects_end(&mut self) -> Result<(), Error>;
    /// Whether anything is to be told of an entry's block.
    fn wants(&self, _: &Entry) -> bool {
        true
    }
}

/// How the archive ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// A second table of contents follows the last block. pg_dump 18 leaves it
    /// when its standard output was redirected to a file: it opens that for
    /// appending, so the table of contents that it means to write over the first
    /// one, with offsets, lands at the end. It is harmless.
    pub toc_repeated: bool,
}

/// Read every block of `toc` to the archive's end.
pub(super) fn walk<R: Read>(
    input: &mut Input<R>,
    toc: &Toc,
    visitor: &mut impl Visitor,
) -> Result<End, Error> {
    walk_wanted(input, toc, visitor)?;
    end(input, toc)
}

/// Read up to the last block that is wanted; others are passed over unread. What
/// is behind it, if anything, stays in the input.
pub(super) fn walk_wanted<R: Read>(
    input: &mut Input<R>,
    toc: &Toc,
    visitor: &mut impl Visitor,
) -> Result<(), Error> {
    let expected: Vec<&Entry> = toc.entries.iter().filter(|entry| entry.has_data()).collect();
    let until = expected.iter().rposition(|entry| visitor.wants(entry)).map_or(0, |last| last + 1);
    let mut decoder = Decoder::new(toc.header.compression)?;
    for (done, entry) in expected[..until].iter().enumerate() {
        let start = input.position();
        let Some(kind) = input.byte_or_end()? else {
            return Err(Error::MissingData {
                at: start,
                missing: expected.len() - done,
                expected: expected.len(),
                first: entry.name(),
            });
        };
        let reading = format!("the data of '{}'", entry.name());
        let dump_id = input.int(&reading)?;
        if dump_id != i64::from(entry.dump_id) {
            return Err(
                input.damaged(format!("block {dump_id} where block {} ({reading}) belongs", entry.dump_id))
            );
        }
        if let DataState::Offset(offset) = entry.data
            && offset != start
        {
            return Err(input
                .damaged(format!("{reading} begins at byte {start}, and not at {offset} as it is listed")));
        }
        match (kind, visitor.wants(entry)) {
            (DATA, true) => table(input, &mut decoder, entry, &reading, visitor)?,
            (BLOBS, true) => blobs(input, &mut decoder, entry, &reading, visitor)?,
            (DATA, false) => decoder.skip(input, &reading)?,
            (BLOBS, false) => {
                while large_object_id(input, &reading)? != 0 {
                    decoder.skip(input, &reading)?;
                }
            }
            (other, _) => return Err(input.damaged(format!("a block of type {other}"))),
        }
    }
    Ok(())
}

fn table<R: Read>(
    input: &mut Input<R>,
    decoder: &mut Decoder,
    entry: &Entry,
    reading: &str,
    visitor: &mut impl Visitor,
) -> Result<(), Error> {
    visitor.table(entry)?;
    object(input, decoder, entry, reading, visitor)?;
    visitor.table_end()?.map_err(|what| damaged_data(input, entry, what.to_owned()))
}

/// An object id and its chunks, until the id is zero.
fn blobs<R: Read>(
    input: &mut Input<R>,
    decoder: &mut Decoder,
    entry: &Entry,
    reading: &str,
    visitor: &mut impl Visitor,
) -> Result<(), Error> {
    visitor.large_objects(entry)?;
    loop {
        let oid = large_object_id(input, reading)?;
        if oid == 0 {
            return visitor.large_objects_end();
        }
        visitor.large_object(oid)?;
        object(input, decoder, entry, reading, visitor)?;
        visitor.large_object_end()?;
    }
}

/// An OID above 2^31 was written as the negative number that C makes of it.
fn large_object_id<R: Read>(input: &mut Input<R>, reading: &str) -> Result<u32, Error> {
    let oid = input.int(reading)?;
    u32::try_from(oid)
        .or_else(|_| i32::try_from(oid).map(i32::cast_unsigned))
        .map_err(|_| input.damaged(format!("object id {oid} in {reading}")))
}

fn object<R: Read>(
    input: &mut Input<R>,
    decoder: &mut Decoder,
    entry: &Entry,
    reading: &str,
    visitor: &mut impl Visitor,
) -> Result<(), Error> {
    decoder.object(input, reading, visitor).map_err(|failure| match failure {
        Failure::Data(what) => damaged_data(input, entry, what),
        Failure::Other(error) => error,
    })
}

fn damaged_data<R: Read>(input: &Input<R>, entry: &Entry, what: String) -> Error {
    Error::DamagedData { object: entry.name(), at: input.position(), what }
}

/// Nothing follows, or a second table of contents that says the same as the first.
fn end<R: Read>(input: &mut Input<R>, toc: &Toc) -> Result<End, Error> {
    let at = input.position();
    let Some(first) = input.byte_or_end()? else {
        return Ok(End { toc_repeated: false });
    };
    let trailing = || Error::Trailing { at };
    let mut count = [0; 4];
    if first != 0 {
        return Err(trailing());
    }
    input.exact(&mut count, "its second table of contents")?;
    if u32::from_le_bytes(count) != toc.header.entries {
        return Err(trailing());
    }
    input.keep();
    let again = read_entries(input, &toc.header, toc.header.entries).map_err(|error| match error {
        Error::Damaged { .. } => trailing(),
        other => other,
    })?;
    drop(input.kept());
    let same = again.len() == toc.entries.len()
        && again.iter().zip(&toc.entries).all(|(second, first)| {
            second.has_data() == first.has_data()
                && Entry {
                    data: first.data,
                    definition_at: 0,
                    data_at: 0,
                    relkind_at: None,
                    ..second.clone()
                } == Entry { definition_at: 0, data_at: 0, relkind_at: None, ..first.clone() }
        });
    if !same || input.byte_or_end()?.is_some() {
        return Err(trailing());
    }
    Ok(End { toc_repeated: true })
}
