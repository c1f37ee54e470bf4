//! What the stories share: servers, tools and the built program.

pub mod cluster;
pub mod command;
pub mod tools;
