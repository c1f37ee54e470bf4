//! Whatever the bytes, an archive is read to its end or refused: without a panic, in
//! memory that its own length bounds, and every reader sees the same rows in it.

use std::io::{self, Write};

use backstop::archive::{Coding, Recoding, inspect, recode};

/// Bytes can say that they are very many more.
const MOST: usize = 16 << 20;

#[derive(Default)]
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn read(bytes: &[u8]) {
    let mut plain = Bounded::default();
    let written = recode(bytes, &mut plain, Recoding { coding: Coding::None, readable_by: None });
    // What is too long for this is no use for the next either.
    if plain.0.len() > MOST / 2 {
        return;
    }
    let found = inspect(bytes, |_| {});
    if let (Ok(_), Ok(found)) = (written, found) {
        let again = inspect(&plain.0[..], |_| {}).expect("what was written is an archive");
        let rows = |contents: &backstop::archive::Contents| {
            contents.tables.iter().map(|table| (table.dump_id, table.rows)).collect::<Vec<_>>()
        };
        assert_eq!(rows(&again), rows(&found));
    }
}
