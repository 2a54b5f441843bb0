//! Several engines on threads of their own. Alone in its process, whose threads it counts.

#![cfg(target_os = "linux")]

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fetch_driver::Config;
use fetch_smol::{Fetcher, Outcome, StreamExt};
use fetch_testbed::Site;
use smol::block_on;

/// One test at a time: they are one process.
static ALONE: Mutex<()> = Mutex::new(());

/// How many threads of this process fetch.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "fetch-all").count()
}

/// Waits until so many do: a thread begins and ends a little later than its fetcher.
fn await_threads(count: usize) {
    for _ in 0..1_000 {
        if threads() == count {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} threads fetch, not {count}", threads());
}

fn fetch(fetcher: &Fetcher, site: &Site, count: usize, hosts: usize) -> Vec<Outcome> {
    let urls = (0..count).map(|n| site.url_at(n % hosts, "/delay/0.02"));
    let outcomes: Vec<_> = block_on(fetcher.fetch_all(urls).collect());
    assert!(outcomes.iter().all(Outcome::is_success), "{outcomes:?}");
    outcomes
}

#[test]
fn each_engine_has_a_thread_and_all_have_their_limits_together() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::builder().addresses(12).start().unwrap();
    let builder = Fetcher::builder().concurrency(8).per_host(2).threads(3);
    let fetcher = builder.build().unwrap();
    await_threads(3);

    fetch(&fetcher, &site, 240, 12);
    let seen = site.observed();
    assert!(seen.max_in_flight <= 8, "{seen:?}");
    assert!(seen.hosts.values().all(|host| host.max_in_flight <= 2));
    // Each host had a thread of its own choice: more than one of them did something.
    assert!(seen.hosts.len() == 12 && seen.max_in_flight > 2, "{seen:?}");

    // What is set live holds for all of them together.
    let site = Site::builder().addresses(12).start().unwrap();
    fetcher.set_config(Config::default().concurrency(3));
    fetch(&fetcher, &site, 60, 12);
    assert!(site.observed().max_in_flight <= 3, "{:?}", site.observed());

    drop(fetcher);
    await_threads(0);
}

#[test]
fn the_bound_on_connections_is_one_for_all_threads() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::builder().addresses(12).start().unwrap();
    let builder = Fetcher::builder().concurrency(8).max_connections(4);
    let fetcher = builder.threads(2).build().unwrap();
    fetch(&fetcher, &site, 120, 12);
    // The site may see the end of a connection after the beginning of the next.
    assert!(site.observed().max_in_flight <= 4, "{:?}", site.observed());
}
