#![no_main]

#[path = "../reads/suppress.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|text: &str| read::read(text));
