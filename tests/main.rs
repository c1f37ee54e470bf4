//! The stories: one test binary, one file a story, real servers and programs.
//! `./scripts/test` installs what they need and runs them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a story cannot go on without fails it")]

mod support;

mod action;
mod action_contract;
mod action_step;
mod client_tools;
mod concurrency;
mod concurrency_load;
mod configuration;
mod connect;
mod damage;
mod demo;
mod engine_archive;
mod engine_faults;
mod engine_kills;
mod engine_running;
mod engine_schema;
mod engine_size;
mod faults_catalog;
mod faults_database;
mod faults_dump;
mod faults_get;
mod faults_killed;
mod faults_local;
mod faults_running;
mod faults_store;
mod faults_verify;
mod fuzz_corpus;
mod golden_stores;
mod help;
mod lint;
mod lint_action;
mod many_tables;
mod matrix;
mod no_client;
mod own_checks;
mod pooler;
mod proven;
mod proven_extension;
mod random_schemas;
mod readme;
mod restore;
mod restore_damaged;
mod restore_foreign;
mod restore_in_place;
mod restore_indexes;
mod restore_parallel;
mod restore_settings;
mod restore_swap;
mod secrets;
mod shop;
mod stock_tools;
mod store;
mod store_faults;
mod store_local;
mod store_s3;
mod throwaway_cluster;
mod two_stores;
