#![no_main]

#[path = "../reads/crontab.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|text: &str| read::read(text));
