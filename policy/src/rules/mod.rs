//! Every rule there is: one file a rule, one folder a group, one list.
//!
//! To add one: write `<group>/<id in snake case>.rs` (doc comment and `rule!`,
//! `fn check`, tests), then `mod <id>;` and `&<id>::RULE` in the group's `mod.rs`.

use crate::rule::Rule;

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
];

/// Every rule.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().flat_map(|group| group.iter().copied())
}

pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}
