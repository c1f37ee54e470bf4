//! How the dump is made.

use crate::rule::Rule;

mod client_version_unpinned;
mod errexit_missing;
mod pipefail_missing;
mod schema_only_dump;
mod transaction_pooler;

pub static RULES: &[&Rule] = &[
    &client_version_unpinned::RULE,
    &errexit_missing::RULE,
    &pipefail_missing::RULE,
    &schema_only_dump::RULE,
    &transaction_pooler::RULE,
];
