//! The main function of a test binary whose tests need real servers.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use super::program::Program;

/// If this variable is set, a test whose server is not installed fails.
const REQUIRED: &str = "TEST_REQUIRE_SERVERS";

/// If this variable is set, long tests run too, and tests may do more.
const NIGHTLY: &str = "TEST_NIGHTLY";

/// A test and the servers that it needs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServerTest {
    is_nightly: bool,
    name: &'static str,
    needs: &'static [Program],
    run: fn(),
}

impl ServerTest {
    /// A test. It fails if `run` panics.
    #[must_use]
    pub const fn new(name: &'static str, needs: &'static [Program], run: fn()) -> Self {
        Self {
            is_nightly: false,
            name,
            needs,
            run,
        }
    }

    /// Runs it only if the environment variable `TEST_NIGHTLY` is set.
    #[must_use]
    pub const fn nightly(mut self) -> Self {
        self.is_nightly = true;
        self
    }

    fn trial(self, is_required: bool) -> Trial {
        let missing: Vec<_> = self
            .needs
            .iter()
            .filter(|program| program.find().is_none())
            .collect();
        if missing.is_empty() {
            return Trial::test(self.name, move || {
                (self.run)();
                Ok(())
            });
        }
        let missing = missing
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        let text = format!("not run: {missing} not installed");
        let failure = text.clone();
        Trial::test(self.name, move || Err(Failed::from(failure)))
            .with_kind(text)
            .with_ignored_flag(!is_required)
    }
}

/// Whether long tests should run: whether the environment variable `TEST_NIGHTLY` is set.
#[must_use]
pub fn is_nightly() -> bool {
    std::env::var_os(NIGHTLY).is_some()
}

/// Runs the tests with the arguments of the process, as `cargo test` passes them. A test whose server is not
/// installed is reported as not run, with the reason; it fails if the environment variable
/// `TEST_REQUIRE_SERVERS` is set.
#[must_use]
pub fn run_tests(tests: &[ServerTest]) -> ExitCode {
    let is_required = std::env::var_os(REQUIRED).is_some();
    let selected = tests.iter().filter(|test| !test.is_nightly || is_nightly());
    let trials = selected.map(|test| test.trial(is_required)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
