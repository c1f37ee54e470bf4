//! Credentials where they must not be.

use crate::rule::Rule;

mod credential_in_file;

pub static RULES: &[&Rule] = &[&credential_in_file::RULE];
