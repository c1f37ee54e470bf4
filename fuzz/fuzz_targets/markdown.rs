#![no_main]

#[path = "../reads/markdown.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|text: &str| read::read(text));
