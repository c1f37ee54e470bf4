//! The definitions of an archive as an archive of their own: its table of contents
//! flows in, the same without any data flows out. `pg_restore` takes from it what
//! comes before and after the rows, with `--jobs` too, for which it wants a file.

use std::collections::BTreeMap;

use crate::archive::Error;
use crate::archive::frame::Coding;
use crate::archive::head::Head;
use crate::archive::toc::{Entry, Toc};

/// An archive without data.
pub struct Definitions {
    pub bytes: Vec<u8>,
    /// How long the file is to be, with nothing behind the bytes.
    pub length: u64,
}

/// `head` are the archive's bytes before its first data block. Of tables whose
/// `sizes` are known, by dump id, it says where their data would lie: from that
/// alone pg_restore knows which indexes are large, and makes these first
/// (`repoint_table_dependencies` in `pg_backup_archiver.c`).
pub fn definitions(toc: &Toc, head: &[u8], sizes: &BTreeMap<i32, u64>) -> Result<Definitions, Error> {
    let mut bytes = Vec::with_capacity(head.len());
    let mut length = head.len() as u64;
    let place = |entry: &Entry| {
        let size = sizes.get(&entry.dump_id)?;
        let at = length;
        length = length.saturating_add(*size);
        Some(at)
    };
    let beginning = Head { coding: Coding::None, minor: toc.header.version.1, key: None };
    beginning.write_with_places(toc, head, place, &mut bytes)?;
    if toc.header.off_size < 8 && length > u64::from(u32::MAX) {
        return definitions(toc, head, &BTreeMap::new());
    }
    Ok(Definitions { bytes, length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::fixtures;
    use crate::archive::toc::DataState;

    #[test]
    fn pg_restore_prints_the_same_definitions() {
        let list = |bytes: &[u8]| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            let mut command = std::process::Command::new("pg_restore");
            let output = command.args(["--schema-only", "--file=-"]).arg(file.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(fixtures::without_comments(&output.stdout)).unwrap()
        };
        for archive in [fixtures::ZOO_15_GZIP, fixtures::ZOO_15_NONE] {
            let (toc, head) = fixtures::toc(archive);
            assert!(list(archive).lines().count() > 100);
            let sizes = toc
                .entries
                .iter()
                .filter(|entry| entry.has_data())
                .map(|entry| (entry.dump_id, 1000))
                .collect();
            for sizes in [BTreeMap::new(), sizes] {
                let alone = definitions(&toc, &head, &sizes).unwrap();
                assert_eq!(alone.bytes.len(), head.len());
                assert_eq!(alone.length, (head.len() + 1000 * sizes.len()) as u64);
                assert_eq!(list(&alone.bytes), list(archive));
                let (again, _) = fixtures::toc(&alone.bytes);
                let places = again.entries.iter().filter(|entry| matches!(entry.data, DataState::Offset(_)));
                assert_eq!(places.count(), sizes.len());
            }
        }
    }
}
