//! The line is the same on every runtime, and so are the types before and after it.

use std::vec;

use fetch_all::driver::{Adapter, Builder};
use fetch_all::smol::{StreamExt, stream};
use fetch_all::{BatchStats, FetchAll, Outcome};
use fetch_testbed::Site;

/// What `fetch_all(urls)` is, whoever fetches.
type Line = fn(Vec<String>) -> FetchAll<stream::Iter<vec::IntoIter<String>>>;

const LINES: [(&str, Line); 5] = [
    ("async-std", fetch_all::async_std::fetch_all),
    ("isahc", fetch_all::isahc::fetch_all),
    ("smol", fetch_all::smol::fetch_all),
    ("surf", fetch_all::surf::fetch_all),
    ("tokio", fetch_all::tokio::fetch_all),
];

/// The examples' program, for any adapter.
async fn program<A: Adapter>(builder: Builder<A>, urls: Vec<String>) -> (Vec<Outcome>, BatchStats) {
    let fetcher = builder.concurrency(10).build().unwrap();
    let mut outcomes = fetcher.fetch_all(urls);
    let mut all = Vec::new();
    while let Some(outcome) = outcomes.next().await {
        all.push(outcome);
    }
    (all, outcomes.stats().clone())
}

fn urls(site: &Site) -> Vec<String> {
    ["/get", "/status/404", "/redirect/2"]
        .map(|path| site.url(path))
        .into()
}

/// In a runtime of tokio's; the others do not mind.
fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(work)
}

#[test]
fn the_short_line_is_the_same() {
    let site = Site::start().unwrap();
    for (name, line) in LINES {
        let outcomes: Vec<Outcome> = run(async { line(urls(&site)).collect().await });
        let fine = outcomes.iter().filter(|outcome| outcome.is_success());
        assert_eq!((outcomes.len(), fine.count()), (3, 2), "{name}");
    }
}

#[test]
fn one_program_serves_all() {
    let site = Site::start().unwrap();
    let urls = || urls(&site);
    let runs = run(async {
        [
            program(fetch_all::async_std::Fetcher::builder(), urls()).await,
            program(fetch_all::isahc::Fetcher::builder(), urls()).await,
            program(fetch_all::smol::Fetcher::builder(), urls()).await,
            program(fetch_all::surf::Fetcher::builder(), urls()).await,
            program(fetch_all::tokio::Fetcher::builder(), urls()).await,
        ]
    });
    for (outcomes, stats) in runs {
        let counts = (stats.succeeded(), stats.http_errors());
        assert_eq!((outcomes.len(), counts), (3, (2, 1)));
    }
}
