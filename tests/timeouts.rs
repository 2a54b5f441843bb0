//! The user's own numbers over real sockets: 10 s for `/delay/`, 8 s for `/status/`, else 6 s, each
//! from the start of the attempt and not from the queue.
#![cfg(feature = "smol")]

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use fetch_all::smol::{Fetcher, StreamExt};
use fetch_all::{AttemptEnd, Policy, TimeLimit};
use fetch_testbed::Site;

/// Accepts connections and never answers.
fn stalled_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    url
}

#[test]
fn each_pattern_has_its_limit_from_the_start_of_the_attempt() {
    let site = Site::start().unwrap();
    let stalled = stalled_server();
    let table = [
        (site.url("/delay/20"), 10),
        (format!("{stalled}/status/200"), 8),
        (format!("{stalled}/other"), 6),
    ];
    // Two at once: the third waits in the queue for as long as the first takes.
    let policy = Policy::default().attempts(1);
    let fetcher = Fetcher::builder()
        .concurrency(2)
        .policy(policy)
        .build()
        .unwrap();
    let urls = table.clone().map(|(url, _)| url);
    let outcomes: Vec<_> = smol::block_on(fetcher.fetch_all(urls).collect());
    for outcome in outcomes {
        let (_, limit) = table.iter().find(|(url, _)| *url == outcome.url).unwrap();
        let limit = Duration::from_secs(*limit);
        let attempt = &outcome.attempts[0];
        assert_eq!(
            attempt.end,
            AttemptEnd::TimedOut(TimeLimit::Attempt),
            "{outcome}"
        );
        let took = attempt.timings.total();
        assert!(
            limit <= took && took < limit + Duration::from_secs(5),
            "{outcome}: {took:?}"
        );
        if limit.as_secs() == 6 {
            assert!(
                outcome.timings.queued >= Duration::from_secs(7),
                "it did not wait"
            );
        }
    }
}
