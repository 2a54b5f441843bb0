//! A retry storm: a server that bears its load stalls for five seconds. The retries of what failed
//! then overload it for good, though nothing is wrong with it any more, unless something bounds them.
//!
//! `cargo run --example retry_storm --features testing [-- FILE.svg]`
//!
//! The shipped engine runs in virtual time, so it is over at once, and the same seed gives the same
//! figures.

mod plot;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use fetch_all::proto::testing::{
    LatencyModel, Outage, OutageKind, ServerModel, Simulation, SimulationSummary,
};
use fetch_all::{
    AdaptiveConcurrency, Backoff, Breaker, EngineConfig, Policy, PolicyRules, Rate, RetryBudget,
    Throttle, Vegas,
};
use plot::{Panel, Picture, per_second};

const SECOND: Duration = Duration::from_secs(1);

/// URLs that come in a second, whatever became of those before. The server bears 200.
const ARRIVALS: u64 = 150;

/// For so many seconds.
const TIME: usize = 60;

/// The server answers nothing in this time.
const OUTAGE: Outage = Outage {
    from: Duration::from_secs(10),
    until: Duration::from_secs(15),
    kind: OutageKind::Stall,
};

/// The settings that have a line in the picture.
const DRAWN: [&str; 4] = ["no retries", "4 attempts", "with a budget", "with Vegas"];

/// The load, under one setting.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Requests for 1,000 URLs.
    pub(crate) amplification: u64,
    /// URLs that were fetched.
    pub(crate) fetched: u64,
    /// URLs that were fetched in a second, on average from the outage's end to the last arrival.
    pub(crate) goodput: u64,
    /// How long after the outage's end the server was well again, for good; `None` if never.
    pub(crate) recovered: Option<Duration>,
    pub(crate) summary: SimulationSummary,
}

/// Puts the same load on the same server under each setting.
pub(crate) fn run(seed: u64) -> Vec<Row> {
    let config = |attempts| {
        let policy = Policy::default()
            .attempts(attempts)
            .attempt_timeout(SECOND)
            .backoff(Backoff::default().base(SECOND / 4));
        // No limits of the client's own: it is many clients.
        let config = EngineConfig::default().concurrency(10_000).window(100_000);
        config.rules(PolicyRules::from_policy(policy))
    };
    // Work for five seconds waits in its queue, and more is refused.
    let server = ServerModel::default()
        .latency(LatencyModel::exponential(SECOND / 50))
        .capacity(4, 1000);
    [
        ("no retries", config(1)),
        ("4 attempts", config(4)),
        (
            "with a budget",
            config(4).host_budget(RetryBudget::default()),
        ),
        ("with a breaker", config(4).breaker(Breaker::default())),
        ("with throttling", config(4).throttle(Throttle::default())),
        (
            "with AIMD",
            config(4).adaptive(AdaptiveConcurrency::default()),
        ),
        (
            "with Vegas",
            config(4).adaptive(AdaptiveConcurrency::Vegas(Vegas::default())),
        ),
    ]
    .map(|(name, config)| load(name, config, server, seed))
    .into_iter()
    .chain([
        load(
            "with Retry-After",
            config(4),
            server.retry_after(5 * SECOND),
            seed,
        ),
        load("a queue of 100", config(4), server.capacity(4, 100), seed),
    ])
    .collect()
}

fn load(name: &'static str, config: EngineConfig, server: ServerModel, seed: u64) -> Row {
    let rate: Rate = format!("{ARRIVALS}/s").parse().expect("a rate");
    let mut simulation = Simulation::new(config, seed)
        .everywhere(server)
        .outage("api.test", OUTAGE)
        .arrivals(rate);
    let urls = (0..ARRIVALS * TIME as u64).map(|n| format!("http://api.test/{n}"));
    let summary = simulation.run(urls);
    let good = per_second(&summary.series, |point| point.ok);
    let after = &good[OUTAGE.until.as_secs() as usize..TIME];
    Row {
        name,
        amplification: summary.hosts[0].amplification(),
        fetched: summary.batch.succeeded(),
        goodput: after.iter().sum::<u64>() / after.len() as u64,
        recovered: recovered(after),
        summary,
    }
}

/// When nine of ten URLs that come were fetched again, over any five seconds from then on.
fn recovered(after: &[u64]) -> Option<Duration> {
    let slow = |five: &[u64]| five.iter().sum::<u64>() * 10 < 5 * ARRIVALS * 9;
    let starts = after.windows(5).rposition(slow).map_or(0, |last| last + 1);
    (starts + 5 <= after.len()).then(|| SECOND * starts as u32)
}

/// The rows as text.
pub(crate) struct Table<'a>(pub(crate) &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "                 requests per URL  peak/s  fetched  goodput/s  recovered after"
        )?;
        for row in self.0 {
            let (name, fetched, goodput) = (row.name, row.fetched, row.goodput);
            let per_url = row.amplification as f64 / 1000.0;
            let peak = row.summary.hosts[0].peak_rate;
            let after = row.recovered.map_or_else(
                || "never".to_owned(),
                |after| format!("{} s", after.as_secs()),
            );
            write!(f, "{name:<16} {per_url:>16.2} {peak:>7} {fetched:>8}")?;
            writeln!(f, " {goodput:>10} {after:>16}")?;
        }
        Ok(())
    }
}

fn picture(rows: &[Row]) -> Picture<'_> {
    let drawn = || rows.iter().filter(|row| DRAWN.contains(&row.name));
    let good = drawn().map(|row| (row.name, per_second(&row.summary.series, |point| point.ok)));
    let sent = drawn().map(|row| {
        let requests = per_second(&row.summary.series, |point| point.requests);
        (row.name, requests)
    });
    Picture {
        outage: OUTAGE,
        end: SECOND * TIME as u32,
        panels: vec![
            Panel {
                title: "requests per second; the server bears 200",
                lines: sent.collect(),
            },
            Panel {
                title: "URLs fetched per second; 150 come",
                lines: good.collect(),
            },
        ],
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows = run(1);
    print!("{}", Table(&rows));
    match std::env::args_os().nth(1) {
        Some(path) => picture(&rows).draw(path.as_ref()),
        None => Ok(()),
    }
}
