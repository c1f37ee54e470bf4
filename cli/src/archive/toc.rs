//! The table of contents: one entry for each object, in the order in which
//! pg_restore takes them. Bytes in, [`Toc`] out, with every id unique, every
//! dependency a number, and the bytes themselves kept for who reads on.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use super::digest::RowKey;
use super::encoding::Encoding;
use super::header::Header;
use super::input::Input;
use super::{Error, copy, head};

/// Entries that one archive may have: 100,000 tables have about a million, and all
/// of them are held in memory.
const MAX_ENTRIES: u32 = 1 << 22;

/// When pg_restore takes an entry. COMMENT and ACL entries are of no section:
/// they go with their object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Section {
    None,
    PreData,
    Data,
    PostData,
}

/// Whether an entry has a data block, and whether the archive says where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataState {
    None,
    /// pg_dump wrote to a pipe.
    NotSet,
    /// Bytes from the start of the archive.
    Offset(u64),
}

/// One object.
///
/// Strings are for people and for matching: they are decoded from the archive's
/// own [`Encoding`]. What goes on to pg_restore are the raw
/// bytes that [`read_toc`] keeps, so nothing is lost by it. NULL reads as "".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub dump_id: i32,
    /// pg_dump had a function that writes data for it.
    pub has_dumper: bool,
    /// OID of the catalogue that holds the object.
    pub table_oid: u32,
    /// OID of the object; of a TABLE DATA entry, that of its table.
    pub oid: u32,
    /// Its name, in the form of its kind: a table's is bare, a trigger's is `table trigger`.
    pub tag: String,
    /// Its kind: `TABLE`, `TABLE DATA`, `FK CONSTRAINT`.
    pub desc: String,
    pub section: Section,
    /// SQL that makes it.
    pub definition: String,
    /// SQL that drops it.
    pub drop: String,
    /// `COPY … FROM stdin;` of table data. It may name another table than the
    /// entry's own (the root of a partitioned table): go by `oid`.
    pub copy: String,
    pub namespace: String,
    pub tablespace: String,
    /// Access method, since 1.14.
    pub table_am: String,
    /// `pg_class.relkind`, since 1.16; `None` where it is no relation.
    pub relkind: Option<char>,
    pub owner: String,
    /// Dump ids, some of objects that are not in the archive, some twice.
    pub dependencies: Vec<i32>,
    pub data: DataState,
    /// Where in the archive two fields lie that a recoding rewrites.
    pub(super) definition_at: u64,
    pub(super) relkind_at: Option<u64>,
    pub(super) data_at: u64,
}

impl Entry {
    /// `schema.name` or `name`, for messages.
    pub fn name(&self) -> String {
        if self.namespace.is_empty() { self.tag.clone() } else { format!("{}.{}", self.namespace, self.tag) }
    }

    pub fn has_data(&self) -> bool {
        self.data != DataState::None
    }

    /// Whether its data is text in the format of COPY, and not INSERT statements.
    pub fn is_copy(&self) -> bool {
        self.desc == "TABLE DATA" && !self.copy.is_empty()
    }

    /// Where an entry sets a sequence to, and whether that number was given already.
    pub fn position(&self) -> Option<(i64, bool)> {
        if self.desc != "SEQUENCE SET" {
            return None;
        }
        let mut arguments = self.definition.trim_end().trim_end_matches(");").rsplit(", ");
        let is_called = arguments.next()? == "true";
        Some((arguments.next()?.parse().ok()?, is_called))
    }

