//! Long random runs with random combinations of policies.

mod harness;

use std::path::Path;

use proptest::prelude::*;

use self::harness::EngineHarness;

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 500, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn random_runs_violate_no_invariant(bytes in prop::collection::vec(any::<u8>(), 4..1500)) {
        EngineHarness::run(&bytes);
    }
}

#[test]
fn the_fuzzing_corpus_violates_no_invariant() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/engine");
    let mut runs = 0;
    // The published crate does not contain the corpus.
    for file in std::fs::read_dir(corpus).into_iter().flatten().flatten() {
        EngineHarness::run(&std::fs::read(file.path()).unwrap());
        runs += 1;
    }
    println!("{runs} runs");
}
