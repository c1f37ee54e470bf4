//! What the stories share: servers, tools and the built program.

pub mod bucket;
pub mod child;
pub mod proxy;
pub mod server;
pub mod tools;
