#![no_main]

#[path = "../reads/systemd.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|text: &str| read::read(text));
