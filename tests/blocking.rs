//! Fetching without async.

use std::io::{ErrorKind, Read};
use std::thread;

use fetch_all::blocking::{Fetcher, fetch_all};
use fetch_all::smol;
use fetch_testbed::Site;

#[test]
fn every_url_has_its_outcome() {
    let site = Site::start().unwrap();
    let urls = [
        site.url("/get"),
        "no url".to_owned(),
        site.url("/status/500"),
    ];
    let mut outcomes = fetch_all(urls);
    let successful = outcomes.by_ref().filter(fetch_all::Outcome::is_success);
    assert_eq!(successful.count(), 1);
    assert_eq!(outcomes.stats().count(), 3);
}

#[test]
fn threads_share_the_limits_of_a_fetcher() {
    let site = Site::start().unwrap();
    let fetcher = Fetcher::from_builder(smol::Fetcher::builder().concurrency(2)).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let urls = (0..20).map(|n| site.url(&format!("/delay/0.01?n={n}")));
                assert!(fetcher.fetch_all(urls).all(|outcome| outcome.is_success()));
            });
        }
    });
    let seen = site.observed();
    assert_eq!((seen.requests, seen.max_in_flight), (80, 2));
}

#[test]
fn a_body_that_breaks_is_a_read_error_with_its_cause() {
    let site = Site::start().unwrap();
    let fetcher = Fetcher::new().unwrap();
    let mut response = fetcher.open(site.url("/truncate")).unwrap();
    let error = response.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    let cause = error.get_ref().unwrap().downcast_ref::<fetch_all::Error>();
    assert!(cause.unwrap().url().ends_with("/truncate"));
}
