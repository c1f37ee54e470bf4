//! The record of one backup: what was dumped, from where, what lies in the
//! store, and what was true in the dump's own snapshot.
//!
//! A manifest is written once, last, and never changes; what later checks find
//! lies beside it as [`Verification`] records. Every schema that was released
//! stays readable for ever (`tests/fixtures/stores`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The schema that this version writes.
pub const SCHEMA: u32 = 1;

/// One backup: one dump, in one tier, in one store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this record's shape; see [`SCHEMA`].
    pub schema: u32,
    /// `<UTC timestamp>-<random>`, e.g. `20261121T021700Z-7f3a9c`; sorts by time.
    pub id: String,
    /// Name of the database in the configuration, the store's first folder.
    pub database: String,
    /// Name of the tier, the store's second folder.
    pub tier: String,
    pub content: Content,
    #[serde(default, skip_serializing_if = "Filters::is_empty")]
    pub filters: Filters,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    /// `backstop <version>`.
    pub made_by: String,
    pub source: Source,
    pub archive: Archive,
    /// The dump itself.
    pub artifact: Artifact,
    /// Roles and tablespaces, without passwords.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<Artifact>,
    pub proof: Proof,
    /// What this backup does not hold, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_captured: Vec<String>,
    /// The level that was reached on the stream while it was sealed and on the
    /// stored bytes right after.
    pub checked: Checked,
}

/// Which half of the database was dumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    #[default]
    Full,
    Schema,
    Data,
}

/// `pg_dump` patterns, as they were given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Filters {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_tables: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_table_data: Vec<String>,
}

impl Filters {
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

/// The database that was dumped, as the server described it in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The name on the server, which need not be the name in the configuration.
    pub database: String,
    /// `server_version`, e.g. `15.18 (Debian 15.18-0+deb12u1)`.
    pub server_version: String,
    /// `server_version_num`, e.g. `150018`.
    pub server_version_num: u32,
    /// `pg_control_system()`; absent where the provider hides it. Clones share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// `libc`, `icu` or `builtin`.
    pub locale_provider: String,
    /// The name that ICU or the builtin provider knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icu_rules: Option<String>,
    pub owner: String,
    /// Size on the server's disk, in bytes (`pg_database_size`).
    pub bytes: u64,
}

/// The archive's format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// `pg_dump (PostgreSQL) 15.18 …`.
    pub client: String,
    /// Archive format version, e.g. `1.14`.
    pub version: String,
    /// `none`, `gzip`, `lz4` or `zstd`.
    pub compression: String,
    /// The oldest major of `pg_restore` that reads the artifact.
    pub oldest_pg_restore: u32,
    /// Entries in the table of contents.
    pub entries: u32,
}

/// One object in the store that belongs to a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Object key, relative to the store's root.
    pub key: String,
    /// Before encryption.
    pub plain: Digest,
    /// As stored.
    pub stored: Digest,
    pub encryption: Encryption,
}

/// Length and SHA-256 of a byte string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub bytes: u64,
    /// 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// Who can open an artifact. Public keys only: never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum Encryption {
    None,
    /// age to X25519 recipients (`age1…`).
    Age {
        recipients: Vec<String>,
    },
    /// age with a passphrase (scrypt).
    AgePassphrase,
    /// OpenPGP to certificates, by fingerprint.
    Openpgp {
        recipients: Vec<String>,
    },
    /// OpenPGP, symmetric AES-256.
    OpenpgpPassphrase,
}

impl Encryption {
    /// The suffix that the artifact's key carries.
    pub fn suffix(&self) -> &'static str {
        match self {
            Self::None => "",
            Self::Age { .. } | Self::AgePassphrase => ".age",
            Self::Openpgp { .. } | Self::OpenpgpPassphrase => ".gpg",
        }
    }
}

/// What was true in the dump's own snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Proof {
    Snapshot {
        /// Every table whose rows are in the archive.
        tables: Vec<TableProof>,
        sequences: Vec<SequenceProof>,
        large_objects: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        large_object_bytes: Option<u64>,
        /// Partitioned tables whose partitions' rows were added up.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        roots: Vec<RootProof>,
        fingerprint: Fingerprint,
    },
    /// The snapshot could not be shared with the dump, so nothing is claimed.
    Unproven { reason: String },
}

/// One table's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableProof {
    pub schema: String,
    pub name: String,
    /// The partitioned table at the top, `schema.name`, where this is a
    /// partition. A restore may put rows into another partition (hash
    /// partitions on an enum), so only the sum below the root must be equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    pub rows: u64,
    /// Where the count comes from: `snapshot` (counted by the server) or
    /// `archive` (counted in the dump, because the table could not be locked a
    /// second time without waiting).
    pub counted: Counted,
    /// Of the rows, in any order, keyed: 32 hexadecimal digits. Absent where
    /// `pg_dump` alone copied them, and for a partition, whose root has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// The rows of all partitions of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootProof {
    /// `schema.name`, as in [`TableProof::root`].
    pub name: String,
    pub rows: u64,
    pub digest: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    Snapshot,
    Archive,
}

