//! See `fetch_fuzz_checks::check_cache_control`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetch_fuzz_checks::check_cache_control(input));
