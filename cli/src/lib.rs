//! What is done: rooms that `commands` compose. See ARCHITECTURE.md for the
//! directions between them.

pub mod archive;
pub mod catalog;
pub mod commands;
pub mod detect;
pub mod error;
pub mod pipeline;
pub mod postgres;
pub mod scaffold;
pub mod settings;
pub mod store;
pub mod stream;
pub mod ui;
