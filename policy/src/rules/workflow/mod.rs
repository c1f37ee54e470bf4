//! GitHub workflows that make backups.

use crate::rule::Rule;

mod action_unpinned;
mod backup_as_artifact;
mod backup_in_git;
mod concurrency_missing;
mod declare;
mod deprecated_action;
mod green;
mod green_on_failure;
mod job_timeout_missing;
mod keywords;
mod noop_backup;
pub mod pasted;
mod paths;
mod pull_request_trigger;
mod quoted_heredoc_vars;
mod runs;
mod token_permissions_missing;
mod workflow_invalid;

pub use runs::Event;

pub static RULES: &[&Rule] = &[
    &action_unpinned::RULE,
    &backup_as_artifact::RULE,
    &backup_in_git::RULE,
    &concurrency_missing::RULE,
    &deprecated_action::RULE,
    &green_on_failure::RULE,
    &job_timeout_missing::RULE,
    &noop_backup::RULE,
    &pull_request_trigger::RULE,
    &quoted_heredoc_vars::RULE,
    &token_permissions_missing::RULE,
    &workflow_invalid::RULE,
];
