//! See `fetch_fuzz_checks::check_parquet_rows`.
#![no_main]

use std::panic;

// The reader of lists catches panics of the parquet crate, which libFuzzer's hook would end the process for.
libfuzzer_sys::fuzz_target!(
    init: panic::set_hook(Box::new(|_| {})),
    |input: &[u8]| {
        if let Err(error) = panic::catch_unwind(|| fetch_fuzz_checks::check_parquet_rows(input)) {
            eprintln!("{:?}", error.downcast_ref::<String>());
            std::process::abort();
        }
    }
);
