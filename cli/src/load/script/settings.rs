//! Settings by which psql reads a text. One that is changed by anything but
//! pg_dump's own line would leave the filter reading another text than psql does.
//!
//! What a function does when it is run cannot be seen here: against that stands
//! psql's own guard (`\\restrict`), where it has one.

/// What a statement does to them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// `standard_conforming_strings`, to a value that is known from pg_dump's line alone.
    Strings(Option<bool>),
    /// To an encoding in which the second byte of a character may be a quote or a backslash.
    Encoding,
}

/// What the words, names and strings of one statement are.
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that was named or not")]
#[derive(Debug, Default)]
pub(super) struct Touched {
    strings: bool,
    encoding: bool,
    wide: bool,
    call: bool,
}

impl Touched {
    /// A word, or what stands in quotes; in upper case.
    pub(super) fn token(&mut self, token: &[u8]) {
        match token {
            b"STANDARD_CONFORMING_STRINGS" => self.strings = true,
            b"CLIENT_ENCODING" | b"NAMES" => self.encoding = true,
            b"SET_CONFIG" | b"PG_SETTINGS" => self.call = true,
            _ => self.wide |= is_wide(token),
        }
    }

    /// Of the whole statement, by its key and, where it is short, by itself.
    pub(super) fn change(&self, key: &[u8], statement: Option<&[u8]>) -> Change {
        match statement {
            Some(b"SET standard_conforming_strings = on;") => return Change::Strings(Some(true)),
            Some(b"SET standard_conforming_strings = off;") => return Change::Strings(Some(false)),
            _ => {}
        }
        let resets = key.starts_with(b"RESET ") || key.starts_with(b"DISCARD ");
        let sets = key.starts_with(b"SET") || resets;
        let disguised = sets && memchr::memmem::find(key, b"U&\"").is_some();
        let all = resets && key.trim_ascii_end().ends_with(b" ALL");
        if self.strings && (sets || self.call) || disguised || all {
            Change::Strings(None)
        } else if self.encoding && self.wide && (sets || self.call) {
            Change::Encoding
        } else {
            Change::None
        }
    }
}

/// Encodings of clients alone, whatever way PostgreSQL takes their names in
/// (`pg_encname_tbl` in `encnames.c`): small and capital letters, with any signs.
fn is_wide(name: &[u8]) -> bool {
    let plain: Vec<u8> = name.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    matches!(
        &plain[..],
        b"BIG5"
            | b"GB18030"
            | b"GBK"
            | b"JOHAB"
            | b"MSKANJI"
            | b"SHIFTJIS"
            | b"SHIFTJIS2004"
            | b"SJIS"
            | b"UHC"
            | b"WIN932"
            | b"WIN936"
            | b"WIN949"
            | b"WIN950"
            | b"WINDOWS932"
            | b"WINDOWS936"
            | b"WINDOWS949"
            | b"WINDOWS950"
    )
}
