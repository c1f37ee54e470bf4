//! What a document promises, and what is behind it.

use crate::rule::Rule;

mod platform_claim_wrong;
mod rto_rpo_conflict;

pub static RULES: &[&Rule] = &[&platform_claim_wrong::RULE, &rto_rpo_conflict::RULE];
