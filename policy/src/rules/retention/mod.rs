//! What is deleted, when, and what stays.

use crate::rule::Rule;

mod backups;
mod blind_age_delete;
mod by_age;
mod delete_scope_too_wide;
mod folders;
mod retention_contradiction;
mod retention_missing;
mod retention_never_matches;
mod runner;
mod tier_not_produced;

pub static RULES: &[&Rule] = &[
    &blind_age_delete::RULE,
    &delete_scope_too_wide::RULE,
    &retention_contradiction::RULE,
    &retention_missing::RULE,
    &retention_never_matches::RULE,
    &tier_not_produced::RULE,
];
