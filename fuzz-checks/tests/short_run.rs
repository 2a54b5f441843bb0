//! A short run of every fuzz target: its seeds, and random changes of them.

use std::fs;
use std::path::{Path, PathBuf};

use fetch_fuzz_checks::{CHECKS, Check};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The changed seeds per target. A nightly run has more.
const CASES: u32 = 60;
const NIGHTLY_CASES: u32 = 3_000;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz")
        .join(name)
}

/// The inputs that the repository has for a target.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder("corpus").join(name))
        .into_iter()
        .flatten();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A seed with some changed, removed, repeated and inserted bytes, or other bytes.
fn inputs(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), any::<Index>(), 0..6_u8, any::<u8>());
    let changed = (any::<Index>(), prop::collection::vec(edit, 0..6));
    let changed = changed.prop_map(move |(seed, edits)| {
        let mut bytes = if seeds.is_empty() {
            Vec::new()
        } else {
            seed.get(&seeds).clone()
        };
        for (from, to, kind, byte) in edits {
            let (from, to) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
            let (from, to) = (from.min(to), from.max(to));
            match kind {
                0 => bytes.truncate(to),
                1 => drop(bytes.drain(from..to)),
                2 => {
                    let piece = bytes[from..to].to_vec();
                    bytes.splice(from..from, piece);
                }
                3 => bytes.insert(from, byte),
                _ if from < bytes.len() => bytes[from] = byte,
                _ => bytes.push(byte),
            }
        }
        bytes
    });
    prop_oneof![4 => changed, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

fn run(name: &str, check: Check) {
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "fuzz/corpus/{name} has no seeds");
    seeds.iter().for_each(|seed| check(seed));
    let is_nightly = std::env::var_os("TEST_NIGHTLY").is_some();
    let cases = if is_nightly { NIGHTLY_CASES } else { CASES };
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    };
    // The same in each run, so that a change of the code is the only reason for a failure.
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let result = TestRunner::new_with_rng(config, random).run(&inputs(seeds), |input| {
        check(&input);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[test]
fn every_target_holds_on_its_seeds_and_on_changes_of_them() {
    let workers = CHECKS.iter().map(|(name, check)| {
        let thread = std::thread::Builder::new().name((*name).to_owned());
        thread.spawn(move || run(name, *check)).unwrap()
    });
    let workers: Vec<_> = workers.collect();
    let failed = workers
        .into_iter()
        .filter_map(|worker| worker.join().err())
        .count();
    assert_eq!(failed, 0, "targets failed: see above");
}

#[test]
fn every_check_is_a_fuzz_target_and_the_engine_is_one_more() {
    let files = fs::read_dir(folder("fuzz_targets")).unwrap();
    let mut targets: Vec<_> = files
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    targets.sort();
    let mut expected: Vec<_> = CHECKS
        .iter()
        .map(|(name, _)| *name)
        .chain(["engine"])
        .collect();
    expected.sort_unstable();
    assert_eq!(targets, expected);
}
