//! A retry storm: a server that can carry its load stalls for five seconds. Then the retries of the
//! failed requests overload it permanently, although it works again, unless something limits them.
//!
//! `cargo run --example retry_storm --features testing [-- FILE.svg]`
//!
//! The real engine runs in virtual time, so the example ends at once, and the same seed gives the
//! same figures.

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
use plot::{ChartPanel, ChartSheet, per_second};

const SECOND: Duration = Duration::from_secs(1);

/// URLs that arrive per second, independent of earlier results. The server can answer 200.
const ARRIVALS: u64 = 150;

/// Length of the simulation, in seconds.
const SECONDS: usize = 60;

/// The server answers nothing in this time.
const OUTAGE: Outage = Outage {
    from: Duration::from_secs(10),
    until: Duration::from_secs(15),
    kind: OutageKind::Stall,
};

/// The settings with a line in the chart.
const CHARTED: [&str; 4] = ["no retries", "4 attempts", "with a budget", "with Vegas"];

/// The results with one setting.
pub(crate) struct StormResult {
    pub(crate) name: &'static str,
    /// Requests per 1,000 URLs.
    pub(crate) amplification: u64,
    /// URLs that were fetched.
    pub(crate) fetched: u64,
    /// URLs fetched per second, on average from the end of the outage to the last arrival.
    pub(crate) goodput: u64,
    /// Time from the end of the outage until the server has recovered for good. `None` if it never does.
    pub(crate) recovered: Option<Duration>,
    pub(crate) summary: SimulationSummary,
}

/// Simulates the same load on the same server with each setting.
pub(crate) fn run(seed: u64) -> Vec<StormResult> {
    let config = |attempts| {
        let policy = Policy::default()
            .attempts(attempts)
            .attempt_timeout(SECOND)
            .backoff(Backoff::default().base(SECOND / 4));
        // No limits in the client, because it stands for many clients.
        let config = EngineConfig::default().concurrency(10_000).window(100_000);
        config.rules(PolicyRules::from_policy(policy))
    };
    // The queue holds work for five seconds. Requests beyond it are refused.
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
    .map(|(name, config)| simulate(name, config, server, seed))
    .into_iter()
    .chain([
        simulate(
            "with Retry-After",
            config(4),
            server.retry_after(5 * SECOND),
            seed,
        ),
        simulate("a queue of 100", config(4), server.capacity(4, 100), seed),
    ])
    .collect()
}

fn simulate(
    name: &'static str,
    config: EngineConfig,
    server: ServerModel,
    seed: u64,
) -> StormResult {
    let rate: Rate = format!("{ARRIVALS}/s").parse().expect("the rate is valid");
    let mut simulation = Simulation::new(config, seed)
        .everywhere(server)
        .outage("api.test", OUTAGE)
        .arrivals(rate);
    let urls = (0..ARRIVALS * SECONDS as u64).map(|n| format!("http://api.test/{n}"));
    let summary = simulation.run(urls);
    let good = per_second(&summary.series, |point| point.ok);
    let after = &good[OUTAGE.until.as_secs() as usize..SECONDS];
    StormResult {
        name,
        amplification: summary.hosts[0].amplification(),
        fetched: summary.batch.succeeded(),
        goodput: after.iter().sum::<u64>() / after.len() as u64,
        recovered: recovery_time(after),
        summary,
    }
}

/// The time from which nine of ten arriving URLs are fetched, in every window of five seconds.
fn recovery_time(after: &[u64]) -> Option<Duration> {
    let slow = |five: &[u64]| five.iter().sum::<u64>() * 10 < 5 * ARRIVALS * 9;
    let starts = after.windows(5).rposition(slow).map_or(0, |last| last + 1);
    (starts + 5 <= after.len()).then(|| SECOND * starts as u32)
}

/// The results as a text table.
pub(crate) struct ResultTable<'a>(pub(crate) &'a [StormResult]);

impl fmt::Display for ResultTable<'_> {
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

fn chart_sheet(rows: &[StormResult]) -> ChartSheet<'_> {
    let charted = || rows.iter().filter(|row| CHARTED.contains(&row.name));
    let good = charted().map(|row| (row.name, per_second(&row.summary.series, |point| point.ok)));
    let sent = charted().map(|row| {
        let requests = per_second(&row.summary.series, |point| point.requests);
        (row.name, requests)
    });
    ChartSheet {
        outage: OUTAGE,
        end: SECOND * SECONDS as u32,
        panels: vec![
            ChartPanel {
                title: "requests per second; the server bears 200",
                lines: sent.collect(),
            },
            ChartPanel {
                title: "URLs fetched per second; 150 come",
                lines: good.collect(),
            },
        ],
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows = run(1);
    print!("{}", ResultTable(&rows));
    match std::env::args_os().nth(1) {
        Some(path) => chart_sheet(&rows).draw(path.as_ref()),
        None => Ok(()),
    }
}
