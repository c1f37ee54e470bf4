//! A file as text: none where it is binary, in parts where it is large.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

/// A larger file is read in parts of about this size, which end with a line.
const PART: usize = 4 << 20;
/// Where git looks for the zero byte that makes a file binary.
const HEAD: usize = 8000;

/// A part of a file, mostly all of it.
#[derive(Debug)]
pub struct Part {
    pub text: String,
    /// Lines before it.
    pub lines: usize,
    /// Whether this is the file, byte by byte, so that a fix can be written back.
    pub is_exact: bool,
}

/// Calls `each` with every part of a text file, in order.
pub fn parts(path: &Path, mut each: impl FnMut(Part)) -> io::Result<()> {
    let file = File::open(path)?;
    // A pipe or a device may never end.
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let head = reader.fill_buf()?;
    let wide = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    if !wide && head.iter().take(HEAD).any(|byte| *byte == 0) {
        return Ok(());
    }
    if wide {
        let mut bytes = Vec::new();
        reader.take(PART as u64).read_to_end(&mut bytes)?;
        each(Part { text: from_utf16(&bytes), lines: 0, is_exact: false });
        return Ok(());
    }
    let mut lines = 0;
    loop {
        let mut bytes = Vec::new();
        reader.by_ref().take(PART as u64).read_to_end(&mut bytes)?;
        let is_whole = lines == 0 && bytes.len() < PART;
        if bytes.len() == PART {
            // A line without an end is cut: secrets are shorter than a part.
            reader.by_ref().take(PART as u64).read_until(b'\n', &mut bytes)?;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let breaks = memchr::memchr_iter(b'\n', &bytes).count();
        let (text, is_utf8) = to_text(bytes);
        each(Part { text, lines, is_exact: is_whole && is_utf8 });
        lines += breaks;
    }
}

/// Bytes as text, and whether they are: what is no UTF-8 is replaced.
pub fn to_text(bytes: Vec<u8>) -> (String, bool) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, true),
        Err(cause) => (String::from_utf8_lossy(cause.as_bytes()).into_owned(), false),
    }
}

/// Whether git would call this binary.
pub fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(HEAD).any(|byte| *byte == 0)
}

/// With its byte-order mark, as Windows writes it.
fn from_utf16(bytes: &[u8]) -> String {
    let is_little = bytes.starts_with(b"\xff\xfe");
    let unit = |pair: &[u8]| match pair {
        [a, b] if is_little => u16::from_le_bytes([*a, *b]),
        [a, b] => u16::from_be_bytes([*a, *b]),
        _ => 0xfffd,
    };
    let units: Vec<u16> = bytes.get(2..).unwrap_or_default().chunks(2).map(unit).collect();
    String::from_utf16_lossy(&units)
}

/// A path as documents have it: relative, with `/`, whatever the system says.
pub fn shown(path: &Path) -> Cow<'_, str> {
    path.strip_prefix(".").unwrap_or(path).to_string_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Part> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut all = Vec::new();
        parts(file.path(), |part| all.push(part)).unwrap();
        all
    }

    #[test]
    fn binary_files_are_passed_over_and_utf16_is_read() {
        assert!(read(b"a\0b").is_empty() && read(b"").is_empty());
        assert_eq!(read(b"\xff\xfea\0\n\0")[0].text, "a\n");
        assert_eq!(read(b"\xfe\xff\0a")[0].text, "a");
        let latin = &read(b"caf\xe9")[0];
        assert!(latin.text == "caf\u{fffd}" && !latin.is_exact);
        assert!(read(b"a\n")[0].is_exact);
    }

    #[test]
    fn a_large_file_comes_in_parts_that_end_with_a_line() {
        let line = "0123456789abcde\n";
        let text = line.repeat(3 * PART / line.len());
        let parts = read(text.as_bytes());
        assert!(parts.len() >= 3 && parts.iter().all(|part| part.text.ends_with('\n') && !part.is_exact));
        assert_eq!(parts[1].lines, parts[0].text.matches('\n').count());
        assert_eq!(parts.iter().map(|part| part.text.as_str()).collect::<String>(), text);
    }
}
