//! Several engines, each on a separate thread. The tests need a separate process, because they count its
//! threads.

#![cfg(target_os = "linux")]

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fetch_driver::{Backoff, EngineConfig, RetryBudget};
use fetch_smol::{Fetcher, Outcome, PolicyRules, StreamExt};
use fetch_testbed::Site;
use smol::block_on;

/// Lets one test run at a time, because they share the process.
static ALONE: Mutex<()> = Mutex::new(());

/// How many fetching threads the process has.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "fetch-all").count()
}

/// Waits until there are `count` such threads. A thread starts and ends a little later than its fetcher.
fn await_threads(count: usize) {
    for _ in 0..1_000 {
        if threads() == count {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} threads fetch, not {count}", threads());
}

/// Waits until no fetch is live, which the engines report with a short delay. Panics after 4 s,
/// before a request to `/delay/5` could end.
fn await_idle(fetcher: &Fetcher) {
    for _ in 0..400 {
        let stats = fetcher.stats();
        if stats.live == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("still under way: {:?}", fetcher.stats());
}

fn fetch(fetcher: &Fetcher, site: &Site, count: usize, hosts: usize) -> Vec<Outcome> {
    let urls = (0..count).map(|n| site.url_at(n % hosts, "/delay/0.02"));
    let outcomes: Vec<_> = block_on(fetcher.fetch_all(urls).collect());
    assert!(outcomes.iter().all(Outcome::is_success), "{outcomes:?}");
    outcomes
}

#[test]
fn each_engine_has_a_thread_and_all_share_the_limits() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::builder().addresses(12).start().unwrap();
    let builder = Fetcher::builder().concurrency(8).per_host(2).threads(3);
    let fetcher = builder.build().unwrap();
    await_threads(3);

    fetch(&fetcher, &site, 240, 12);
    let seen = site.observed();
    assert!(seen.max_in_flight <= 8, "{seen:?}");
    assert!(seen.hosts.values().all(|host| host.max_in_flight <= 2));
    // The hosts are spread over the threads, and more than one host was busy at a time.
    assert!(seen.hosts.len() == 12 && seen.max_in_flight > 2, "{seen:?}");

    // A limit that is set at run time applies to all threads together.
    let site = Site::builder().addresses(12).start().unwrap();
    fetcher.set_config(EngineConfig::default().concurrency(3));
    fetch(&fetcher, &site, 60, 12);
    assert!(site.observed().max_in_flight <= 3, "{:?}", site.observed());

    drop(fetcher);
    await_threads(0);
}

#[test]
fn a_fetcher_with_limits_over_all_hosts_has_all_its_threads() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let config = EngineConfig::default().rate("40/s".parse().unwrap());
    let config = config.budget(RetryBudget::CAPACITY);
    let fetcher = Fetcher::builder().config(config).threads(3).build();
    await_threads(3);
    drop(fetcher);
    await_threads(0);
}

#[test]
fn a_rate_that_is_set_while_several_threads_run_is_one_for_all() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::builder().addresses(12).start().unwrap();
    let fetcher = Fetcher::builder().threads(3).build().unwrap();
    let rate = "40/s".parse().unwrap();
    // A rate over all hosts, or one of a rule that applies to all.
    let rules = PolicyRules::default().map(|policy| policy.clone().rate(Some(rate)));
    for config in [
        EngineConfig::default().rate(rate),
        EngineConfig::default().rules(rules),
    ] {
        fetcher.set_config(config);
        // Many hosts, then one, whose thread has the whole rate.
        for hosts in [12, 1] {
            let begun = Instant::now();
            fetch(&fetcher, &site, 40, hosts);
            // Each request but the first waited for the rate, whichever thread sent it.
            assert!(begun.elapsed() >= Duration::from_millis(970));
        }
    }
}

#[test]
fn a_budget_that_is_set_while_several_threads_run_is_one_for_all() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::builder().addresses(12).start().unwrap();
    let at_once = Backoff::default().base(Duration::ZERO).jitter(None);
    let rules = PolicyRules::default().map(|policy| policy.clone().backoff(at_once).attempts(99));
    let budget = RetryBudget::Capacity {
        capacity: 40,
        retry_cost: 1,
        throttle_cost: 1,
        timeout_cost: 1,
    };
    let config = EngineConfig::default().rules(rules).budget(budget);
    // Many hosts, then one, whose thread has the whole budget.
    for hosts in [12, 1] {
        let fetcher = Fetcher::builder().threads(3).build().unwrap();
        fetcher.set_config(config.clone());
        let urls = (0..60).map(|n| site.url_at(n % hosts, "/status/502"));
        let outcomes: Vec<_> = block_on(fetcher.fetch_all(urls).collect());
        let attempts: usize = outcomes.iter().map(|outcome| outcome.attempts.len()).sum();
        assert_eq!(attempts, 100, "from {hosts}");
    }
}

