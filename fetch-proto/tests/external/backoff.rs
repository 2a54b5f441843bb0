//! Backoff delays.

use std::time::Duration;

use fetch_proto::{Backoff, Jitter};
use libtest_mimic::Failed;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::table;

/// The number of seeds per jittered range.
const SEEDS: u64 = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackoffCase {
    base_ms: u64,
    #[serde(default = "two")]
    factor: u32,
    #[serde(default)]
    step_ms: u64,
    /// The longest wait, if the other project has one.
    cap_ms: Option<u64>,
    /// As in a policy file.
    jitter: Option<String>,
    /// The retry numbers, from 0.
    retries: Vec<u32>,
    /// The uniform draws in `0..1` of retries 0, 1, 2 …; without them, many seeds are used.
    draws: Option<Vec<f64>>,
    /// The lowest and highest wait of each retry, in milliseconds.
    ranges_ms: Option<Vec<[u64; 2]>>,
}

fn two() -> u32 {
    2
}

pub(crate) fn finagle(set: &str) -> Result<(), Failed> {
    table::run(set, include_str!("data/backoff_finagle.json"), waits)
}

pub(crate) fn others(set: &str) -> Result<(), Failed> {
    table::run(set, include_str!("data/backoff_others.json"), waits)
}

pub(crate) fn polly(set: &str) -> Result<(), Failed> {
    table::run(set, include_str!("data/backoff_polly.json"), waits)
}

/// The waits in whole milliseconds, or whether they are within their ranges.
fn waits(given: &BackoffCase) -> Value {
    let backoff = backoff(given);
    if let Some(ranges) = &given.ranges_ms {
        return stay_within(backoff, &given.retries, ranges).into();
    }
    let draws = given.draws.as_deref().unwrap_or_default();
    let draw = |n: u32| (draws[n as usize] * 2f64.powi(64)) as u64;
    let wait = |n: &u32| match backoff.delay_with(*n, Duration::ZERO, draw) {
        longest if longest == Duration::from_nanos(u64::MAX) => json!("longest"),
        wait => json!(wait.as_millis() as u64),
    };
    given.retries.iter().map(wait).collect()
}

fn backoff(given: &BackoffCase) -> Backoff {
    let jitter = given.jitter.as_deref().map(|jitter| match jitter {
        "decorrelated" => Jitter::Decorrelated,
        "equal" => Jitter::Equal,
        "full" => Jitter::Full,
        "smooth" => Jitter::Smooth,
        other => panic!("no such jitter: {other}"),
    });
    Backoff::default()
        .base(Duration::from_millis(given.base_ms))
        .factor(given.factor)
        .step(Duration::from_millis(given.step_ms))
        .cap(given.cap_ms.map_or(Duration::MAX, Duration::from_millis))
        .jitter(jitter)
}

/// Whether the waits of many fetches are within the range of their retry.
fn stay_within(backoff: Backoff, retries: &[u32], ranges: &[[u64; 2]]) -> &'static str {
    for seed in 0..SEEDS {
        let mut previous = Duration::ZERO;
        for (n, [low, high]) in retries.iter().zip(ranges) {
            let wait = backoff.delay(seed, *n, previous);
            let range = Duration::from_millis(*low)..=Duration::from_millis(*high);
            if !range.contains(&wait) {
                return "outside";
            }
            previous = wait;
        }
    }
    "inside"
}
