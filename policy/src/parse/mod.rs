//! Text in, trees with byte spans out; one file or folder a language.
//!
//! Every parser reads a [`source::Source`], never panics, takes linear time and
//! bounds its depth. What it cannot read it passes over.

pub mod bucket_policy;
pub mod compose;
pub mod crontab;
pub mod env;
pub mod expression;
pub mod lifecycle;
pub mod markdown;
pub mod scalar;
pub mod script_calls;
pub mod shell;
pub mod source;
pub mod sql;
pub mod systemd;
pub mod workflow;
pub mod yaml;
