//! What other projects' tests expect, run against ours: facts entered as tables in `data/`, each
//! with its origin.
//!
//! A table that differs anywhere fails, unless the case is declared as a deliberate difference with
//! our own answer and the reason; that answer is checked too. `left_out` says which published cases
//! have no counterpart here, and why.
//! `cargo test -p fetch-proto --features testing --test external` prints the score of each table.

mod backoff;
mod budget;
mod patterns;
mod redirects;
mod script;
mod table;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// What runs a table, given the name that its score is printed under.
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
