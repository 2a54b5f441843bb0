//! Long random runs with random policies together.

mod harness;

use std::path::Path;

use proptest::prelude::*;

use self::harness::EngineHarness;

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 500, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn no_run_breaks_a_promise(bytes in prop::collection::vec(any::<u8>(), 4..1500)) {
        EngineHarness::run(&bytes);
    }
}

#[test]
fn what_was_fuzzed_breaks_no_promise() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/engine");
    let mut runs = 0;
    // The packaged crate has no corpus beside it.
    for file in std::fs::read_dir(corpus).into_iter().flatten().flatten() {
        EngineHarness::run(&std::fs::read(file.path()).unwrap());
        runs += 1;
    }
    println!("{runs} runs");
}
