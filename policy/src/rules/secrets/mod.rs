//! Credentials where they must not be.

use crate::rule::Rule;

mod credential_in_argv;
mod credential_in_file;
mod input_in_run;
mod secret_in_run;
mod secrets_in_backup;
mod url_password_unencoded;

pub static RULES: &[&Rule] = &[
    &credential_in_argv::RULE,
    &credential_in_file::RULE,
    &input_in_run::RULE,
    &secret_in_run::RULE,
    &secrets_in_backup::RULE,
    &url_password_unencoded::RULE,
];
