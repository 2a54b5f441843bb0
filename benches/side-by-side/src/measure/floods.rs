//! How long good URLs take beside servers that flood their clients.

use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, ensure};
use fetch_all::driver::{Adapter, Builder, Fetcher, Http2Mode};
use fetch_all::smol::{Smol, StreamExt};
use fetch_testbed::{Flood, FloodServer, Site};

use crate::environment::pinning::{PinnedCore, pin_to};
use crate::report::figures::{
    RoundStatistics, format_hundredths, format_tenths, group_thousands, markdown_table,
};

/// Its name on the command line and in the document.
pub(crate) const NAME: &str = "floods";

const ADDRESSES: u8 = 100;
const BODY: usize = 1024;
const GOOD: usize = 1_000;
/// How many servers of each kind of flood.
const FLOODS: usize = 8;

/// The servers, all over one version of HTTP.
struct Servers {
    http2: bool,
    site: Site,
    floods: Vec<(Flood, FloodServer)>,
}

impl Servers {
    fn start(http2: bool) -> Result<Self> {
        let site = Site::builder().addresses(ADDRESSES).http2(http2);
        let kinds = Flood::ALL.iter().filter(|flood| flood.is_http2() == http2);
        let servers = kinds.flat_map(|flood| [*flood; FLOODS]);
        let servers = servers.map(|flood| Ok((flood, FloodServer::start(flood)?)));
        Ok(Self {
            http2,
            site: site.start()?,
            floods: servers.collect::<Result<_>>()?,
        })
    }

    /// The URLs of the floods of these kinds, and then the good ones.
    fn urls(&self, kinds: &[Flood]) -> Vec<String> {
        let floods = self.floods.iter();
        let floods = floods.filter(|(flood, _)| kinds.contains(flood));
        let floods = floods.map(|(_, server)| server.url("/"));
        let good = (0..GOOD).map(|n| {
            self.site
                .url_at(n % usize::from(ADDRESSES), &format!("/bytes/{BODY}?{n}"))
        });
        floods.chain(good).collect()
    }
}

#[derive(Clone, Copy)]
enum Runtime {
    Smol,
    Tokio,
}

/// Measures the 99th percentile of the good URLs' times without floods, beside each kind, and beside all.
pub(crate) fn measure_floods(rounds: u16) -> Result<String> {
    let mut rows = Vec::new();
    for http2 in [false, true] {
        // Threads inherit the core: those of the servers, and then those of the client.
        pin_to(PinnedCore::Site)?;
        let servers = Servers::start(http2)?;
        let mut kinds: Vec<_> = servers.floods.iter().map(|(flood, _)| *flood).collect();
        kinds.dedup();
        let alone = kinds.iter().map(|kind| (format!("{kind:?}"), vec![*kind]));
        let all = ("all at once".to_owned(), kinds.clone());
        let cases: Vec<_> = [("none".to_owned(), Vec::new())]
            .into_iter()
            .chain(alone)
            .chain([all])
            .collect();
        rows.extend(measure_cases(&servers, &cases, rounds)?);
    }
    let head = ["floods", "smol, ms", "× none", "tokio, ms", "× none"];
    Ok(format!(
        "99th percentile of the times of {} URLs of {BODY} bytes at {ADDRESSES} hosts, on one thread, beside \
         {FLOODS} hosts of each kind, {rounds} rounds\n\n{}",
        group_thousands(GOOD as u64),
        markdown_table(&head, &rows)
    ))
}

fn measure_cases(
    servers: &Servers,
    cases: &[(String, Vec<Flood>)],
    rounds: u16,
) -> Result<Vec<Vec<String>>> {
    let mut times = vec![[Vec::new(), Vec::new()]; cases.len()];
    for _ in 0..rounds {
        for ((_, kinds), times) in cases.iter().zip(&mut times) {
            for (runtime, times) in [Runtime::Smol, Runtime::Tokio].into_iter().zip(times) {
                times.push(run_once(runtime, servers, kinds)?);
            }
        }
    }
    let bases = times[0].clone();
    let version = if servers.http2 { "HTTP/2" } else { "HTTP/1.1" };
    let rows = cases.iter().zip(times).map(|((name, _), times)| {
        let mut row = vec![format!("{version}: {name}")];
        for (times, base) in times.into_iter().zip(&bases) {
            let ratios = times.iter().zip(base).map(|(time, base)| time / base);
            let ratios = RoundStatistics::new(ratios);
            row.push(RoundStatistics::new(times).format_with_range(format_tenths));
            row.push(ratios.format_with_range(format_hundredths));
        }
        row
    });
    Ok(rows.collect())
}

/// The 99th percentile of the good URLs' times in a fresh client, in milliseconds.
fn run_once(runtime: Runtime, servers: &Servers, kinds: &[Flood]) -> Result<f64> {
    let urls = servers.urls(kinds);
    let mode = match servers.http2 {
        true => Http2Mode::PriorKnowledge,
        false => Http2Mode::Auto,
    };
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            pin_to(PinnedCore::Client)?;
            match runtime {
                Runtime::Smol => {
                    let executor = Arc::new(smol::Executor::new());
                    let adapter = Smol::on(&executor);
                    let fetcher = Builder::new(adapter.clone()).http2(mode).build()?;
                    adapter.run(fetch(&fetcher, urls))
                }
                Runtime::Tokio => {
                    let mut runtime = tokio::runtime::Builder::new_current_thread();
                    runtime.enable_all().build()?.block_on(async {
                        let fetcher = fetch_all::tokio::Fetcher::builder().http2(mode);
                        fetch(&fetcher.build()?, urls).await
                    })
                }
            }
        });
        client.join().ok().context("the client panicked")?
    })
}

async fn fetch<A: Adapter>(fetcher: &Fetcher<A>, urls: Vec<String>) -> Result<f64> {
    let floods = urls.len() - GOOD;
    let mut outcomes = fetcher.fetch_all(urls);
    let mut times = Vec::with_capacity(GOOD);
    while let Some(outcome) = outcomes.next().await {
        if outcome.tag < floods as u64 {
            ensure!(outcome.result.is_err(), "a flood succeeded: {outcome}");
        } else {
            ensure!(outcome.is_success(), "a good URL failed: {outcome}");
            times.push(outcome.duration().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[GOOD * 99 / 100])
}
