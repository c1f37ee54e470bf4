
//! Stories on real servers: one binary, one file a story.

mod connect;
mod support;
