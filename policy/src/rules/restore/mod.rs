//! Whether a backup can come back, and whether anybody knows.

use crate::rule::Rule;

mod input;
mod restore_connection_leak;
mod restore_ignores_errors;
mod restore_into_production;
mod verify_always_passes;
mod verify_missing;
mod verify_weak;
mod verify_wrong_format;

pub static RULES: &[&Rule] = &[
    &restore_connection_leak::RULE,
    &restore_ignores_errors::RULE,
    &restore_into_production::RULE,
    &verify_always_passes::RULE,
    &verify_missing::RULE,
    &verify_weak::RULE,
    &verify_wrong_format::RULE,
];
