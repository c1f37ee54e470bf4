//! The SQL that `pg_restore --file=-` prints flows in; the same SQL flows out
//! without a setting that an older server does not know.
//!
//! pg_restore 17 and newer begin every session with `SET transaction_timeout = 0`.
//! It is in no archive: no list can leave it out, and a server before 17 answers
//! with an error, on which `--exit-on-error` and `--single-transaction` stop. So a
//! restore into an older server by a newer pg_restore goes through its SQL and
//! psql. Only the settings before the first object are looked at: the line may
//! well be a row of a table.

use std::io::{self, BufRead, BufReader, Read};

const UNKNOWN_BEFORE_17: &[u8] = b"SET transaction_timeout = 0;\n";
/// A line that is longer is none of the settings.
const LONGEST: u64 = 512;

/// Whether a pg_restore prints settings that the server does not know.
pub fn needs_older_settings(pg_restore_major: u32, server_major: u32) -> bool {
    pg_restore_major >= 17 && server_major < 17
}

/// The SQL without those settings. Reads line by line up to the first object, and
/// passes everything on from there.
pub fn older_settings<R: Read>(sql: R) -> impl Read {
    OlderSettings { sql: BufReader::with_capacity(256 * 1024, sql), line: Vec::new(), sent: 0, passed: false }
}

struct OlderSettings<R> {
    sql: BufReader<R>,
    line: Vec<u8>,
    /// Bytes of the line that went out already.
    sent: usize,
    /// The settings are over.
    passed: bool,
}

impl<R: Read> OlderSettings<R> {
    fn next_line(&mut self) -> io::Result<()> {
        self.sent = 0;
        loop {
            self.line.clear();
            (&mut self.sql).take(LONGEST).read_until(b'\n', &mut self.line)?;
            if self.line != UNKNOWN_BEFORE_17 {
                break;
            }
        }
        self.passed = !is_preamble(&self.line);
        Ok(())
    }
}

/// Comments, settings, and the key that newer versions print for psql. The
/// comment before an object names it.
fn is_preamble(line: &[u8]) -> bool {
    let setting = [&b"SET "[..], b"SELECT pg_catalog.set_config(", b"\\restrict ", b"--"];
    line == b"\n" || setting.iter().any(|start| line.starts_with(start)) && !line.starts_with(b"-- Name: ")
}

impl<R: Read> Read for OlderSettings<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.sent == self.line.len() {
            if self.passed {
                return self.sql.read(out);
            }
            self.next_line()?;
        }
        let length = out.len().min(self.line.len() - self.sent);
        out[..length].copy_from_slice(&self.line[self.sent..self.sent + length]);
        self.sent += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(sql: &str) -> String {
        let mut text = String::new();
        older_settings(sql.as_bytes()).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_setting_goes_and_a_row_of_the_same_text_stays() {
        let head = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET lock_timeout = 0;\n";
        let rest = "SET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\n\n\
                    --\n-- Name: t; Type: TABLE\n--\n\nCOPY public.t (a) FROM stdin;\nSET transaction_timeout = 0;\n\\.\n";
        let sql = format!("{head}SET transaction_timeout = 0;\n{rest}");
        assert_eq!(filtered(&sql), format!("{head}{rest}"));
        assert_eq!(filtered(""), "");
        assert_eq!(filtered("SET transaction_timeout = 0;\n"), "");
        assert_eq!(filtered("COPY t FROM stdin;\nSET transaction_timeout = 0;\n\\.\n").len(), 51);
        let long = "x".repeat(10_000);
        assert_eq!(filtered(&long), long);
    }

    #[test]
    fn what_a_real_pg_restore_18_prints() {
        let sql = std::str::from_utf8(crate::archive::fixtures::NO_BLOBS_18_SQL).unwrap();
        assert_eq!(filtered(sql), sql.replacen("SET transaction_timeout = 0;\n", "", 1));
        assert!(
            needs_older_settings(18, 15) && !needs_older_settings(16, 15) && !needs_older_settings(18, 17)
        );
    }
}
