//! What the documents allow: whether it holds, and whether it is still needed.

use crate::rule::Rule;

mod invalid_allow;
mod stale_allow;

pub static RULES: &[&Rule] = &[&invalid_allow::RULE, &stale_allow::RULE];
