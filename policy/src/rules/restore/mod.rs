//! Whether a backup can come back, and whether anybody knows.

use crate::rule::Rule;

mod input;
mod restore_into_production;
mod verify_missing;
mod verify_wrong_format;

pub static RULES: &[&Rule] =
    &[&restore_into_production::RULE, &verify_missing::RULE, &verify_wrong_format::RULE];
