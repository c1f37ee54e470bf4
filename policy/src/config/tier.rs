//! When backups are made and how long they stay: one entry of `tiers`.

use serde_json::{Map, Value as Json, json};

use crate::manifest::Content;
use crate::parse::yaml::{Kind, Node};
use crate::schedule::Schedule;
use crate::units::{Percent, Period, Size, Unit};

use super::collection::OneOrMany;
use super::store::StorageClass;
use super::value::{Reader, Reference, Section, Spanned, Target, Value, choices, section};

section! {
    /// A series of backups with its own schedule and retention. Its name is
    /// its folder in the store.
    pub struct Tier(check) {
        /// Cron expression of five fields, in UTC. Without one, backups of this
        /// tier are made on request only.
        pub schedule: Option<Spanned<Schedule>>,
        /// How long each backup stays (`7 days`, `12 months`, `forever`), or how
        /// many of them do (`3`). Without it, nothing of this tier is pruned.
        pub keep: Option<Spanned<Keep>>,
        /// A lower bound beside `keep`: beside a number of backups, how long
        /// each stays in any case (`30 days`); beside a time, how many stay in
        /// any case (`3`).
        pub at_least: Option<Spanned<Keep>>,
        /// Stores to write to; all of them where none is named.
        pub stores: Vec<StoreName>,
        /// What is dumped: `full`, `schema` or `data`.
        pub content: Option<Content>,
        /// When the bucket moves backups to a colder storage class; one step or
        /// a list of them.
        pub archive: OneOrMany<Archive>,
        /// How long a restore of a backup of this tier may take.
        pub rto: Option<Spanned<Period>>,
    }
}

section! {
    /// One step to a colder storage class.
    pub struct Archive {
        /// Age at which a backup is moved, in whole days.
        pub after: Spanned<Period>,
        /// Storage class of S3.
        pub class: StorageClass,
    }
}

choices!(Content: "full" => Content::Full, "schema" => Content::Schema, "data" => Content::Data);

/// How long, or how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Forever,
    For(Period),
    Count(u32),
}

impl Value for Keep {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "oneOf": [
            { "const": "forever" },
            { "type": "integer", "minimum": 1 },
            { "type": "string", "pattern": Period::PATTERN },
        ] })
    }

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Some(scalar) = node.as_scalar().filter(|scalar| scalar.kind() == Kind::Integer) {
            if let Ok(count @ 1..) = scalar.text.parse::<u32>() {
                return Some(Self::Count(count));
            }
            let why = "a number of backups is at least 1; a time has a unit, for example `7 days`";
            reader.invalid(node, &scalar.text, why);
            return None;
        }
        let parse = |text: &str| {
            if text == "forever" { Ok(Self::Forever) } else { Period::parse(text).map(Self::For) }
        };
        reader.parse_text(node, "a time (`7 days`), a number of backups or `forever`", parse)
    }
}

impl Value for Period {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string", "pattern": Self::PATTERN, "examples": ["25 hours", "7 days", "12 months"] })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.parse_text(node, "a length of time (`7 days`)", Self::parse)
    }
}

impl Value for Size {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string", "pattern": Self::PATTERN, "examples": ["1 MB", "512 MiB", "50 GB"] })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.parse_text(node, "a size (`1 MB`)", Self::parse)
    }
}

impl Value for Percent {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string", "pattern": Self::PATTERN, "examples": ["20%"] })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.parse_text(node, "a percentage (`20%`)", Self::parse)
    }
}

impl Value for Schedule {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string", "pattern": "^\\s*\\S+(\\s+\\S+){4}\\s*$", "examples": ["17 2 * * *"] })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.parse_text(node, "a cron expression", Self::parse)
    }
}

/// The name of a store that the file defines.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreName(pub Spanned<String>);

/// The name of a tier that the file defines.
#[derive(Debug, Clone, PartialEq)]
pub struct TierName(pub Spanned<String>);

impl Value for StoreName {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string" })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        refer(node, Target::Store, reader).map(Self)
    }
}

impl Value for TierName {
    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string" })
    }
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        refer(node, Target::Tier, reader).map(Self)
    }
}

fn refer(node: &Node, target: Target, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
    let value = reader.text_of(node, "a name")?.to_owned();
    let name = Spanned { value, span: node.span };
    reader.references.push(Reference { target, name: name.clone() });
    Some(name)
}

impl Tier {
    /// This tier, with what `other` says in place of it, key by key.
    #[must_use]
    pub fn overridden_by(&self, other: &Self) -> Self {
        let mut tier = other.clone();
        tier.schedule = tier.schedule.or_else(|| self.schedule.clone());
        tier.at_least = match tier.keep {
            // A new `keep` takes the old lower bound away with it.
            Some(_) => tier.at_least,
            None => tier.at_least.or_else(|| self.at_least.clone()),
        };
        tier.keep = tier.keep.or_else(|| self.keep.clone());
        tier.content = tier.content.or(self.content);
        tier.rto = tier.rto.or_else(|| self.rto.clone());
        if tier.stores.is_empty() {
            tier.stores.clone_from(&self.stores);
        }
        if tier.archive.0.is_empty() {
            tier.archive.clone_from(&self.archive);
        }
        tier
    }
}

/// In seconds.
const DAY: u64 = 86_400;

fn check(tier: &Tier, _: &Section<'_>, reader: &mut Reader<'_>) {
    check_consistency(tier, reader);
}

/// What the keys of one tier say of each other.
pub(super) fn check_consistency(tier: &Tier, reader: &mut Reader<'_>) {
    if let Some(at_least) = &tier.at_least {
        let conflict = match (tier.keep.as_deref(), at_least.value) {
            (_, Keep::Forever) => Some("'at_least' cannot be `forever`"),
            (Some(Keep::Forever), _) => Some("'at_least' means nothing beside `keep: forever`"),
            (Some(Keep::For(_)), Keep::For(_)) => {
                Some("'at_least' is a number of backups where 'keep' is a time")
            }
            (Some(Keep::Count(_)), Keep::Count(_)) => {
                Some("'at_least' is a time where 'keep' is a number of backups")
            }
            _ => None,
        };
        if let Some(message) = conflict {
            let help = "for example `keep: 3, at_least: 30 days` or `keep: 7 days, at_least: 3`";
            reader.error_help("conflicting-keys", at_least.span, message, help);
        }
    }
    let mut before = None;
    for step in &tier.archive.0 {
        let after = step.after.value;
        let seconds = after.nominal_seconds();
        if seconds % DAY != 0 && after.unit < Unit::Day {
            let message =
                format!("'{after}' cannot be used for 'after': a bucket moves objects by whole days");
            reader.error("invalid-value", step.after.span, message);
        }
        if let Some(Keep::For(keep)) = tier.keep.as_deref()
            && seconds >= keep.nominal_seconds()
        {
            let message = format!("archived after {after}, but kept for {keep} only");
            reader.error_help("invalid-value", step.after.span, message, "archive earlier, or keep longer");
        }
        if before.is_some_and(|before| seconds <= before) {
            let message = "this archive step does not come after the one before it";
            reader.error("invalid-value", step.after.span, message);
        }
        before = Some(seconds);
    }
}
