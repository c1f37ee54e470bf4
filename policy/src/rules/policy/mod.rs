//! What backstop.yml itself says.

use crate::rule::Rule;

mod alert_without_receiver;
mod archive_misses_rto;
mod config_invalid;
mod configs;
mod credential_in_config;
mod encryption_missing;
mod keep_shorter_than_schedule;
mod offsite_store_missing;
mod private_key_in_config;
mod rpo_unreachable;
mod single_recipient;
mod tier_adds_nothing;
mod tier_without_schedule;
mod trial_restore_missing;
mod verification_too_old;

pub static RULES: &[&Rule] = &[
    &alert_without_receiver::RULE,
    &archive_misses_rto::RULE,
    &config_invalid::RULE,
    &credential_in_config::RULE,
    &encryption_missing::RULE,
    &keep_shorter_than_schedule::RULE,
    &offsite_store_missing::RULE,
    &private_key_in_config::RULE,
    &rpo_unreachable::RULE,
    &single_recipient::RULE,
    &tier_adds_nothing::RULE,
    &tier_without_schedule::RULE,
    &trial_restore_missing::RULE,
    &verification_too_old::RULE,
];
