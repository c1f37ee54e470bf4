//! When backups are made, and whether they are.

use crate::rule::Rule;

mod clock;
mod cron_env_missing;
mod cron_local_time;
mod multi_cron_one_job;
mod rpo_schedule_mismatch;
mod schedule_missing;
mod schedule_race;
mod unreachable_schedule_branch;

pub static RULES: &[&Rule] = &[
    &cron_env_missing::RULE,
    &cron_local_time::RULE,
    &multi_cron_one_job::RULE,
    &rpo_schedule_mismatch::RULE,
    &schedule_missing::RULE,
    &schedule_race::RULE,
    &unreachable_schedule_branch::RULE,
];
