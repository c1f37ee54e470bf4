//! The beginning of an archive, written anew: header and table of contents as
//! they were read flow in; the same bytes flow out, but for the compression, the
//! offsets (which no longer hold), what an older format does not have, and the
//! key of the rows' digests.
//!
//! That key is a comment behind the statement of the `ENCODING` entry, of which
//! every pg_restore reads no more than what stands in quotes: so it is in the
//! archive, encrypted with it, and changes nothing of what is restored.

use std::io::Write;

use super::Error;
use super::digest::RowKey;
use super::frame::Coding;
use super::header::{Header, MAGIC};
use super::toc::{Entry, Toc};
use super::write::int;

const CUSTOM: u8 = 1;
const KEY: &str = "-- backstop row key ";

/// How the beginning is to differ.
pub(super) struct Head<'a> {
    pub coding: Coding,
    /// Minor version of the format; never newer than the archive's own.
    pub minor: u8,
    /// To take the place of the one that is there.
    pub key: Option<&'a RowKey>,
}

impl Head<'_> {
    /// `raw` are the bytes that `toc` was read from.
    pub(super) fn write(&self, toc: &Toc, raw: &[u8], out: &mut impl Write) -> Result<(), Error> {
        self.write_with_places(toc, raw, |_| None, out)
    }

    /// The same, with the places of data blocks where they are known.
    pub(super) fn write_with_places(
        &self,
        toc: &Toc,
        raw: &[u8],
        mut data_at: impl FnMut(&Entry) -> Option<u64>,
        out: &mut impl Write,
    ) -> Result<(), Error> {
        out.write_all(&self.start(&toc.header)).map_err(Error::Write)?;
        let mut done = toc.header.after_compression();
        let mut copy_to = |out: &mut dyn Write, to: usize, skip: usize| -> Result<(), Error> {
            out.write_all(raw.get(done..to).unwrap_or_default()).map_err(Error::Write)?;
            done = to + skip;
            Ok(())
        };
        let place = |position: u64| usize::try_from(position).unwrap_or(raw.len());
        let offset = usize::from(toc.header.off_size);
        for entry in &toc.entries {
            if let Some(key) = self.key
                && entry.desc == "ENCODING"
            {
                let at = place(entry.definition_at);
                let old = string_at(raw, at);
                let new = with_key(old, key);
                copy_to(out, at, int(0).len() + old.len())?;
                let length = i64::try_from(new.len()).unwrap_or(i64::MAX);
                out.write_all(&int(length)).map_err(Error::Write)?;
                out.write_all(&new).map_err(Error::Write)?;
            }
            if let Some(relkind) = entry.relkind_at
                && self.minor < 16
            {
                copy_to(out, place(relkind), int(0).len())?;
            }
            if entry.has_data() {
                copy_to(out, place(entry.data_at), 1 + offset)?;
                let (state, at) = data_at(entry).map_or((1, 0), |at| (2, at));
                out.write_all(&[state]).map_err(Error::Write)?;
                out.write_all(&at.to_le_bytes()[..offset]).map_err(Error::Write)?;
            }
        }
        copy_to(out, raw.len(), 0)
    }

    /// The table of contents as it reads when it was written, but for places in it.
    pub(super) fn written(&self, mut toc: Toc) -> Toc {
        toc.header.version.1 = self.minor;
        toc.header.compression = self.coding.compression();
        let encoding = toc.entries.iter_mut().find(|entry| entry.desc == "ENCODING");
        if let (Some(key), Some(encoding)) = (self.key, encoding) {
            let definition = with_key(encoding.definition.as_bytes(), key);
            encoding.definition = String::from_utf8_lossy(&definition).into_owned();
        }
        toc
    }

    /// The header up to where its time begins.
    fn start(&self, header: &Header) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, self.minor, header.version.2, header.int_size, header.off_size, CUSTOM]);
        if self.minor >= 15 {
            bytes.push(match self.coding {
                Coding::None => 0,
                Coding::Gzip(_) => 1,
                Coding::Zstd(_) => 3,
            });
        } else {
            bytes.extend(int(match self.coding {
                Coding::Gzip(level) => i64::from(level),
                Coding::None | Coding::Zstd(_) => 0,
            }));
        }
        bytes
    }
}

