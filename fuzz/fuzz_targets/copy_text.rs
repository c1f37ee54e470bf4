#![no_main]

#[path = "../reads/copy_text.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::read(bytes));
