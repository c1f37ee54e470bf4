//! Bytes of a text as UTF-16 code units, and back: a text in, one table out.
//!
//! Editors of the browser and of language servers count in UTF-16. A text in ASCII
//! costs one pass and no memory; any other one entry for each character beyond it.

/// Where the two ways of counting part.
#[derive(Debug, Clone, Default)]
pub struct Utf16 {
    /// Behind each character beyond ASCII: bytes, and code units.
    ends: Vec<(usize, usize)>,
    length: usize,
}

impl Utf16 {
    pub fn new(text: &str) -> Self {
        let mut ends = Vec::new();
        if !text.is_ascii() {
            let mut surplus = 0;
            for (at, character) in text.char_indices().filter(|(_, character)| !character.is_ascii()) {
                let end = at + character.len_utf8();
                surplus += character.len_utf8() - character.len_utf16();
                ends.push((end, end - surplus));
            }
        }
        Self { ends, length: text.len() }
    }

    /// Code units before a byte; one past the end is the end. The byte begins a character.
    pub fn units(&self, byte: usize) -> usize {
        let byte = byte.min(self.length);
        let before = self.ends.partition_point(|(end, _)| *end <= byte);
        match before.checked_sub(1).and_then(|last| self.ends.get(last)) {
            Some((end, units)) => units + (byte - end),
            None => byte,
        }
    }

    /// The byte behind so many code units, which end with a character.
    pub fn byte(&self, units: usize) -> usize {
        let before = self.ends.partition_point(|(_, end)| *end <= units);
        let byte = match before.checked_sub(1).and_then(|last| self.ends.get(last)) {
            Some((end, behind)) => end + (units - behind),
            None => units,
        };
        byte.min(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn offsets_agree_with_counting_from_the_start(text in "[a\u{e4}\u{20ac}\u{1f512}\n]{0,40}") {
            let table = Utf16::new(&text);
            for at in text.char_indices().map(|(at, _)| at).chain([text.len()]) {
                let units = text[..at].encode_utf16().count();
                prop_assert_eq!(table.units(at), units);
                prop_assert_eq!(table.byte(units), at);
            }
        }
    }

    #[test]
    fn what_lies_behind_the_end_is_the_end() {
        let table = Utf16::new("a\u{1f512}");
        assert_eq!((table.units(99), table.byte(99)), (3, 5));
        assert_eq!((Utf16::new("ab").units(9), Utf16::new("ab").byte(9)), (2, 2));
    }
}