/// The definition of the `ENCODING` entry with a key, instead of one that it had.
fn with_key(definition: &[u8], key: &RowKey) -> Vec<u8> {
    let statement =
        memchr::memmem::find(definition, KEY.as_bytes()).map_or(definition, |at| &definition[..at]);
    [statement, KEY.as_bytes(), key.to_hex().as_bytes(), b"\n"].concat()
}

/// The bytes of a string that was read before, without its length.
fn string_at(raw: &[u8], at: usize) -> &[u8] {
    let length = |head: &[u8]| u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let rest = raw.get(at..).unwrap_or_default();
    rest.split_at_checked(5).and_then(|(head, text)| text.get(..length(head))).unwrap_or_default()
}

/// The key that a table of contents carries.
pub(super) fn key(entries: &[Entry]) -> Option<RowKey> {
    let encoding = entries.iter().find(|entry| entry.desc == "ENCODING")?;
    encoding.definition.lines().find_map(|line| RowKey::from_hex(line.strip_prefix(KEY)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::fixtures::ALL;
    use crate::archive::toc::read_toc;

    fn written(toc: &Toc, raw: &[u8], coding: Coding, key: Option<&RowKey>) -> (Toc, Vec<u8>) {
        let head = Head { coding, minor: toc.header.version.1, key };
        let mut out = Vec::new();
        head.write(toc, raw, &mut out).unwrap();
        let (read, bytes) = read_toc(&mut &out[..]).unwrap();
        assert_eq!(bytes, out, "nothing follows");
        // As it says that it reads, but for places and levels.
        let said = head.written(toc.clone());
        assert_eq!(said.header.compression, read.header.compression);
        assert_eq!(said.header.version, read.header.version);
        assert_eq!(said.row_key(), read.row_key());
        let plain =
            |entry: &Entry| (entry.dump_id, entry.desc.clone(), entry.tag.clone(), entry.definition.clone());
        assert!(said.entries.iter().map(plain).eq(read.entries.iter().map(plain)));
        (read, out)
    }

    #[test]
    fn a_key_is_written_read_and_replaced_and_nothing_else_changes() {
        for (name, archive) in ALL {
            let (toc, raw) = read_toc(&mut &archive[..]).unwrap();
            assert_eq!(toc.row_key(), None, "{name}");
            let (key, other) = (RowKey::random(), RowKey::random());
            let (first, first_raw) = written(&toc, &raw, Coding::Gzip(6), Some(&key));
            assert_eq!(first.row_key(), Some(key), "{name}");
            assert_eq!(first.encoding(), toc.encoding(), "{name}");
            let (second, second_raw) = written(&first, &first_raw, Coding::Gzip(6), Some(&other));
            assert_eq!(second.row_key(), Some(other.clone()), "{name}");
            assert_eq!(second_raw.len(), first_raw.len(), "{name}");
            // Who has no key of his own leaves it.
            let (third, _) = written(&second, &second_raw, Coding::None, None);
            assert_eq!(third.row_key(), Some(other), "{name}");
            let others = |toc: &Toc| -> Vec<String> {
                toc.entries
                    .iter()
                    .filter(|entry| entry.desc != "ENCODING")
                    .map(|entry| entry.definition.clone())
                    .collect()
            };
            assert_eq!(others(&third), others(&toc), "{name}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        let (toc, raw) = read_toc(&mut &ALL[0].1[..]).unwrap();
        let (mut toc, _) = written(&toc, &raw, Coding::None, Some(&RowKey::random()));
        let encoding = toc.entries.iter_mut().find(|entry| entry.desc == "ENCODING").unwrap();
        for change in
            [|text: &str| text.replace("key ", "key x"), |text: &str| text[..text.len() - 3].to_owned()]
        {
            let before = encoding.definition.clone();
            encoding.definition = change(&before);
            assert_eq!(key(std::slice::from_ref(encoding)), None, "{}", encoding.definition);
            encoding.definition = before;
        }
    }
}
