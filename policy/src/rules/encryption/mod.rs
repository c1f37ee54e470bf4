//! Who can read a dump, and who still can when it is needed.

use crate::rule::Rule;

pub static RULES: &[&Rule] = &[];
