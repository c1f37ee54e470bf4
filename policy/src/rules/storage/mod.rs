//! Where backups lie, who can erase them, and what the bucket does by itself.

use crate::rule::Rule;

mod lifecycle_shorter_than_promise;

pub static RULES: &[&Rule] = &[&lifecycle_shorter_than_promise::RULE];
