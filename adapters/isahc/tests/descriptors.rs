//! File descriptors that curl cannot use. The test uses up the others, so it needs a separate process.

use std::fs::File;
use std::time::Duration;

use fetch_isahc::{AttemptEnd, FailureKind, Fetcher, Policy, Timeouts};
use fetch_testbed::Site;
use smol::block_on;

#[test]
fn a_descriptor_that_curl_cannot_use_is_reported_as_exhausted() {
    if rlimit::increase_nofile_limit(4_096).unwrap_or(0) < 2_048 {
        println!("skipped: this system limits a process to the descriptors that curl can use");
        return;
    }
    let error = Fetcher::builder().concurrency(113).build().unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("concurrency: isahc's curl"), "{text}");
    let site = Site::start().unwrap();
    let limits = Timeouts::default().total(Duration::from_millis(500));
    let builder = Fetcher::builder().policy(Policy::default().timeouts(limits));
    let fetcher = builder.concurrency(112).build().unwrap();
    let taken: Vec<_> = (0..1_100)
        .map(|_| File::open("/dev/null").unwrap())
        .collect();
    let outcome = block_on(fetcher.fetch(site.url("/get")));
    let end = outcome.attempts[0].end;
    assert_eq!(end, AttemptEnd::Failed(FailureKind::Exhausted), "{outcome}");
    drop(taken);
    // Later requests succeed once descriptors are free again.
    let outcome = block_on(fetcher.fetch(site.url("/get")));
    assert!(outcome.is_success(), "{outcome}");
}