#[test]
fn the_connection_limit_holds_over_all_threads() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::builder().addresses(12).start().unwrap();
    let builder = Fetcher::builder().concurrency(8).max_connections(4);
    let fetcher = builder.threads(2).build().unwrap();
    fetch(&fetcher, &site, 120, 12);
    // The site may see the end of a connection after the start of the next.
    assert!(site.observed().max_in_flight <= 4, "{:?}", site.observed());
    // Connections move to the thread that needs them, here that of a single host.
    let one = Site::start().unwrap();
    fetch(&fetcher, &one, 60, 1);
    assert_eq!(one.observed().max_in_flight, 4);
    // And back to the threads that have none.
    fetch(&fetcher, &site, 60, 12);

    // A thread without a connection would be idle, so no more are started than connections.
    drop(fetcher);
    await_threads(0);
    let builder = Fetcher::builder().max_connections(2).threads(9);
    let fetcher = builder.build().unwrap();
    await_threads(2);
    fetch(&fetcher, &site, 60, 12);
}

#[test]
fn the_limits_of_a_host_hold_for_redirects_from_all_threads() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::builder().addresses(12).start().unwrap();
    let builder = Fetcher::builder().concurrency(12).per_host(2).threads(3);
    let fetcher = builder.build().unwrap();
    // Half of the URLs are on the first host; the others redirect to it.
    let slow = site.url_at(0, "/delay/0.01");
    let urls = (0..240).map(|n| match n % 2 {
        0 => slow.clone(),
        _ => site.url_at(1 + n % 11, &format!("/redirect-to?url={slow}")),
    });
    let outcomes: Vec<_> = block_on(fetcher.fetch_all(urls).collect());
    assert!(outcomes.iter().all(Outcome::is_success), "{outcomes:?}");
    assert_eq!(
        outcomes.iter().filter(|one| one.redirects == 1).count(),
        120
    );
    let seen = site.observed();
    assert!(
        seen.hosts.values().all(|host| host.max_in_flight <= 2),
        "{seen:?}"
    );
    await_idle(&fetcher);
    let stats = fetcher.stats();
    assert_eq!((stats.submitted, stats.responded), (240, 240));
    assert_eq!(stats.time_regressions, 0);
}

#[test]
fn attempts_in_flight_continue_on_another_thread_when_a_batch_ends() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::builder().addresses(12).start().unwrap();
    let builder = Fetcher::builder().concurrency(12).threads(3);
    let fetcher = builder.build().unwrap();
    let urls = (0..12).map(|n| {
        let hop = site.url_at(n + 1, "/get");
        site.url_at(n, &format!("/redirect-to?delay=2&url={hop}"))
    });
    let mut outcomes = fetcher.fetch_all(urls);
    assert!(block_on(smol::future::poll_once(outcomes.next())).is_none());
    while site.observed().in_flight < 12 {
        std::thread::sleep(Duration::from_millis(1));
    }
    outcomes.cancel_queued();
    let outcomes: Vec<_> = block_on(outcomes.collect());
    assert_eq!(outcomes.len(), 12);
    assert!(outcomes.iter().all(Outcome::is_success), "{outcomes:?}");
}

#[test]
fn fetches_that_migrate_to_another_thread_are_cancelled_too() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::builder().addresses(12).start().unwrap();
    let builder = Fetcher::builder().concurrency(100).threads(3);
    let fetcher = builder.build().unwrap();
    for round in 0..20 {
        let urls = (0..200).map(|n| {
            let hop = site.url_at(n + 1, "/delay/5");
            site.url_at(n, &format!("/redirect-to?url={hop}"))
        });
        let mut outcomes = fetcher.fetch_all(urls);
        assert!(block_on(smol::future::poll_once(outcomes.next())).is_none());
        // By now some were redirected, and none has ended.
        let some = site.observed().requests + 5 * round;
        while site.observed().requests <= some {
            std::thread::yield_now();
        }
        drop(outcomes);
        await_idle(&fetcher);
    }
    assert_eq!(fetcher.stats().responded, 0);
}
