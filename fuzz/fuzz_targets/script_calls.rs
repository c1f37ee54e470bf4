#![no_main]

#[path = "../reads/script_calls.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|text: &str| read::read(text));
