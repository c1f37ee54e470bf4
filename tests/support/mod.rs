//! What stories share: real servers and the files that they need.

pub mod tls_server;