/// One sequence's position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceProof {
    pub schema: String,
    pub name: String,
    pub last_value: i64,
    pub is_called: bool,
}

/// What the catalogue holds, kind by kind, in words that are equal across
/// server majors. Extension members are left out: they come with the extension.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Kind (`table`, `column`, `index`, `constraint`, `policy`, `trigger`,
    /// `function`, `view`, `type`, `extension`, `grant`, …) to object identity to
    /// the first 16 hexadecimal digits of its definition's SHA-256.
    pub kinds: BTreeMap<String, BTreeMap<String, String>>,
}

/// Kinds whose definition the server deparses, in words that change between
/// majors.
const DEPARSED: [&str; 11] = [
    "column",
    "constraint",
    "default_privilege",
    "function",
    "grant",
    "index",
    "policy",
    "rule",
    "statistics",
    "trigger",
    "view",
];

impl Fingerprint {
    /// How many objects of a kind there are.
    pub fn count(&self, kind: &str) -> usize {
        self.kinds.get(kind).map_or(0, BTreeMap::len)
    }

    /// What `found` lacks, has beside, or has otherwise. Between server majors
    /// the deparsed kinds are held together by name alone. Kinds in `leave_out`
    /// are not looked at.
    pub fn differences(&self, found: &Self, same_major: bool, leave_out: &[&str]) -> Vec<Difference> {
        let none = BTreeMap::new();
        let kinds: BTreeSet<&String> = self.kinds.keys().chain(found.kinds.keys()).collect();
        let mut differences = Vec::new();
        for kind in kinds.into_iter().filter(|kind| !leave_out.contains(&kind.as_str())) {
            let here = self.kinds.get(kind).unwrap_or(&none);
            let there = found.kinds.get(kind).unwrap_or(&none);
            let mut differ = |object: &String, change| {
                differences.push(Difference { kind: kind.clone(), object: object.clone(), change });
            };
            for (object, definition) in here {
                match there.get(object) {
                    None => differ(object, Change::Missing),
                    Some(other)
                        if other != definition && (same_major || !DEPARSED.contains(&kind.as_str())) =>
                    {
                        differ(object, Change::Changed);
                    }
                    Some(_) => {}
                }
            }
            for object in there.keys().filter(|object| !here.contains_key(*object)) {
                differ(object, Change::Added);
            }
        }
        differences
    }
}

/// One object that is not as the fingerprint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub kind: String,
    pub object: String,
    pub change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Missing,
    Changed,
    Added,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, object, change } = self;
        let kind = match kind.as_str() {
            "grant" => "grant on".to_owned(),
            "owner" => "owner of".to_owned(),
            "inherits" => "inheritance of".to_owned(),
            "populated" => "content of materialized view".to_owned(),
            kind => kind.replace('_', " "),
        };
        match change {
            Change::Missing => write!(f, "{kind} {object} is missing"),
            Change::Changed => write!(f, "{kind} {object} is not as it was"),
            Change::Added => write!(f, "{kind} {object} was not in the source"),
        }
    }
}

/// What the backup job itself could check; it holds no private key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Highest level seen on the plain stream while it was sealed.
    pub in_flight: Level,
    /// The stored bytes were read again and their digest matched.
    pub stored: bool,
}

/// How far a backup is known to be good; each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The object was read again; both sizes and digests match.
    Stored,
    /// It opens, and every data block reads to its end.
    Readable,
    /// What must be in it is in it.
    Contents,
    /// It was restored, and the result equals the snapshot.
    Restored,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Readable => "readable",
            Self::Contents => "contents",
            Self::Restored => "restored",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One check of a stored backup, written beside its manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    pub schema: u32,
    /// The manifest's id.
    pub backup: String,
    pub at: Timestamp,
    pub made_by: String,
    /// The level that was asked for.
    pub asked: Level,
    /// The highest level that held; absent when not even the first did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Level>,
    /// Whether `asked` was reached.
    pub passed: bool,
    /// Objects that the trial server could not take, by name: `restored, partial`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<String>,
    /// Why it failed, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
    /// Wall-clock seconds, and seconds of the restore alone where there was one.
    pub seconds: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_seconds: Option<f64>,
    /// `server_version` of the trial server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_server: Option<String>,
    /// Names of the user's assertions that ran; of a command its exit status alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
}
