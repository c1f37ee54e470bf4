//! Git's patches without context, as they stream in: one event for each commit and
//! for each file with the lines that were added to it.
//!
//! A line of content always has its sign in front, so no content can pass for a
//! header. Patches of merges have a column for each parent.

use std::io::{self, BufRead, Read as _};

/// Bytes of one file's patch that are handed over together.
const LIMIT: usize = 8 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Commit(Commit),
    Patch(Patch),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    /// RFC 3339.
    pub date: String,
    pub author: String,
}

/// What was added to one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patch {
    /// From the top of the work tree.
    pub path: String,
    pub hunks: Vec<Hunk>,
    /// The whole file is new, and its text was not read.
    pub is_whole: bool,
}

/// Lines that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hunk {
    /// The first one, counted from one.
    pub line: usize,
    pub lines: usize,
    pub text: Vec<u8>,
}

impl Patch {
    pub fn whole(path: &str) -> Self {
        Self { path: path.to_owned(), hunks: Vec::new(), is_whole: true }
    }

    /// Whether one of the lines was added.
    pub fn touches(&self, first: usize, last: usize) -> bool {
        self.is_whole || self.hunks.iter().any(|hunk| hunk.line <= last && first < hunk.line + hunk.lines)
    }

    fn bytes(&self) -> usize {
        self.hunks.iter().map(|hunk| hunk.text.len()).sum()
    }
}

/// Reads until the end.
pub fn read(mut input: impl BufRead, mut each: impl FnMut(Event)) -> io::Result<()> {
    let mut reader = Reader::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without an end, as in a file of one line, comes in pieces.
        if input.by_ref().take(LIMIT as u64).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        reader.line(&line, &mut each);
    }
    reader.flush(&mut each);
    Ok(())
}

#[derive(Default)]
struct Reader {
    patch: Patch,
    /// Columns of signs; 0 outside of a hunk.
    columns: usize,
    /// The number that the next line has in the new file.
    next: usize,
    /// The line before had no end.
    goes_on: bool,
}

impl Reader {
    fn line(&mut self, line: &[u8], each: &mut impl FnMut(Event)) {
        let continues = std::mem::replace(&mut self.goes_on, line.last() != Some(&b'\n'));
        if continues {
            if let Some(hunk) = self.patch.hunks.last_mut().filter(|_| self.columns > 0) {
                hunk.text.extend_from_slice(line);
            }
            self.cut(each);
            return;
        }
        match line.first() {
            Some(b' ' | b'+' | b'-') if self.columns > 0 => self.content(line, each),
            Some(b'@') => self.hunk(line),
            Some(b'\0') => {
                self.flush(each);
                if let Some(commit) = commit(line) {
                    each(Event::Commit(commit));
                }
            }
            Some(b'd') if line.starts_with(b"diff ") => self.flush(each),
            Some(b'+') if line.starts_with(b"+++ ") => self.patch.path = path(line),
            _ => {}
        }
    }

    fn content(&mut self, line: &[u8], each: &mut impl FnMut(Event)) {
        let (signs, text) = line.split_at(self.columns.min(line.len()));
        if signs.contains(&b'-') {
            return;
        }
        if signs.contains(&b'+')
            && let Some(hunk) = self.patch.hunks.last_mut()
        {
            if hunk.lines == 0 || hunk.line + hunk.lines == self.next {
                hunk.line = if hunk.lines == 0 { self.next } else { hunk.line };
                hunk.lines += 1;
                hunk.text.extend_from_slice(text);
            } else {
                self.patch.hunks.push(Hunk { line: self.next, lines: 1, text: text.to_owned() });
            }
        }
        self.next += 1;
        self.cut(each);
    }

    /// `@@ -1,2 +3,4 @@`, with one `@` more for each parent more.
    fn hunk(&mut self, line: &[u8]) {
        let signs = line.iter().take_while(|byte| **byte == b'@').count();
        let text = String::from_utf8_lossy(line);
        let new = text.split(' ').find_map(|word| word.strip_prefix('+'));
        let start = new.and_then(|new| new.split(',').next()?.parse().ok());
        self.columns = signs.saturating_sub(1);
        self.next = start.unwrap_or(1);
        self.patch.hunks.push(Hunk { line: self.next, ..Hunk::default() });
    }

    /// Hands over what has grown large; the rest follows under the same path.
    fn cut(&mut self, each: &mut impl FnMut(Event)) {
        if self.patch.hunks.last().is_some_and(|hunk| hunk.text.len() >= LIMIT)
            || self.patch.hunks.len() > 65_536 && self.patch.bytes() >= LIMIT
        {
            let (path, columns) = (self.patch.path.clone(), self.columns);
            self.flush(each);
            self.patch.path = path;
            self.columns = columns;
            self.patch.hunks.push(Hunk { line: self.next, ..Hunk::default() });
        }
    }

    fn flush(&mut self, each: &mut impl FnMut(Event)) {
        let mut patch = std::mem::take(&mut self.patch);
        self.columns = 0;
        patch.hunks.retain(|hunk| !hunk.text.is_empty());
        if !patch.hunks.is_empty() && !patch.path.is_empty() {
            each(Event::Patch(patch));
        }
    }
}

