//! Whether a backup can come back, and whether anybody knows.

use crate::rule::Rule;

mod verify_missing;

pub static RULES: &[&Rule] = &[&verify_missing::RULE];
