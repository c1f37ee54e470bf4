//! What is deleted, when, and what stays.

use crate::rule::Rule;

mod blind_age_delete;

pub static RULES: &[&Rule] = &[&blind_age_delete::RULE];
