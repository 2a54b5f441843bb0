//! Any bytes are a run of the engine, and no run breaks a promise.
#![no_main]

#[allow(dead_code, unreachable_pub)]
#[path = "../../fetch-proto/tests/harness/mod.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::EngineHarness::run(bytes));
