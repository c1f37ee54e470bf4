//! Rows of COPY text: pieces of a data block flow in; the number of rows flows
//! out once the end marker was seen where it belongs, and nowhere else.

use memchr::memmem::Finder;

/// What pg_dump writes after the last row, inside the block.
pub(super) const END: &[u8] = b"\\.\n\n\n";
/// A line that ends COPY wherever it stands: rows after it would be lost.
const MARKER: &[u8] = b"\n\\.\n";

/// Counts the rows of one table.
pub struct Rows {
    finder: Finder<'static>,
    /// The last bytes before the next piece; begins with a newline that is not
    /// there, so that a marker is found on the first line too.
    tail: [u8; MARKER.len() - 1],
    tail_length: usize,
    newlines: u64,
    bytes: u64,
    /// Where the first marker's backslash stands.
    marker: Option<u64>,
    last: [u8; 2],
}

#[derive(Debug, PartialEq, Eq)]
pub struct Counted {
    pub rows: u64,
    /// Of the rows alone.
    pub bytes: u64,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            finder: Finder::new(MARKER),
            tail: [b'\n', 0, 0],
            tail_length: 1,
            newlines: 0,
            bytes: 0,
            marker: None,
            last: [0; 2],
        }
    }
}

impl Rows {
    pub fn feed(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        // A row's own newlines are written as `\n`: each byte 10 ends a row. (No
        // encoding that a server stores has it as a second byte.)
        self.newlines += memchr::memchr_iter(b'\n', piece).count() as u64;
        if self.marker.is_none() {
            self.marker = self.find_marker(piece);
        }
        self.remember(piece);
        self.bytes += piece.len() as u64;
    }

    fn find_marker(&self, piece: &[u8]) -> Option<u64> {
        // Over the seam first: what stands there comes first.
        let mut seam = [0; 2 * (MARKER.len() - 1)];
        let head = piece.len().min(MARKER.len() - 1);
        seam[..self.tail_length].copy_from_slice(&self.tail[..self.tail_length]);
        seam[self.tail_length..self.tail_length + head].copy_from_slice(&piece[..head]);
        if let Some(at) = self.finder.find(&seam[..self.tail_length + head]) {
            // The backslash is one further than the newline; what is before the
            // piece counts back from it. At the very start, the newline that is
            // not there stands at -1.
            return Some((self.bytes + at as u64 + 1) - self.tail_length as u64);
        }
        self.finder.find(piece).map(|at| self.bytes + at as u64 + 1)
    }

    fn remember(&mut self, piece: &[u8]) {
        for byte in &piece[piece.len().saturating_sub(self.tail.len())..] {
            if self.tail_length == self.tail.len() {
                self.tail.rotate_left(1);
                self.tail_length -= 1;
            }
            self.tail[self.tail_length] = *byte;
            self.tail_length += 1;
        }
        for byte in &piece[piece.len().saturating_sub(2)..] {
            self.last = [self.last[1], *byte];
        }
    }

    /// The count, or why the data cannot be whole.
    pub fn finish(self) -> Result<Counted, &'static str> {
        let Some(marker) = self.marker else {
            return Err("its end marker is missing");
        };
        if self.bytes != marker + END.len() as u64 || self.last != *b"\n\n" {
            return Err("rows follow its end marker");
        }
        // Three of the newlines are the marker's own.
        Ok(Counted { rows: self.newlines - 3, bytes: marker })
    }
}

/// The columns of `COPY schema.table (a, "b c") FROM stdin;`, unquoted; none
/// where the statement has no list, as for a table without columns.
pub(super) fn columns(statement: &str) -> Vec<String> {
    let mut columns = Vec::new();
    let mut name = String::new();
    let mut quoted = false;
    let mut inside = false;
    let mut chars = statement.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            _ if quoted => name.push(char),
            '(' if !inside => {
                inside = true;
                name.clear();
            }
            ',' if inside => columns.push(std::mem::take(&mut name)),
            ')' if inside => {
                columns.push(name);
                return columns;
            }
            ' ' => {}
            _ => name.push(char),
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(text: &[u8], piece: usize) -> Result<Counted, &'static str> {
        let mut rows = Rows::default();
        for piece in text.chunks(piece) {
            rows.feed(piece);
        }
        rows.finish()
    }

    #[test]
    fn rows_and_their_end_however_the_text_is_cut() {
        for piece in 1..12 {
            assert_eq!(count(b"\\.\n\n\n", piece), Ok(Counted { rows: 0, bytes: 0 }));
            assert_eq!(count(b"a\tb\n\\\\.\n\n\\.\n\n\n", piece), Ok(Counted { rows: 3, bytes: 9 }));
            assert_eq!(count(b"a\\.\n\\.\n\n\n", piece), Ok(Counted { rows: 1, bytes: 4 }));
            assert_eq!(count(b"", piece), Err("its end marker is missing"));
            assert_eq!(count(b"a\n", piece), Err("its end marker is missing"));
            assert_eq!(count(b"a\n\\.", piece), Err("its end marker is missing"));
            assert_eq!(count(b"a\n\\.\n\n", piece), Err("rows follow its end marker"));
            assert_eq!(count(b"a\n\\.\nb\n\\.\n\n\n", piece), Err("rows follow its end marker"));
            assert_eq!(count(b"a\n\\.\nbc", piece), Err("rows follow its end marker"));
            assert_eq!(count(b"\\.\n\\.\n\n\n", piece), Err("rows follow its end marker"));
        }
    }

    #[test]
    fn column_lists() {
        assert_eq!(columns("COPY public.t (id, \"a,\"\" b\", c) FROM stdin;\n"), ["id", "a,\" b", "c"]);
        assert_eq!(columns("COPY public.\"we(ird\" (id) FROM stdin;\n"), ["id"]);
        assert_eq!(columns("COPY public.zero  FROM stdin;\n"), Vec::<String>::new());
        assert_eq!(columns(""), Vec::<String>::new());
        assert_eq!(columns("COPY t (\"open"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn the_count_does_not_depend_on_the_pieces(
            lines in proptest::collection::vec("[a\\\\.\t]{0,4}", 0..20),
            sizes in proptest::collection::vec(1usize..9, 1..9),
        ) {
            let mut text: Vec<u8> = Vec::new();
            for line in lines.iter().filter(|line| *line != "\\.") {
                text.extend_from_slice(line.as_bytes());
                text.push(b'\n');
            }
            let rows = lines.iter().filter(|line| *line != "\\.").count() as u64;
            let bytes = text.len() as u64;
            text.extend_from_slice(END);
            let mut counter = Rows::default();
            let mut rest = &text[..];
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(*size));
                counter.feed(piece);
                rest = after;
                if rest.is_empty() { break; }
            }
            prop_assert_eq!(counter.finish(), Ok(Counted { rows, bytes }));
        }
    }
}
