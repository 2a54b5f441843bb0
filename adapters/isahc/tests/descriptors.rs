//! File descriptors that curl cannot use. In a process of its own, for it uses them up.

use std::fs::File;

use fetch_isahc::{Backoff, Fetcher, Policy};
use fetch_testbed::Site;

#[test]
fn descriptors_out_of_curls_reach_are_told_as_what_they_are() {
    if rlimit::increase_nofile_limit(4_096).unwrap_or(0) < 2_048 {
        println!("this system lets no process have more descriptors than curl can use");
        return;
    }
    let fetcher = Fetcher::builder().concurrency(113).build().unwrap_err();
    assert!(
        fetcher.to_string().starts_with("concurrency: isahc's curl"),
        "{fetcher}"
    );
    let site = Site::start().unwrap();
    let policy = Policy::default()
        .attempts(1)
        .backoff(Backoff::default().base(std::time::Duration::ZERO));
    let fetcher = Fetcher::builder()
        .concurrency(112)
        .policy(policy)
        .build()
        .unwrap();
    let before = std::fs::read_dir("/proc/self/fd").map(Iterator::count);
    assert!(smol::block_on(fetcher.fetch(site.url("/get"))).is_success());
    println!(
        "{before:?} {:?}",
        std::fs::read_dir("/proc/self/fd").map(Iterator::count)
    );
    let _taken: Vec<_> = (0..1_100)
        .map(|_| File::open("/dev/null").unwrap())
        .collect();
    let fetcher = Fetcher::builder().concurrency(2).build().unwrap();
    let outcome = smol::block_on(fetcher.fetch(site.url("/get")));
    let error = outcome.error().unwrap().to_string();
    println!("{outcome} {:?}", outcome.attempts);
    assert!(error.contains("1024"), "{error}");
}
