//! What a document promises, and what is behind it.

use crate::rule::Rule;

pub static RULES: &[&Rule] = &[];