fn commit(line: &[u8]) -> Option<Commit> {
    let text = String::from_utf8_lossy(line);
    let mut words = text.trim_matches(['\0', '\n']).splitn(3, '\t');
    Some(Commit {
        id: words.next()?.to_owned(),
        date: words.next()?.to_owned(),
        author: words.next().unwrap_or_default().to_owned(),
    })
}

/// Of `+++ b/path`, in quotes where it holds what a line cannot; empty for /dev/null.
fn path(line: &[u8]) -> String {
    let line = line.strip_prefix(b"+++ ").unwrap_or(line);
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    // A path with blanks is followed by a tab.
    let line = line.strip_suffix(b"\t").unwrap_or(line);
    let quoted = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\""));
    let bytes = quoted.map_or_else(|| line.to_owned(), unquote);
    bytes.strip_prefix(b"b/").map(|path| String::from_utf8_lossy(path).into_owned()).unwrap_or_default()
}

/// C escapes, as git's `quote_c_style` writes them.
fn unquote(quoted: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let octal = rest.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
        if octal == 3 {
            let value = rest.iter().take(3).fold(0u32, |value, byte| value * 8 + u32::from(byte - b'0'));
            bytes.push(u8::try_from(value & 0xff).unwrap_or(b'?'));
            rest = rest.get(3..).unwrap_or_default();
        } else if let Some((escaped, after)) = rest.split_first() {
            bytes.push(match escaped {
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                other => *other,
            });
            rest = after;
        }
    }
    bytes
}

/// One answer of `git cat-file --batch`; none where there is no such object.
pub fn object(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = String::new();
    input.read_line(&mut head)?;
    let mut words = head.split_whitespace().rev();
    let Some(size) = words.next().and_then(|size| size.parse::<u64>().ok()) else { return Ok(None) };
    let mut text = Vec::new();
    input.take(size).read_to_end(&mut text)?;
    input.read_exact(&mut [0])?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<Event> {
        let mut events = Vec::new();
        read(text.as_bytes(), |event| events.push(event)).unwrap();
        events
    }

    fn told(text: &str) -> String {
        let hunk =
            |hunk: &Hunk| format!(" {}+{} {:?}", hunk.line, hunk.lines, String::from_utf8_lossy(&hunk.text));
        let told = |event: &Event| match event {
            Event::Commit(commit) => format!("{} {} {}\n", commit.id, commit.date, commit.author),
            Event::Patch(patch) => {
                format!("{}{}\n", patch.path, patch.hunks.iter().map(hunk).collect::<String>())
            }
        };
        events(text).iter().map(told).collect()
    }

    #[test]
    fn added_lines_have_their_numbers() {
        let log = "\0abc\t2026-01-02T03:04:05+01:00\tAda L.\n\ndiff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -3 +3,2 @@ fn\n-old\n+++ new\n+two\n@@ -9,0 +11 @@\n+end\n\\ No newline at end of file\n\0def\t2026-01-01T00:00:00Z\tB\n\ndiff --git a/gone b/gone\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";
        insta::assert_snapshot!(told(log), @r#"
        abc 2026-01-02T03:04:05+01:00 Ada L.
        x 3+2 "++ new\ntwo\n" 11+1 "end\n"
        def 2026-01-01T00:00:00Z B
        "#);
    }

    #[test]
    fn a_merge_has_a_column_for_each_parent() {
        let merge = "\0abc\t2026-01-02T03:04:05Z\tA\n\ndiff --cc x\nindex 1,2..3\n--- a/x\n+++ b/x\n@@@ -1,1 -1,1 +1,3 @@@\n- one\n -two\n++both\n+ theirs\n  same\n";
        insta::assert_snapshot!(told(merge), @r#"
        abc 2026-01-02T03:04:05Z A
        x 1+2 "both\ntheirs\n"
        "#);
    }

    #[test]
    fn names_are_read_whatever_they_hold() {
        for (line, expected) in [
            ("+++ b/a b\t\n", "a b"),
            ("+++ \"b/a\\tb\\\"\\303\\244\"\n", "a\tb\"ä"),
            ("+++ b/b/c\n", "b/c"),
            ("+++ /dev/null\n", ""),
        ] {
            assert_eq!(path(line.as_bytes()), expected);
        }
    }

    #[test]
    fn a_change_touches_its_lines() {
        let patch = Patch { hunks: vec![Hunk { line: 3, lines: 2, text: Vec::new() }], ..Patch::default() };
        let touched: Vec<usize> = (1..7).filter(|line| patch.touches(*line, *line)).collect();
        assert_eq!(touched, [3, 4]);
        assert!(patch.touches(1, 3) && Patch::whole("x").touches(9, 9));
    }

    #[test]
    fn an_object_may_be_missing() {
        let mut input: &[u8] = b":x missing\nabc blob 3\na\nb\n";
        assert_eq!(object(&mut input).unwrap(), None);
        assert_eq!(object(&mut input).unwrap(), Some(b"a\nb".to_vec()));
    }
}
