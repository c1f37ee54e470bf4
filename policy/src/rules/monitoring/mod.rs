//! Who learns that a backup failed, or never ran.

use crate::rule::Rule;

mod alarm;
mod cron_output_swallowed;
mod dead_man_switch_missing;
mod failure_notification_missing;
mod monitor_broken_test;
mod notify_echo_only;
mod required_arg_missing;

pub static RULES: &[&Rule] = &[
    &cron_output_swallowed::RULE,
    &dead_man_switch_missing::RULE,
    &failure_notification_missing::RULE,
    &monitor_broken_test::RULE,
    &notify_echo_only::RULE,
    &required_arg_missing::RULE,
];
