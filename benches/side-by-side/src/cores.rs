//! More cores than this machine has: what several threads would fetch, from what one thread costs.
//!
//! A thread of its own serves each part of the hosts; one more thread reads the list and takes the
//! outcomes. Either may be what the whole waits for. Network and server are taken to be fast enough,
//! and memory not to be: what cores cost each other is not in it.

use anyhow::{Context, Result};
use fetch_proto::Shard;

use crate::case::{Case, grouped};
use crate::client::Client;
use crate::compare;
use crate::figures::{Figure, hundredths, table, tenths, whole};
use crate::site::{Site, address};

/// Its name, as an option and in the document.
pub(crate) const NAME: &str = "cores";

const HOSTS: usize = 1_000;

/// Microseconds of CPU time for a request.
#[derive(Clone, Copy, Debug)]
struct Costs {
    /// Of the thread that has the host.
    engine: f64,
    /// Of the thread that has the list.
    consumer: f64,
}

/// Measures one thread, and gives the table of what several would do.
pub(crate) fn run(quick: bool, rounds: u16) -> Result<String> {
    let case = Case::find("many").context("no case to measure")?;
    let case = case.with_requests(if quick { 10_000 } else { case.requests });
    let costs = measure(&case, rounds)?;
    let rows = [1, 2, 4, 8, 16, 32].map(|threads| {
        let (rate, bound) = simulate(threads, costs);
        let speedup = rate / simulate(1, costs).0;
        vec![
            threads.to_string(),
            whole(rate),
            hundredths(speedup),
            bound.to_owned(),
        ]
    });
    let head = ["threads that fetch", "requests/s", "× one", "what is full"];
    Ok(format!(
        "Simulated, 1 KiB from {} hosts, from {} µs/request of the thread that fetches and {} of the one \
         that has the list\n\n{}",
        grouped(HOSTS as u64),
        tenths(costs.engine),
        tenths(costs.consumer),
        table(&head, &rows)
    ))
}

fn measure(case: &Case, rounds: u16) -> Result<Costs> {
    let site = Site::start()?;
    let micros = 1e6 / case.requests as f64;
    let (mut engine, mut consumer) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let usage = compare::one(Client::OneThread, case, &site)?;
        engine.push((usage.cpu - usage.main) * micros);
        consumer.push(usage.main * micros);
    }
    Ok(Costs {
        engine: Figure::new(engine).median(),
        consumer: Figure::new(consumer).median(),
    })
}

/// Requests in a second, and which thread is busy all the time.
fn simulate(threads: usize, costs: Costs) -> (f64, &'static str) {
    let mut hosts = vec![0_usize; threads];
    for host in 0..HOSTS {
        hosts[thread_of(host, threads)] += 1;
    }
    // All hosts have as many URLs: the thread with the most hosts has the most to do.
    let fullest = hosts.into_iter().max().unwrap_or(0) as f64 / HOSTS as f64;
    let engine = costs.engine * fullest;
    if engine > costs.consumer {
        (1e6 / engine, "the thread with the most hosts")
    } else {
        (1e6 / costs.consumer, "the thread that has the list")
    }
}

/// As the fetcher divides hosts among threads: by the hash of what an origin is called.
fn thread_of(host: usize, threads: usize) -> usize {
    let url = format!("http://{}:8080", address(host)).parse();
    let url = url.expect("an address makes a URL");
    Shard::owner_of(&url, u32::try_from(threads).unwrap_or(u32::MAX)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_threads_do_nearly_twice_as_much_until_the_list_is_what_is_full() {
        let costs = Costs {
            engine: 20.0,
            consumer: 4.0,
        };
        let rate = |threads| simulate(threads, costs).0.round();
        assert_eq!(rate(1), 50_000.0);
        assert!((90_000.0..=100_000.0).contains(&rate(2)), "{}", rate(2));
        assert_eq!(rate(32), 250_000.0);
        assert_eq!(simulate(32, costs).1, "the thread that has the list");
    }
}
