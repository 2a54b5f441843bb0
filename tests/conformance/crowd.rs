//! Many URLs, some of which fail at first: nothing is lost, nothing is doubled.

use std::sync::{Mutex, PoisonError};

use fetch_all::{Backoff, PolicyRules};
use fetch_testbed::{Fault, Site};
use smol::stream::StreamExt;

use crate::behaviour::{Check, Group, behaviours};
use crate::bench::{Bench, fine, gets, holds, millis, patient, policy, same};

pub(crate) const GROUP: Group = Group {
    name: "A crowd",
    behaviours: behaviours![
        "10,000 URLs with faults, 10,000 outcomes" => ten_thousand,
    ],
};

const URLS: usize = 10_000;
const PERCENT: f64 = 3.0;
const CONCURRENCY: usize = 50;

/// Crowds come one after the other, or they would slow each other down to their time limits.
static ONE: Mutex<()> = Mutex::new(());

#[expect(
    clippy::await_holding_lock,
    reason = "each behaviour has a thread of its own"
)]
async fn ten_thousand(bench: &Bench) -> Check {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::start()?;
    let limits = patient().attempt(millis(2_000));
    let quick = Backoff::default().base(millis(1));
    let policy = policy().attempts(5).backoff(quick).timeouts(limits);
    let client = bench.client(|settings| {
        let rules = PolicyRules::from_policy(policy);
        settings.update_config(|config| config.rules(rules).concurrency(CONCURRENCY));
    })?;
    let base = site.url(&format!("/fault?percent={PERCENT}&seed=1"));
    let mut outcomes = client.fetch_all(gets((0..URLS).map(move |n| format!("{base}&n={n}"))));
    let mut seen = vec![0_u8; URLS];
    while let Some(outcome) = outcomes.next().await {
        fine(&outcome)?;
        let n = usize::try_from(outcome.tag)?;
        seen[n] += 1;
        same(
            "bytes",
            outcome.response().map(|response| response.bytes),
            Some(1_024),
        )?;
    }
    let odd = seen.iter().position(|count| *count != 1);
    same("the first URL without exactly one outcome", odd, None)?;
    let faulty = (0..URLS as u64).filter(|n| Fault::of(1, *n, PERCENT).is_some());
    // The server may hear of a connection that an attempt closed, out of time, only after it heard of
    // the next request: those can come on top of what runs at once, and nothing else.
    let seen = site.observed();
    let most = CONCURRENCY as u64 + seen.cut_by_peer;
    let text = format!(
        "{} at once, {} cut off",
        seen.max_in_flight, seen.cut_by_peer
    );
    holds(
        "the server saw no more at once",
        seen.max_in_flight <= most,
        text,
    )?;
    let (faulty, requests) = (faulty.count() as u64, site.observed().requests);
    let met = requests >= URLS as u64 + faulty;
    let seen = format!("{requests} requests, {faulty} faults");
    holds("each fault was met", met, seen)
}
