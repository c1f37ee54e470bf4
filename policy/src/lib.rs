//! What backstop allows, as pure functions: text in, models and findings out.
//!
//! Nothing here reads a file, the clock, the environment or the network; the
//! crate is the same in the command, in the tests and in a browser.

pub mod config;
pub mod document;
pub mod editor;
pub mod facts;
pub mod finding;
pub mod fix;
pub mod glob;
pub mod identifier;
pub mod lint;
pub mod manifest;
pub mod model;
pub mod parse;
pub mod path;
pub mod provider;
pub mod relevance;
pub mod render;
pub mod rule;
pub mod rules;
pub mod schedule;
pub mod secrets;
pub mod suppress;
pub mod units;
mod words;