    /// Columns in the order of the data; empty for a table without any.
    pub fn columns(&self) -> Vec<String> {
        copy::columns(&self.copy)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toc {
    pub header: Header,
    pub entries: Vec<Entry>,
}

impl Toc {
    /// Entries by their dump id.
    pub fn index(&self) -> HashMap<i32, &Entry> {
        self.entries.iter().map(|entry| (entry.dump_id, entry)).collect()
    }

    /// What the digests of its rows are keyed with, where backstop made it.
    pub fn row_key(&self) -> Option<RowKey> {
        head::key(&self.entries)
    }

    /// `client_encoding` of the strings and of the data: `UTF8`, `LATIN1`, …
    pub fn encoding(&self) -> Option<&str> {
        let entry = self.entries.iter().find(|entry| entry.desc == "ENCODING")?;
        quoted(&entry.definition)
    }
}

/// Read the header and the table of contents, and not one byte more; yields the
/// bytes, so that the stream can be handed on whole.
///
/// It reads field by field: wrap what makes a system call of each read into a
/// `BufReader`.
pub fn read_toc(reader: &mut impl Read) -> Result<(Toc, Vec<u8>), Error> {
    let mut input = Input::new(reader);
    let toc = read_kept(&mut input)?;
    Ok((toc, input.kept()))
}

/// The same, for who reads on with the same input.
pub(super) fn read_kept<R: Read>(input: &mut Input<R>) -> Result<Toc, Error> {
    input.keep();
    let header = Header::read(input)?;
    let entries = read_entries(input, &header, header.entries)?;
    Ok(Toc { header, entries })
}

pub(super) fn read_entries<R: Read>(
    input: &mut Input<R>,
    header: &Header,
    count: u32,
) -> Result<Vec<Entry>, Error> {
    if count > MAX_ENTRIES {
        return Err(input.damaged(format!("its table of contents has more than {MAX_ENTRIES} entries")));
    }
    // Not sized by `count`, which nobody has vouched for yet.
    let mut entries: Vec<Entry> = Vec::new();
    let mut seen = HashSet::new();
    let mut encoding = Encoding::Utf8;
    for number in 0..count {
        let entry = read_entry(input, header, encoding, number)?;
        if !seen.insert(entry.dump_id) {
            return Err(input.damaged(format!("two entries have the id {}", entry.dump_id)));
        }
        if entry.desc == "ENCODING"
            && let Some(name) = quoted(&entry.definition)
        {
            encoding = Encoding::of(name);
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn read_entry<R: Read>(
    input: &mut Input<R>,
    header: &Header,
    encoding: Encoding,
    number: u32,
) -> Result<Entry, Error> {
    let reading = format!("entry {} of {} of its table of contents", number + 1, header.entries);
    let reading = reading.as_str();
    let string = |input: &mut Input<R>| -> Result<String, Error> {
        Ok(input.string(reading)?.map(|bytes| encoding.decode(bytes)).unwrap_or_default())
    };
    let Ok(dump_id @ 1..) = i32::try_from(input.int(reading)?) else {
        return Err(input.damaged("an entry's id is out of range"));
    };
    let has_dumper = input.int(reading)? != 0;
    let table_oid = number_of(input, reading)?;
    let oid = number_of(input, reading)?;
    let tag = string(input)?;
    let desc = string(input)?;
    let section = match input.int(reading)? {
        1 => Section::None,
        2 => Section::PreData,
        3 => Section::Data,
        4 => Section::PostData,
        other => return Err(input.damaged(format!("section {other} in {reading}"))),
    };
    let definition_at = input.position();
    let definition = string(input)?;
    let drop = string(input)?;
    let copy = string(input)?;
    let namespace = string(input)?;
    let tablespace = string(input)?;
    let table_am = if header.version >= (1, 14, 0) { string(input)? } else { String::new() };
    let mut relkind = None;
    let mut relkind_at = None;
    if header.version >= (1, 16, 0) {
        relkind_at = Some(input.position());
        let code = u8::try_from(input.int(reading)?)
            .map_err(|_| input.damaged(format!("a relation's kind is out of range in {reading}")))?;
        relkind = (code != 0).then_some(char::from(code));
    }
    let owner = string(input)?;
    // `withOids`, which no supported version of the server knows any more.
    string(input)?;
    let mut dependencies = Vec::new();
    while let Some(text) = input.string(reading)? {
        let id = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        dependencies
            .push(id.ok_or_else(|| input.damaged(format!("a dependency is no number in {reading}")))?);
    }
    let data_at = input.position();
    let data = read_data_state(input, header, reading)?;
    Ok(Entry {
        dump_id,
        has_dumper,
        table_oid,
        oid,
        tag,
        desc,
        section,
        definition,
        drop,
        copy,
        namespace,
        tablespace,
        table_am,
        relkind,
        owner,
        dependencies,
        data,
        definition_at,
        relkind_at,
        data_at,
    })
}

fn read_data_state<R: Read>(
    input: &mut Input<R>,
    header: &Header,
    reading: &str,
) -> Result<DataState, Error> {
    let flag = input.byte(reading)?;
    let mut offset = [0; 8];
    input.exact(&mut offset[..usize::from(header.off_size)], reading)?;
    match flag {
        1 => Ok(DataState::NotSet),
        2 => Ok(DataState::Offset(u64::from_le_bytes(offset))),
        3 => Ok(DataState::None),
        other => Err(input.damaged(format!("byte {other} where a data flag belongs, in {reading}"))),
    }
}

/// An OID, which is written as text.
fn number_of<R: Read>(input: &mut Input<R>, reading: &str) -> Result<u32, Error> {
    let text = input.string(reading)?.unwrap_or_default();
    std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| input.damaged(format!("an OID is no number in {reading}")))
}

/// `UTF8` of `SET client_encoding = 'UTF8';`
fn quoted(statement: &str) -> Option<&str> {
    statement.split('\'').nth(1)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;
    use crate::archive::Compression;

    #[test]
    fn headers_of_real_archives() {
        let (old, raw) = fixtures::toc(fixtures::ZOO_15_GZIP);
        assert_eq!(old.header.version, (1, 14, 0));
        assert_eq!((old.header.compression, old.header.level), (Compression::Gzip, Some(6)));
        assert_eq!(old.header.database, "zoo");
        assert!(old.header.server_version.starts_with("15."));
        assert_eq!(old.header.oldest_pg_restore(), 12);
        assert_eq!(old.header.created.unwrap().year(), 2026);
        assert_eq!(old.entries.len(), old.header.entries as usize);
        assert_eq!(raw, fixtures::ZOO_15_GZIP[..raw.len()]);

        let (new, _) = fixtures::toc(fixtures::ZOO_18_NONE);
        assert_eq!(new.header.version, (1, 16, 0));
        assert_eq!((new.header.compression, new.header.level), (Compression::None, None));
        assert_eq!(new.header.client_version, "18.6");
        assert_eq!(new.header.oldest_pg_restore(), 17);
        assert_eq!(new.encoding(), Some("UTF8"));
    }

    #[test]
    fn not_one_byte_more_is_read() {
        let mut rest = fixtures::ZOO_18_NONE;
        let (_, raw) = read_toc(&mut rest).unwrap();
        assert_eq!(raw.len() + rest.len(), fixtures::ZOO_18_NONE.len());
        // A data block begins.
        assert_eq!(rest[0], 1);
    }

    #[test]
    fn weird_names_and_their_columns() {
        let (toc, _) = fixtures::toc(fixtures::ZOO_18_NONE);
        let entry = toc.entries.iter().find(|e| e.tag == "tab le\n-- x" && e.desc == "TABLE DATA").unwrap();
        assert_eq!(entry.namespace, "we\"ird schema");
        assert_eq!(entry.columns(), ["co\"l, umn", "b\\c", "ü"]);
        let none = toc.entries.iter().find(|e| e.tag == "zero_columns" && e.desc == "TABLE DATA").unwrap();
        assert_eq!(none.columns(), Vec::<String>::new());
        let table = toc.entries.iter().find(|e| e.tag == "events" && e.desc == "TABLE").unwrap();
        assert_eq!(table.relkind, Some('p'));
    }

    #[test]
    fn names_of_a_latin1_database_are_decoded() {
        for archive in [fixtures::LATIN1_15, fixtures::LATIN1_18] {
            let (toc, _) = fixtures::toc(archive);
            assert_eq!(toc.encoding(), Some("LATIN1"));
            let entry = toc.entries.iter().find(|e| e.desc == "TABLE DATA").unwrap();
            assert_eq!(entry.tag, "größe");
            assert_eq!(entry.columns(), ["id", "schön"]);
        }
    }
}
