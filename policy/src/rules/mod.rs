//! Every rule there is: one file a rule, one folder a group, one list.
//!
//! To add one: write `<group>/<id in snake case>.rs` (doc comment and `rule!`,
//! `fn check`, tests), then `mod <id>;` and `&<id>::RULE` in the group's `mod.rs`.

use crate::rule::{Group, Rule};

mod docs;
mod dump;
mod encryption;
mod migration;
mod monitoring;
mod policy;
mod restore;
mod retention;
mod schedule;
mod secrets;
mod storage;
mod suppression;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod workflow;

/// In the order of [`crate::rule::Group`], each group by id.
pub static RULES: &[&[&Rule]] = &[
    retention::RULES,
    encryption::RULES,
    secrets::RULES,
    schedule::RULES,
    workflow::RULES,
    dump::RULES,
    restore::RULES,
    storage::RULES,
    monitoring::RULES,
    migration::RULES,
    docs::RULES,
    policy::RULES,
    suppression::RULES,
];

/// Every rule.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().flat_map(|group| group.iter().copied())
}

pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

/// The rule or group that was probably meant.
pub fn similar(name: &str) -> Option<&'static str> {
    let names = all().map(|rule| rule.id).chain(Group::ALL.map(Group::as_str));
    let length = name.chars().count();
    let most = |known: &str| (known.len() / 3).max(1);
    names
        // Each character more or less is one change at least.
        .filter(|known| known.len().abs_diff(length) <= most(known))
        .map(|known| (strsim::osa_distance(name, known), known))
        .filter(|(distance, known)| *distance <= most(known))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Whether this is the id of a rule or the name of a group.
pub fn is_name(name: &str) -> bool {
    find(name).is_some() || Group::ALL.iter().any(|group| group.as_str() == name)
}
