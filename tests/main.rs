//! Stories on real servers: one binary, one file a story.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a story that cannot go on has failed")]

mod connect;
mod pooler;
mod support;
