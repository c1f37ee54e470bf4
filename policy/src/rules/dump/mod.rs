//! How the dump is made.

use crate::rule::Rule;

mod pipefail_missing;

pub static RULES: &[&Rule] = &[&pipefail_missing::RULE];
