//! A unit test of a retry policy: no runtime, no socket, no sleep.
//!
//! `cargo run --example policy_test --features testing`

use std::time::Duration;

use fetch_all::proto::testing::{FetchScript, hang, status};
use fetch_all::{Backoff, Policy};

fn main() {
    let policy = Policy::default().backoff(Backoff::default().jitter(None));

    let mut script = FetchScript::new(policy);
    let throttled = status(429).retry_after(Duration::from_secs(30));
    let run = script.answers([throttled, hang(), status(200)]).run();

    println!("{run}");
    assert_eq!(
        run.trace(),
        [
            "0s start",
            "0s 429",
            "30s start",
            "36s attempt timeout",
            "38s start",
            "38s 200 done"
        ]
    );
}
