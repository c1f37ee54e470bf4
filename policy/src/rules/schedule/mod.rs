//! When backups are made, and whether they are.

use crate::rule::Rule;

pub static RULES: &[&Rule] = &[];
