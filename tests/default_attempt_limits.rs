//! The default attempt limits over real sockets: 10 s for `/delay/`, 8 s for `/status/`, else 6 s,
//! each from the start of the attempt. Time in the queue does not count.
#![cfg(feature = "smol")]

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use fetch_all::smol::Fetcher;
use fetch_all::{AttemptEnd, Policy, TimeLimit};
use fetch_testbed::Site;
use futures::StreamExt;

/// Starts a server that accepts connections and never answers. Returns its URL.
fn start_stalled_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    url
}

#[test]
fn attempt_limits_start_with_the_attempt() {
    let site = Site::start().unwrap();
    let stalled = start_stalled_server();
    let table = [
        (site.url("/delay/20"), 10),
        (format!("{stalled}/status/200"), 8),
        (format!("{stalled}/other"), 6),
    ];
    // Two at once, so the third waits in the queue until one of them ends.
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
                "the fetch did not wait in the queue"
            );
        }
    }
}
