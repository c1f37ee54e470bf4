//! The archive's header: version, sizes, compression, when and from what it was
//! made. Bytes in, [`Header`] out; only what this program can read to the end is
//! let through.

use std::io::Read;

use jiff::civil::DateTime;

use super::Error;
use super::input::Input;

pub(super) const MAGIC: &[u8] = b"PGDMP";

/// How data blocks are compressed. The table of contents never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    /// One zlib stream an object, which ends in an Adler-32 of its content.
    Gzip,
    /// LZ4 frames; pg_dump writes them without checksums.
    Lz4,
    /// Zstandard frames; pg_dump writes them without checksums, so a changed
    /// byte may go unnoticed: only the digest of the whole object covers it.
    Zstd,
}

impl Compression {
    /// The name that `pg_dump --compress` takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl std::fmt::Display for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Of the format: `(1, 14, 0)` from pg_dump 12 to 15, `(1, 15, 0)` from 16,
    /// `(1, 16, 0)` from 17 and 18.
    pub version: (u8, u8, u8),
    /// Bytes of an integer, without its sign; always 4.
    pub int_size: u8,
    /// Bytes of a file offset: 8, or 4 from very old 32-bit machines.
    pub off_size: u8,
    pub compression: Compression,
    /// gzip's level, up to version 1.14; -1 is zlib's default.
    pub level: Option<i64>,
    /// When the dump began, by the clock and in the zone of the machine that made
    /// it (which the archive does not name); absent when it is no date.
    pub created: Option<DateTime>,
    pub database: String,
    /// `15.18 (Debian 15.18-0+deb12u1)`
    pub server_version: String,
    /// Version of the pg_dump that made it, in the same form.
    pub client_version: String,
    /// Entries in the table of contents.
    pub entries: u32,
}

impl Header {
    /// `1.16`
    pub fn format_version(&self) -> String {
        format!("{}.{}", self.version.0, self.version.1)
    }

    /// The oldest major version of pg_restore that reads the archive: by its
    /// format, and by its compression where that pg_restore was built with it
    /// (zstd and lz4 came with 16 and are optional).
    pub fn oldest_pg_restore(&self) -> u32 {
        let by_format = match self.version.1 {
            ..=12 => 9,
            13 => 10,
            14 => 12,
            15 => 16,
            16.. => 17,
        };
        match self.compression {
            Compression::None | Compression::Gzip => by_format,
            Compression::Lz4 | Compression::Zstd => by_format.max(16),
        }
    }

    /// Where the fields after the compression begin.
    pub(super) fn after_compression(&self) -> usize {
        if self.version >= (1, 15, 0) { 12 } else { 16 }
    }

    pub(super) fn read<R: Read>(input: &mut Input<R>) -> Result<Self, Error> {
        const READING: &str = "its header";
        let mut magic = [0; 5];
        input.exact(&mut magic, READING)?;
        if magic != MAGIC {
            return Err(Error::NotCustom { found: "something else" });
        }
        let mut fixed = [0; 6];
        input.exact(&mut fixed, READING)?;
        let [major, minor, revision, int_size, off_size, format] = fixed;
        if major != 1 || !(12..=16).contains(&minor) {
            return Err(Error::UnknownVersion { version: format!("{major}.{minor}") });
        }
        if int_size != 4 || !matches!(off_size, 4 | 8) {
            return Err(input.damaged(format!("integers of {int_size} and offsets of {off_size} bytes")));
        }
        match format {
            1 => {}
            3 => return Err(Error::NotCustom { found: "the table of contents of a tar archive" }),
            5 => return Err(Error::NotCustom { found: "the table of contents of a directory archive" }),
            other => return Err(input.damaged(format!("archive format {other}"))),
        }
        let version = (major, minor, revision);
        let (compression, level) = if version >= (1, 15, 0) {
            let compression = match input.byte(READING)? {
                0 => Compression::None,
                1 => Compression::Gzip,
                2 => Compression::Lz4,
                3 => Compression::Zstd,
                other => return Err(input.damaged(format!("compression algorithm {other}"))),
            };
            (compression, None)
        } else {
            match input.int(READING)? {
                0 => (Compression::None, None),
                level @ -1..=9 => (Compression::Gzip, Some(level)),
                other => return Err(input.damaged(format!("compression level {other}"))),
            }
        };
        let created = read_time(input, READING)?;
        let database = text(input.string(READING)?);
        let server_version = text(input.string(READING)?);
        let client_version = text(input.string(READING)?);
        let entries = input.int(READING)?;
        let entries = u32::try_from(entries)
            .map_err(|_| input.damaged(format!("{entries} entries in the table of contents")))?;
        Ok(Self {
            version,
            int_size,
            off_size,
            compression,
            level,
            created,
            database,
            server_version,
            client_version,
            entries,
        })
    }
}

/// `struct tm`, field by field.
fn read_time<R: Read>(input: &mut Input<R>, reading: &str) -> Result<Option<DateTime>, Error> {
    let mut fields = [0; 7];
    for field in &mut fields {
        *field = input.int(reading)?;
    }
    let [second, minute, hour, day, month, year, _daylight_saving] = fields;
    // jiff knows no leap second.
    let second = second.min(59);
    let small = |value: i64| i8::try_from(value).ok();
    let date = || {
        let year = i16::try_from(year + 1900).ok()?;
        DateTime::new(year, small(month + 1)?, small(day)?, small(hour)?, small(minute)?, small(second)?, 0)
            .ok()
    };
    Ok(date())
}

/// The header comes before the entry that names the encoding.
fn text(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}
