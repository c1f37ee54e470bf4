//! How the dump is made.

use crate::rule::Rule;

mod client_version_unpinned;
mod docker_exec_tty;
mod double_compression;
mod double_date_name;
mod dump_not_incremental;
mod errexit_missing;
mod format_name_mismatch;
mod partial_schema_dump;
mod pipefail_missing;
mod schema_only_dump;
mod single_key_overwrite;
mod transaction_pooler;
mod unset_variable_arg;

pub static RULES: &[&Rule] = &[
    &client_version_unpinned::RULE,
    &docker_exec_tty::RULE,
    &double_compression::RULE,
    &double_date_name::RULE,
    &dump_not_incremental::RULE,
    &errexit_missing::RULE,
    &format_name_mismatch::RULE,
    &partial_schema_dump::RULE,
    &pipefail_missing::RULE,
    &schema_only_dump::RULE,
    &single_key_overwrite::RULE,
    &transaction_pooler::RULE,
    &unset_variable_arg::RULE,
];
