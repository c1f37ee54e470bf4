//! GitHub workflows that make backups.

use crate::rule::Rule;

mod backup_as_artifact;
mod declare;
mod green;
mod green_on_failure;
mod paths;
mod secret_in_run;
mod workflow_invalid;

pub static RULES: &[&Rule] =
    &[&backup_as_artifact::RULE, &green_on_failure::RULE, &secret_in_run::RULE, &workflow_invalid::RULE];
