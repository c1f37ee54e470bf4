//! Who can read a dump, and who still can when it is needed.

use crate::rule::Rule;

mod clear;
mod decrypt_path_missing;
mod dump_unencrypted;
mod encryption_not_wired;
mod key_on_command_line;
mod kms_direct_encrypt;
mod openssl_weak_kdf;

pub static RULES: &[&Rule] = &[
    &decrypt_path_missing::RULE,
    &dump_unencrypted::RULE,
    &encryption_not_wired::RULE,
    &key_on_command_line::RULE,
    &kms_direct_encrypt::RULE,
    &openssl_weak_kdf::RULE,
];
