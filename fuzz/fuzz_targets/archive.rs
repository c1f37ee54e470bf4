#![no_main]

#[path = "../reads/archive.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::read(bytes));
