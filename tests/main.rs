//! The stories: one test binary, one file a story, real servers and programs.
//! `./scripts/test` installs what they need and runs them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a story cannot go on without fails it")]

mod support;

mod action;
mod action_contract;
mod action_step;
mod client_tools;
mod concurrency;
mod configuration;
mod connect;
mod demo;
mod faults_catalog;
mod faults_database;
mod faults_dump;
mod faults_get;
mod faults_killed;
mod faults_local;
mod faults_running;
mod faults_store;
mod faults_verify;
mod help;
mod many_tables;
mod matrix;
mod pooler;
mod proven;
mod random_schemas;
mod readme;
mod restore;
mod restore_foreign;
mod restore_in_place;
mod shop;
mod stock_tools;
mod store;
mod store_faults;
mod store_local;
mod throwaway_cluster;
mod two_stores;
