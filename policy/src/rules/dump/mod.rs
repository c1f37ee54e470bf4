//! How the dump is made.

use crate::rule::Rule;

mod errexit_missing;
mod pipefail_missing;
mod schema_only_dump;

pub static RULES: &[&Rule] = &[&errexit_missing::RULE, &pipefail_missing::RULE, &schema_only_dump::RULE];
