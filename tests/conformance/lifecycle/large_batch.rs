//! Many URLs, some of which fail at first: each gets exactly one outcome.

use std::sync::{Mutex, PoisonError};

use fetch_all::{Backoff, PolicyRules};
use fetch_testbed::{Fault, Site};
use futures::StreamExt;

use crate::harness::behaviour::{BehaviourGroup, CheckResult, behaviours};
use crate::harness::context::{
    TestContext, check, check_eq, check_ok, get_requests, long_timeouts, millis, test_policy,
};

pub(crate) const GROUP: BehaviourGroup = BehaviourGroup {
    name: "Large batch",
    behaviours: behaviours![
        "10,000 URLs with faults give 10,000 outcomes" => every_url_has_one_outcome,
    ],
};

const URLS: usize = 10_000;
const PERCENT: f64 = 3.0;
const CONCURRENCY: usize = 50;

/// Large batches run one at a time. Together they would reach their time limits.
static BATCH_LOCK: Mutex<()> = Mutex::new(());

#[expect(
    clippy::await_holding_lock,
    reason = "each check runs on its own thread"
)]
async fn every_url_has_one_outcome(context: &TestContext) -> CheckResult {
    let _running = BATCH_LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::start()?;
    let limits = long_timeouts().attempt(millis(2_000));
    let short_backoff = Backoff::default().base(millis(1));
    let policy = test_policy()
        .attempts(5)
        .backoff(short_backoff)
        .timeouts(limits);
    let fetcher = context.fetcher(|settings| {
        let rules = PolicyRules::from_policy(policy);
        settings.update_config(|config| config.rules(rules).concurrency(CONCURRENCY));
    })?;
    let base = site.url(&format!("/fault?percent={PERCENT}&seed=1"));
    let mut outcomes = fetcher.fetch_all(get_requests(
        (0..URLS).map(move |n| format!("{base}&n={n}")),
    ));
    let mut seen = vec![0_u8; URLS];
    while let Some(outcome) = outcomes.next().await {
        check_ok(&outcome)?;
        let n = usize::try_from(outcome.tag)?;
        seen[n] += 1;
        check_eq(
            "bytes",
            outcome.response().map(|response| response.bytes),
            Some(1_024),
        )?;
    }
    let wrong = seen.iter().position(|count| *count != 1);
    check_eq("the first URL without exactly one outcome", wrong, None)?;
    let faulty = (0..URLS as u64).filter(|n| Fault::of(1, *n, PERCENT).is_some());
    // The server may notice that a timed-out attempt closed its connection only after it received the
    // next request. Only such requests may exceed the concurrency.
    let seen = site.observed();
    let most = CONCURRENCY as u64 + seen.cut_by_peer;
    let text = format!(
        "{} at once, {} closed by the client",
        seen.max_in_flight, seen.cut_by_peer
    );
    check(
        "the concurrency limit held",
        seen.max_in_flight <= most,
        text,
    )?;
    let (faulty, requests) = (faulty.count() as u64, site.observed().requests);
    let retried = requests >= URLS as u64 + faulty;
    let seen = format!("{requests} requests, {faulty} faults");
    check("each fault caused a retry", retried, seen)
}
