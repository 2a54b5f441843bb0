//! See `fetch_fuzz_checks::check_vary`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetch_fuzz_checks::check_vary(input));
