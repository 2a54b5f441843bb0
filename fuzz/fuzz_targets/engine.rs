//! Runs the engine on operations that are decoded from arbitrary bytes, and checks its invariants.
#![no_main]

#[allow(dead_code, unreachable_pub)]
#[path = "../../fetch-proto/tests/harness/mod.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::EngineHarness::run(bytes));
