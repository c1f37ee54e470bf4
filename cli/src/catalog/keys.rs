//! Where each object of a backup lies below the store's root.
//!
//! Tiers are folders, so that a lifecycle rule can match each by prefix; what
//! must never move to an archive class (manifests, records) lies apart.

use backstop_policy::manifest::Encryption;
use jiff::Timestamp;
use rand::Rng;

/// The tier of the backups that are taken before something is overwritten.
pub const SAFETY: &str = "safety";

/// A new backup's id: its time to the second, and 24 random bits so that two
/// backups of one second do not meet. Sorts by that second.
pub fn new_id(now: Timestamp) -> String {
    let random: u32 = rand::thread_rng().gen_range(0..1 << 24);
    format!("{}-{random:06x}", now.strftime("%Y%m%dT%H%M%SZ"))
}

/// What an id says of the time, as text that sorts.
pub fn second(id: &str) -> &str {
    id.split_once('-').map_or(id, |(second, _)| second)
}

pub fn artifact(database: &str, tier: &str, id: &str, encryption: &Encryption) -> String {
    format!("{database}/{tier}/{id}.dump{}", encryption.suffix())
}

pub fn globals(database: &str, tier: &str, id: &str, encryption: &Encryption) -> String {
    format!("{database}/{tier}/{id}.globals.sql{}", encryption.suffix())
}

pub fn checksums(database: &str, tier: &str, id: &str) -> String {
    format!("{database}/{tier}/{id}.sha256")
}

pub fn catalog(database: &str) -> String {
    format!("{database}/catalog/")
}

pub fn manifest(database: &str, tier: &str, id: &str) -> String {
    format!("{database}/catalog/{id}.{tier}.json")
}

/// What the keys of a backup's verifications begin with.
pub fn verifications(database: &str, tier: &str, id: &str) -> String {
    format!("{database}/catalog/{id}.{tier}.verified-")
}

pub fn verification(database: &str, tier: &str, id: &str, number: usize) -> String {
    format!("{}{number}.json", verifications(database, tier, id))
}

pub fn lease(database: &str) -> String {
    format!("{database}/catalog/lease")
}

pub fn readme(database: &str) -> String {
    format!("{database}/README.txt")
}

/// What a key below `catalog/` is.
#[derive(Debug, PartialEq, Eq)]
pub enum Record<'a> {
    Manifest { id: &'a str, tier: &'a str },
    Verification { id: &'a str, tier: &'a str, number: usize },
}

/// Read a key below `catalog/` back into its parts; anything else is `None`.
pub fn record<'a>(database: &str, key: &'a str) -> Option<Record<'a>> {
    let name = key.strip_prefix(database)?.strip_prefix("/catalog/")?.strip_suffix(".json")?;
    let mut parts = name.split('.');
    let (id, tier) = (parts.next()?, parts.next()?);
    let record = match parts.next() {
        None => Record::Manifest { id, tier },
        Some(rest) => {
            Record::Verification { id, tier, number: rest.strip_prefix("verified-")?.parse().ok()? }
        }
    };
    parts.next().is_none().then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back() {
        let id = new_id(Timestamp::UNIX_EPOCH);
        assert!(id.starts_with("19700101T000000Z-"), "{id}");
        assert_eq!(second(&id), "19700101T000000Z");
        assert_eq!(
            record("shop", &manifest("shop", "daily", &id)),
            Some(Record::Manifest { id: &id, tier: "daily" })
        );
        assert_eq!(
            record("shop", &verification("shop", "daily", &id, 12)),
            Some(Record::Verification { id: &id, tier: "daily", number: 12 })
        );
        for other in [
            "shop/catalog/lease",
            "shop/catalog/holds/x.json",
            "shop/daily/x.json",
            "other/catalog/x.daily.json",
            "shop/catalog/x.daily.verified-x.json",
            "shop/catalog/x.daily.verified-1.more.json",
        ] {
            assert_eq!(record("shop", other), None, "{other}");
        }
    }
}
