#![no_main]

#[path = "../reads/shell.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|text: &str| read::read(text));
