//! Expectations of other projects' tests, run against this crate. The facts are tables in `data/`,
//! each with its origin.
//!
//! A case that differs fails, unless it is declared as a deliberate difference with our result and
//! the reason; that result is checked too. `left_out` lists published cases without a counterpart,
//! and why. `cargo test -p fetch-proto --features testing --test external` prints the score of each
//! table.

mod backoff;
mod budget;
mod patterns;
mod redirects;
mod script;
mod table;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// Runs a table. The argument is the name under which its score is printed.
type Runner = fn(&str) -> Result<(), Failed>;

const SETS: [(&str, Runner); 10] = [
    ("backoff of Finagle", backoff::finagle),
    ("backoff of Polly and seatbelt", backoff::polly),
    ("backoff of smithy-rs, got and urllib3", backoff::others),
    ("budgets of the AWS SDKs", budget::aws),
    ("patterns of the Web Platform Tests", patterns::wpt),
    ("redirects of got", redirects::got),
    ("redirects of the Web Platform Tests", redirects::wpt),
    ("retries of curl and urllib3", script::curl),
    ("retries of got", script::got),
    ("retries of smithy-rs", script::smithy),
];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let trials = SETS.map(|(name, run)| Trial::test(name, move || run(name)));
    libtest_mimic::run(&args, trials.into()).exit_code()
}
