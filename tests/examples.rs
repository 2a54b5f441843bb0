//! The examples run, as a reader would run them. `example_figures` checks what the simulations among them show.

use std::path::Path;
use std::process::Command;

/// Examples that run without arguments and end by themselves.
const EXAMPLES: [&str; 13] = [
    "async_std",
    "blocking",
    "custom_transport",
    "futures_stream",
    "isahc",
    "join_set",
    "policy_test",
    "smol",
    "streaming",
    "surf",
    "test_double",
    "threads",
    "tokio",
];

#[test]
fn every_example_ends_without_an_error() {
    let this = std::env::current_exe().unwrap();
    let folder = this.ancestors().nth(2).unwrap().join("examples");
    for name in EXAMPLES {
        let program = folder
            .join(name)
            .with_extension(std::env::consts::EXE_EXTENSION);
        let built = "`cargo test` without `--test` builds the examples first";
        assert!(program.exists(), "{name} is not there: {built}");
        let output = Command::new(program).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {shown}");
    }
}

#[test]
fn no_example_is_forgotten() {
    let others = ["breaker_defers", "cache_proxy", "retry_storm"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_listed = EXAMPLES.contains(&name) || others.contains(&name);
        assert!(path.is_dir() || is_listed, "add {name} to the list");
    }
}
