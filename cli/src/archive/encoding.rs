//! The bytes of an archive's strings flow in, text for people and for matching
//! flows out. What goes on to `pg_restore` are the bytes themselves.

use std::fmt::Write as _;

/// The encoding of a database, which is that of its archive.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    /// UTF-8, or one that is shown as if it were: `SQL_ASCII` is any bytes at all.
    Utf8,
    Latin1,
    Other(&'static encoding_rs::Encoding),
}

impl Encoding {
    /// By PostgreSQL's name (`pg_enc2name_tbl` in `encnames.c`). The three that are
    /// missing here (`EUC_TW`, `MULE_INTERNAL`, `JOHAB`) are shown byte by byte.
    pub fn of(name: &str) -> Self {
        Self::Other(match name {
            "LATIN1" => return Self::Latin1,
            "EUC_JP" | "EUC_JIS_2004" => encoding_rs::EUC_JP,
            "EUC_KR" => encoding_rs::EUC_KR,
            "EUC_CN" => encoding_rs::GBK,
            "KOI8R" => encoding_rs::KOI8_R,
            "KOI8U" => encoding_rs::KOI8_U,
            "LATIN2" => encoding_rs::ISO_8859_2,
            "LATIN3" => encoding_rs::ISO_8859_3,
            "LATIN4" => encoding_rs::ISO_8859_4,
            "LATIN6" => encoding_rs::ISO_8859_10,
            "LATIN7" => encoding_rs::ISO_8859_13,
            "LATIN8" => encoding_rs::ISO_8859_14,
            "LATIN9" => encoding_rs::ISO_8859_15,
            "LATIN10" => encoding_rs::ISO_8859_16,
            "ISO_8859_5" => encoding_rs::ISO_8859_5,
            "ISO_8859_6" => encoding_rs::ISO_8859_6,
            "ISO_8859_7" => encoding_rs::ISO_8859_7,
            "ISO_8859_8" => encoding_rs::ISO_8859_8,
            "WIN866" => encoding_rs::IBM866,
            "WIN874" => encoding_rs::WINDOWS_874,
            "WIN1250" => encoding_rs::WINDOWS_1250,
            "WIN1251" => encoding_rs::WINDOWS_1251,
            "WIN1252" => encoding_rs::WINDOWS_1252,
            "WIN1253" => encoding_rs::WINDOWS_1253,
            // ISO 8859-9 is a part of it.
            "LATIN5" | "WIN1254" => encoding_rs::WINDOWS_1254,
            "WIN1255" => encoding_rs::WINDOWS_1255,
            "WIN1256" => encoding_rs::WINDOWS_1256,
            "WIN1257" => encoding_rs::WINDOWS_1257,
            "WIN1258" => encoding_rs::WINDOWS_1258,
            _ => return Self::Utf8,
        })
    }

    /// A byte that means nothing in the encoding comes out as `\xNN`.
    pub fn decode(self, bytes: Vec<u8>) -> String {
        match self {
            Self::Latin1 => bytes.into_iter().map(char::from).collect(),
            Self::Other(encoding) => encoding
                .decode_without_bom_handling_and_without_replacement(&bytes)
                .map_or_else(|| utf8(&bytes), std::borrow::Cow::into_owned),
            Self::Utf8 => String::from_utf8(bytes).unwrap_or_else(|error| utf8(error.as_bytes())),
        }
    }
}

fn utf8(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_the_encoding_of_the_database() {
        let decode = |name: &str, bytes: &[u8]| Encoding::of(name).decode(bytes.to_vec());
        assert_eq!(decode("UTF8", "größe".as_bytes()), "größe");
        assert_eq!(decode("LATIN1", b"gr\xf6\xdfe"), "größe");
        assert_eq!(decode("WIN1252", b"\x80 gr\xf6\xdfe"), "€ größe");
        assert_eq!(decode("WIN1251", b"\xf6\xe5\xed\xe0"), "цена");
        assert_eq!(decode("EUC_JP", b"\xc6\xfc\xcb\xdc"), "日本");
        assert_eq!(decode("SQL_ASCII", b"gr\xf6\xdfe"), "gr\\xf6\\xdfe");
        assert_eq!(decode("EUC_JP", b"a\xff"), "a\\xff");
    }
}
