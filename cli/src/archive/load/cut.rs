//! COPY text cut at row borders: pieces of one table's data flow in, in order; whole
//! rows flow out, each run of them fit for a COPY of its own. A row that is larger
//! than a piece comes in parts, which belong to one COPY.
//!
//! The end marker of pg_dump is taken off, and must stand where the data ends and
//! nowhere else: rows behind it would be lost.

use bytes::Bytes;
use memchr::memmem::Finder;

/// A row that begins in one piece and ends in the next is joined up to this size.
const JOINED: usize = 64 * 1024;
/// Newlines of the end marker, `\.\n\n\n`.
const NEWLINES: usize = 3;

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// One or more whole rows.
    Rows(Bytes),
    /// The beginning of a large row.
    Open(Bytes),
    /// More of it.
    More(Bytes),
    /// Its end, with its newline.
    Close(Bytes),
}

/// Cuts the data of one table.
pub struct Cutter {
    marker: Finder<'static>,
    /// The beginning of a row, while it is small.
    carry: Vec<u8>,
    /// In a large row.
    open: bool,
    /// Newlines seen of the end marker.
    ended: usize,
}

impl Default for Cutter {
    fn default() -> Self {
        Self { marker: Finder::new(b"\n\\.\n"), carry: Vec::new(), open: false, ended: 0 }
    }
}

impl Cutter {
    /// Take the next piece. An error says what is wrong with the table's data.
    pub fn feed(&mut self, mut piece: Bytes, out: &mut Vec<Cut>) -> Result<(), &'static str> {
        if piece.is_empty() {
            return Ok(());
        }
        if self.open || !self.carry.is_empty() {
            let Some(end) = memchr::memchr(b'\n', &piece) else {
                self.go_on(piece, out);
                return Ok(());
            };
            let head = piece.split_to(end + 1);
            if self.open {
                self.open = false;
                out.push(Cut::Close(head));
            } else {
                self.carry.extend_from_slice(&head);
                let row = Bytes::from(std::mem::take(&mut self.carry));
                self.rows(row, out)?;
            }
        }
        let rows = memchr::memrchr(b'\n', &piece).map_or(0, |at| at + 1);
        let begun = piece.split_off(rows);
        self.rows(piece, out)?;
        self.go_on(begun, out);
        self.none_behind_marker()
    }

    /// The data is over.
    pub fn finish(self) -> Result<(), &'static str> {
        match self.ended {
            NEWLINES => Ok(()),
            0 => Err("its end marker is missing"),
            _ => Err("its end marker is not whole"),
        }
    }

    /// Part of a row whose end is not there yet.
    fn go_on(&mut self, part: Bytes, out: &mut Vec<Cut>) {
        if self.open {
            out.push(Cut::More(part));
        } else if self.carry.len() + part.len() <= JOINED {
            self.carry.extend_from_slice(&part);
        } else {
            self.open = true;
            if self.carry.is_empty() {
                out.push(Cut::Open(part));
            } else {
                out.push(Cut::Open(Bytes::from(std::mem::take(&mut self.carry))));
                out.push(Cut::More(part));
            }
        }
    }

    /// Whole rows, the last of which may be the end marker.
    fn rows(&mut self, mut rows: Bytes, out: &mut Vec<Cut>) -> Result<(), &'static str> {
        if self.ended > 0 {
            self.ended += rows.len();
            return if rows.iter().all(|byte| *byte == b'\n') {
                self.none_behind_marker()
            } else {
                Err(BEHIND)
            };
        }
        let newlines = rows.iter().rev().take(NEWLINES).take_while(|byte| **byte == b'\n').count();
        // A row's own backslashes are doubled, so that no row is `\.`.
        for seen in (1..=newlines).rev() {
            let text = &rows[..rows.len() - seen];
            if text == b"\\." || text.ends_with(b"\n\\.") {
                self.ended = seen;
                rows.truncate(text.len() - 2);
                break;
            }
        }
        if rows.starts_with(b"\\.\n") || self.marker.find(&rows).is_some() {
            return Err(BEHIND);
        }
        if !rows.is_empty() {
            out.push(Cut::Rows(rows));
        }
        Ok(())
    }

    fn none_behind_marker(&self) -> Result<(), &'static str> {
        let more = self.ended > NEWLINES || (self.ended > 0 && (self.open || !self.carry.is_empty()));
        if more { Err(BEHIND) } else { Ok(()) }
    }
}

