//! Who learns that a backup failed, or never ran.

use crate::rule::Rule;

pub static RULES: &[&Rule] = &[];
