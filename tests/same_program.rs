//! The same program compiles and works on every adapter: only the name of the module differs.

use std::vec;

use fetch_all::driver::{Adapter, Builder};
use fetch_all::smol::stream;
use fetch_all::{BatchStats, FetchAll, Outcome};
use fetch_testbed::Site;
use futures::StreamExt;

/// The type of `fetch_all` in every adapter's module.
type FetchAllFn = fn(Vec<String>) -> FetchAll<stream::Iter<vec::IntoIter<String>>>;

const FETCH_ALL_FUNCTIONS: [(&str, FetchAllFn); 5] = [
    ("async-std", fetch_all::async_std::fetch_all),
    ("isahc", fetch_all::isahc::fetch_all),
    ("smol", fetch_all::smol::fetch_all),
    ("surf", fetch_all::surf::fetch_all),
    ("tokio", fetch_all::tokio::fetch_all),
];

/// The program of the examples, on any adapter.
async fn run_program<A: Adapter>(
    builder: Builder<A>,
    urls: Vec<String>,
) -> (Vec<Outcome>, BatchStats) {
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

/// Runs a future in a tokio runtime, which only the tokio adapter needs.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(work)
}

#[test]
fn fetch_all_has_the_same_type_on_every_adapter() {
    let site = Site::start().unwrap();
    for (name, fetch_all) in FETCH_ALL_FUNCTIONS {
        let outcomes: Vec<Outcome> = block_on(async { fetch_all(urls(&site)).collect().await });
        let succeeded = outcomes.iter().filter(|outcome| outcome.is_success());
        assert_eq!((outcomes.len(), succeeded.count()), (3, 2), "{name}");
    }
}

#[test]
fn one_program_works_on_every_adapter() {
    let site = Site::start().unwrap();
    let urls = || urls(&site);
    let runs = block_on(async {
        [
            run_program(fetch_all::async_std::Fetcher::builder(), urls()).await,
            run_program(fetch_all::isahc::Fetcher::builder(), urls()).await,
            run_program(fetch_all::smol::Fetcher::builder(), urls()).await,
            run_program(fetch_all::surf::Fetcher::builder(), urls()).await,
            run_program(fetch_all::tokio::Fetcher::builder(), urls()).await,
        ]
    });
    for (outcomes, stats) in runs {
        let counts = (stats.succeeded(), stats.http_errors());
        assert_eq!((outcomes.len(), counts), (3, (2, 1)));
    }
}
