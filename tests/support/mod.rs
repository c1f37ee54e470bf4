//! What the stories share: servers, tools and the built program.

pub mod act;
pub mod bucket;
pub mod child;
pub mod cluster;
pub mod command;
pub mod depot;
pub mod equality;
pub mod interference;
pub mod issuer;
pub mod keys;
pub mod proxy;
pub mod scene;
pub mod sealing;
pub mod server;
pub mod standby;
pub mod tls_server;
pub mod tools;
pub mod zoo;
