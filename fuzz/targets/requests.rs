#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| frontroom::fuzz::run("requests", bytes));
