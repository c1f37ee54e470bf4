//! Whether anybody learns that a backup failed, or was never made.

use crate::rule::Rule;

mod alarm;
mod failure_notification_missing;
mod notify_echo_only;

pub static RULES: &[&Rule] = &[&failure_notification_missing::RULE, &notify_echo_only::RULE];
