//! When backups are made, and whether that is what was meant.

use crate::rule::Rule;

mod multi_cron_one_job;
mod rpo_schedule_mismatch;

pub static RULES: &[&Rule] = &[&multi_cron_one_job::RULE, &rpo_schedule_mismatch::RULE];
