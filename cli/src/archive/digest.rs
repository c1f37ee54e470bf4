//! What a table's rows add up to: rows flow in, in any order and from any number
//! of hands; one number flows out that is equal exactly when the rows are.
//!
//! For a key of 32 random bytes, and rows in the text format of COPY without
//! their line ends:
//!
//! ```text
//! sum    = Σ XXH3-128(row, seed = the key's first 8 bytes, little endian)   mod 2^128
//! digest = HMAC-SHA-256(key, "backstop rows 1" || rows || sum)[0..16]       both little endian
//! ```
//!
//! with `rows` in 8 bytes and `sum` in 16. The sum makes it free of order, and the
//! parts of a table can be added; the HMAC keeps the digest of a tiny table from
//! being guessed by whoever reads a manifest, which the key is not in: it lies in
//! the archive, and is encrypted with it.

use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;
use twox_hash::xxhash3_128::Hasher;

const DOMAIN: &[u8] = b"backstop rows 1";

/// The key of one backup's digests.
#[derive(Clone, PartialEq, Eq)]
pub struct RowKey([u8; 32]);

impl std::fmt::Debug for RowKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RowKey")
    }
}

impl RowKey {
    pub fn random() -> Self {
        let mut key = [0; 32];
        rand::thread_rng().fill_bytes(&mut key);
        Self(key)
    }

    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key).ok()?;
        Some(Self(key))
    }

    pub(super) fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    fn seed(&self) -> u64 {
        // It is longer than that.
        self.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

/// Rows that were added up so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowSum {
    pub rows: u64,
    sum: u128,
}

impl RowSum {
    /// The rows of another part of the same table.
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// 32 lower-case hexadecimal digits.
    pub fn digest(&self, key: &RowKey) -> String {
        let mut text = String::new();
        // HMAC takes a key of any length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key.0) {
            mac.update(DOMAIN);
            mac.update(&self.rows.to_le_bytes());
            mac.update(&self.sum.to_le_bytes());
            text = hex::encode(&mac.finalize().into_bytes()[..16]);
        }
        text
    }
}

/// Adds rows up, each in one piece or in several.
pub(super) struct Adder {
    /// Without one, rows are counted and no more.
    seed: Option<u64>,
    sum: RowSum,
    /// Of a row that comes in pieces.
    begun: Option<Hasher>,
}

impl Adder {
    pub(super) fn new(key: Option<&RowKey>) -> Self {
        Self { seed: key.map(RowKey::seed), sum: RowSum::default(), begun: None }
    }

    /// A whole row, or the last piece of one, with its line end.
    pub(super) fn end(&mut self, row: &[u8]) {
        self.sum.rows += 1;
        let Some(seed) = self.seed else { return };
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        let hash = match self.begun.take() {
            None => Hasher::oneshot_with_seed(seed, row),
            Some(mut hasher) => {
                hasher.write(row);
                hasher.finish_128()
            }
        };
        self.sum.sum = self.sum.sum.wrapping_add(hash);
    }

    /// A piece of a row that goes on.
    pub(super) fn more(&mut self, piece: &[u8]) {
        if let Some(seed) = self.seed {
            self.begun.get_or_insert_with(|| Hasher::with_seed(seed)).write(piece);
        }
    }

    pub(super) fn sum(&self) -> RowSum {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> RowKey {
        RowKey::from_hex(&"07".repeat(32)).unwrap()
    }

    fn of(rows: &[&str]) -> RowSum {
        let mut adder = Adder::new(Some(&key()));
        for row in rows {
            adder.end(row.as_bytes());
        }
        adder.sum()
    }

    /// A digest that was written down must mean the same for ever.
    #[test]
    fn the_digest_of_these_rows_never_changes() {
        insta::assert_snapshot!(of(&["1\ta\n", "2\tb\n"]).digest(&key()), @"7933dc8973377db35cbf50f40dc05419");
        insta::assert_snapshot!(of(&[]).digest(&key()), @"7c4da3d1e3231315d099356520acc3b4");
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let rows = of(&["1\ta\n", "2\tb\n", "2\tb\n"]);
        assert_eq!(rows, of(&["2\tb\n", "1\ta\n", "2\tb\n"]));
        for other in
            [&["1\ta\n", "2\tb\n"][..], &["1\ta\n", "1\ta\n", "2\tb\n"], &["1\ta\n", "2\tb\n", "2\tc\n"]]
        {
            assert_ne!(rows, of(other));
            assert_ne!(rows.digest(&key()), of(other).digest(&key()));
        }
        assert_ne!(rows.digest(&key()), rows.digest(&RowKey::random()));
    }

    proptest! {
        #[test]
        fn pieces_and_parts_make_no_difference(
            rows in proptest::collection::vec("[a-z\\\\\t]{0,300}", 0..12),
            cuts in proptest::collection::vec(1usize..400, 1..12),
            half in 0usize..12,
        ) {
            let lines: Vec<String> = rows.iter().map(|row| format!("{row}\n")).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let whole = of(&lines);

            let mut adder = Adder::new(Some(&key()));
            let mut cuts = cuts.iter().cycle();
            for line in &lines {
                let mut rest = line.as_bytes();
                while let Some((piece, after)) = cuts.next().and_then(|cut| rest.split_at_checked(*cut))
                    && !after.is_empty()
                {
                    adder.more(piece);
                    rest = after;
                }
                adder.end(rest);
            }
            prop_assert_eq!(adder.sum(), whole);

            let (first, second) = lines.split_at(half.min(lines.len()));
            let mut parts = of(first);
            parts.add(of(second));
            prop_assert_eq!(parts, whole);
        }
    }
}
