//! Estimates the throughput on more cores than this machine has, from the costs of one thread.
//!
//! The hosts are divided among the fetching threads. One more thread reads the list and takes the
//! outcomes. Either can be the bottleneck. The estimate assumes a fast enough network and server, and
//! does not include what cores cost each other by sharing memory.

use anyhow::{Context, Result};
use fetch_proto::Shard;

use crate::cases::case::BenchmarkCase;
use crate::cases::client_kind::ClientKind;
use crate::environment::site::{ServerProcess, host_address};
use crate::measure::comparison;
use crate::report::figures::group_thousands;
use crate::report::figures::{
    RoundStatistics, format_hundredths, format_tenths, format_whole, markdown_table,
};

/// Its name on the command line and in the document.
pub(crate) const NAME: &str = "cores";

const HOSTS: usize = 1_000;

/// CPU time per request, in microseconds.
#[derive(Clone, Copy, Debug)]
struct ThreadCosts {
    /// Of the thread that fetches.
    fetching: f64,
    /// Of the thread that reads the list and takes the outcomes.
    consuming: f64,
}

/// Measures one thread and returns the table of the estimates for several.
pub(crate) fn estimate(quick: bool, rounds: u16) -> Result<String> {
    let case = BenchmarkCase::find("many").context("no case to measure")?;
    let case = case.with_requests(if quick { 10_000 } else { case.requests });
    let costs = measure_costs(&case, rounds)?;
    let rows = [1, 2, 4, 8, 16, 32].map(|threads| {
        let (rate, bound) = simulate(threads, costs);
        let speedup = rate / simulate(1, costs).0;
        vec![
            threads.to_string(),
            format_whole(rate),
            format_hundredths(speedup),
            bound.to_owned(),
        ]
    });
    let head = ["fetching threads", "requests/s", "× one", "bottleneck"];
    Ok(format!(
        "Simulated, 1 KiB from {} hosts, from {} µs/request of a fetching thread and {} of the list \
         thread\n\n{}",
        group_thousands(HOSTS as u64),
        format_tenths(costs.fetching),
        format_tenths(costs.consuming),
        markdown_table(&head, &rows)
    ))
}

fn measure_costs(case: &BenchmarkCase, rounds: u16) -> Result<ThreadCosts> {
    let site = ServerProcess::start()?;
    let micros = 1e6 / case.requests as f64;
    let (mut fetching, mut consuming) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let usage = comparison::run_once(ClientKind::OneThread, case, &site)?;
        fetching.push((usage.cpu - usage.main_thread) * micros);
        consuming.push(usage.main_thread * micros);
    }
    Ok(ThreadCosts {
        fetching: RoundStatistics::new(fetching).median(),
        consuming: RoundStatistics::new(consuming).median(),
    })
}

/// Requests per second, and the thread that is the bottleneck.
fn simulate(threads: usize, costs: ThreadCosts) -> (f64, &'static str) {
    let mut hosts = vec![0_usize; threads];
    for host in 0..HOSTS {
        hosts[thread_of(host, threads)] += 1;
    }
    // All hosts have the same number of URLs, so the thread with the most hosts has the most work.
    let fullest = hosts.into_iter().max().unwrap_or(0) as f64 / HOSTS as f64;
    let engine = costs.fetching * fullest;
    if engine > costs.consuming {
        (1e6 / engine, "the fetching thread with the most hosts")
    } else {
        (1e6 / costs.consuming, "the list thread")
    }
}

/// The thread of a host. The fetcher divides origins among threads by the hash of their names.
fn thread_of(host: usize, threads: usize) -> usize {
    let url = format!("http://{}:8080", host_address(host)).parse();
    let url = url.expect("an address is a valid URL host");
    Shard::owner_of(&url, u32::try_from(threads).unwrap_or(u32::MAX)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_grows_with_threads_until_the_list_thread_is_the_bottleneck() {
        let costs = ThreadCosts {
            fetching: 20.0,
            consuming: 4.0,
        };
        let rate = |threads| simulate(threads, costs).0.round();
        assert_eq!(rate(1), 50_000.0);
        assert!((90_000.0..=100_000.0).contains(&rate(2)), "{}", rate(2));
        assert_eq!(rate(32), 250_000.0);
        assert_eq!(simulate(32, costs).1, "the list thread");
    }
}