const BEHIND: &str = "rows follow its end marker";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rows that come out, with a bar where one COPY may end.
    fn cut(pieces: &[&[u8]]) -> Result<String, &'static str> {
        let (mut cutter, mut out) = (Cutter::default(), Vec::new());
        for piece in pieces {
            cutter.feed(Bytes::copy_from_slice(piece), &mut out)?;
        }
        cutter.finish()?;
        let shown = |cut: &Cut| match cut {
            Cut::Rows(rows) => format!("{}|", String::from_utf8_lossy(rows)),
            Cut::Open(part) | Cut::More(part) => String::from_utf8_lossy(part).into_owned(),
            Cut::Close(part) => format!("{}|", String::from_utf8_lossy(part)),
        };
        Ok(out.iter().map(shown).collect())
    }

    #[test]
    fn the_marker_is_taken_off_wherever_it_is_cut() {
        let text = b"a\tb\n\\\\.\n\n\\.\n\n\n";
        for at in 0..=text.len() {
            for then in at..=text.len() {
                let rows = cut(&[&text[..at], &text[at..then], &text[then..]]).unwrap();
                assert_eq!(rows.replace('|', ""), "a\tb\n\\\\.\n\n", "{at} {then}");
            }
        }
        assert_eq!(cut(&[b"\\.\n\n\n"]).unwrap(), "");
        assert_eq!(cut(&[b"\n\n\n\n\\.\n\n\n"]).unwrap(), "\n\n\n\n|");
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(cut(&bytes).unwrap(), "a\tb\n|\\\\.\n|\n|");
    }

    #[test]
    fn data_that_lost_its_end_or_goes_on_behind_it_is_found() {
        for (text, said) in [
            (&b""[..], "its end marker is missing"),
            (b"a\n", "its end marker is missing"),
            (b"a\n\\.", "its end marker is missing"),
            (b"a\n\\.\n", "its end marker is not whole"),
            (b"a\n\\.\n\n", "its end marker is not whole"),
            (b"a\n\\.\n\n\n\n", BEHIND),
            (b"a\n\\.\nb\n\\.\n\n\n", BEHIND),
            (b"a\n\\.\n\n\nb", BEHIND),
            (b"\\.\n\\.\n\n\n", BEHIND),
        ] {
            assert_eq!(cut(&[text]), Err(said), "{}", String::from_utf8_lossy(text));
            for at in 0..=text.len() {
                cut(&[&text[..at], &text[at..]]).unwrap_err();
            }
            cut(&text.chunks(1).collect::<Vec<_>>()).unwrap_err();
        }
    }

    #[test]
    fn a_row_larger_than_what_is_joined_comes_in_parts_of_one_copy() {
        let large = vec![b'x'; JOINED];
        let mut cutter = Cutter::default();
        let mut out = Vec::new();
        for piece in [&b"a\nbc"[..], &large, &large, b"d\ne\nf", b"\n\\.\n\n\n"] {
            cutter.feed(Bytes::copy_from_slice(piece), &mut out).unwrap();
        }
        cutter.finish().unwrap();
        let kinds: Vec<_> = out
            .iter()
            .map(|cut| match cut {
                Cut::Rows(rows) => ("rows", rows.len()),
                Cut::Open(part) => ("open", part.len()),
                Cut::More(part) => ("more", part.len()),
                Cut::Close(part) => ("close", part.len()),
            })
            .collect();
        assert_eq!(
            kinds,
            [
                ("rows", 2),
                ("open", 2),
                ("more", JOINED),
                ("more", JOINED),
                ("close", 2),
                ("rows", 2),
                ("rows", 2)
            ]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_every_run_of_rows_is_whole(
            lines in proptest::collection::vec("[a\\\\.\t]{0,4}", 0..20),
            sizes in proptest::collection::vec(1usize..9, 1..9),
        ) {
            let mut text = String::new();
            for line in lines.iter().filter(|line| *line != "\\.") {
                text += line;
                text.push('\n');
            }
            let whole = format!("{text}\\.\n\n\n");
            let (mut cutter, mut out) = (Cutter::default(), Vec::new());
            let mut rest = whole.as_bytes();
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(*size));
                cutter.feed(Bytes::copy_from_slice(piece), &mut out).unwrap();
                rest = after;
                if rest.is_empty() { break; }
            }
            prop_assert_eq!(cutter.finish(), Ok(()));
            let mut found = Vec::new();
            for cut in &out {
                let Cut::Rows(rows) = cut else { panic!("{cut:?}") };
                prop_assert!(rows.ends_with(b"\n"));
                found.extend_from_slice(rows);
            }
            prop_assert_eq!(String::from_utf8(found).unwrap(), text);
        }
    }
}
