//! What backstop.yml itself says.

use crate::rule::Rule;

pub static RULES: &[&Rule] = &[];
