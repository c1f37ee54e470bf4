//! What a migration leaves behind when it fails.

use crate::rule::Rule;

pub static RULES: &[&Rule] = &[];
