//! Where backups lie, who can erase them, and what the bucket does by itself.

use crate::rule::Rule;

mod bucket_policy_aes256_only;
mod checksum_missing;
mod lifecycle_malformed;
mod lifecycle_prefix_uncovered;
mod lifecycle_shorter_than_promise;
mod offsite_copy_missing;
mod same_failure_domain;
mod upload_unchecked;

pub static RULES: &[&Rule] = &[
    &bucket_policy_aes256_only::RULE,
    &checksum_missing::RULE,
    &lifecycle_malformed::RULE,
    &lifecycle_prefix_uncovered::RULE,
    &lifecycle_shorter_than_promise::RULE,
    &offsite_copy_missing::RULE,
    &same_failure_domain::RULE,
    &upload_unchecked::RULE,
];
