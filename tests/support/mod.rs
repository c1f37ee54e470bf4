//! What the stories share: servers, tools and the built program.

pub mod cluster;
pub mod command;
pub mod tls_server;
pub mod tools;
