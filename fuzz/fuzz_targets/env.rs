#![no_main]

#[path = "../reads/env.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|text: &str| read::read(text));
