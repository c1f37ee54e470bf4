//! GitHub workflows that make backups.

use crate::rule::Rule;

mod secret_in_run;

pub static RULES: &[&Rule] = &[&secret_in_run::RULE];
