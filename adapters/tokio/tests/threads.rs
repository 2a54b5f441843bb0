//! Several drivers, each on a separate thread and runtime.

use fetch_testbed::Site;
use fetch_tokio::{Fetcher, Outcome, StreamExt};

#[test]
fn several_threads_fetch_for_a_consumer_without_a_runtime() {
    let site = Site::builder().addresses(8).start().unwrap();
    let fetcher = Fetcher::builder().concurrency(6).threads(2);
    let fetcher = fetcher.build().unwrap();
    let urls = (0..200).map(|n| site.url_at(n % 8, "/delay/0.01"));
    let outcomes: Vec<_> = futures_lite::future::block_on(fetcher.fetch_all(urls).collect());
    assert!(outcomes.iter().all(Outcome::is_success));
    let seen = site.observed();
    assert_eq!((outcomes.len(), seen.requests), (200, 200));
    assert!(seen.max_in_flight <= 6, "{seen:?}");
}
