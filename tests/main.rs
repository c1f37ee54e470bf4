//! The stories: one test binary, one file a story, real servers and programs.
//! `./scripts/test` installs what they need and runs them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a story cannot go on without fails it")]

mod support;

mod client_tools;
mod configuration;
mod connect;
mod faults_catalog;
mod faults_get;
mod faults_killed;
mod faults_local;
mod faults_store;
mod faults_verify;
mod pooler;
mod shop;
mod store;
mod store_faults;
mod store_local;
mod throwaway_cluster;
mod two_stores;
