//! What is done: rooms that `commands` compose. See ARCHITECTURE.md for the
//! directions between them.

pub mod archive;
pub mod backup;
pub mod catalog;
pub mod commands;
pub mod demo;
pub mod detect;
pub mod doctor;
pub mod error;
pub mod git;
pub mod github;
pub mod lint;
pub mod load;
pub mod pipeline;
pub mod postgres;
pub mod report;
pub mod restore;
pub mod scaffold;
pub mod scheduling;
pub mod settings;
pub mod store;
pub mod stream;
pub mod ui;
pub mod verify;

/// How manifests and records name their maker.
pub const MADE_BY: &str = concat!("backstop ", env!("CARGO_PKG_VERSION"));
