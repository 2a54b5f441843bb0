//! Two hosts, one of which is down for a while. With a circuit breaker that defers, every URL is
//! fetched. A breaker that fails fast loses the queued URLs. Without a breaker, they use up their
//! attempts.
//!
//! `cargo run --example breaker_defers --features testing [-- FILE.svg]`
//!
//! The real engine runs in virtual time, so the example ends at once, and the same seed gives the
//! same figures.

mod plot;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use fetch_all::proto::testing::{
    Outage, OutageKind, RequestResult, SeriesPoint, ServerModel, Simulation, SimulationSummary,
};
use fetch_all::{Breaker, EngineConfig, OnOpen};
use plot::{ChartPanel, ChartSheet, per_second};

/// URLs per host.
const URLS: u64 = 2000;

/// The time in which `down.test` refuses connections.
const OUTAGE: Outage = Outage {
    from: Duration::from_secs(3),
    until: Duration::from_secs(20),
    kind: OutageKind::Refuse,
};

/// The results with one setting.
pub(crate) struct BreakerResult {
    pub(crate) name: &'static str,
    /// URLs that were fetched.
    pub(crate) fetched: u64,
    /// URLs that failed.
    pub(crate) lost: u64,
    /// Requests to the host while it was down.
    pub(crate) refused: u64,
    pub(crate) summary: SimulationSummary,
}

/// Fetches the list without a breaker, with one that fails fast, and with one that defers.
pub(crate) fn run(seed: u64) -> Vec<BreakerResult> {
    let breaker = Breaker::default();
    [
        ("no breaker", None),
        (
            "breaker, fail fast",
            Some(breaker.on_open(OnOpen::FailFast)),
        ),
        ("breaker, defer", Some(breaker.on_open(OnOpen::Defer))),
    ]
    .map(|(name, breaker)| simulate(name, breaker, seed))
    .into()
}

fn simulate(name: &'static str, breaker: Option<Breaker>, seed: u64) -> BreakerResult {
    let config = EngineConfig::default().per_host(8).breaker(breaker);
    let server =
        ServerModel::default().latency(Duration::from_millis(20)..=Duration::from_millis(80));
    let hosts = ["steady.test", "down.test"];
    let urls = (0..URLS).flat_map(|n| hosts.map(|host| format!("http://{host}/{n}")));
    let mut simulation = Simulation::new(config, seed)
        .everywhere(server)
        .outage("down.test", OUTAGE);
    let summary = simulation.run(urls);
    let fetched = summary.batch.succeeded();
    let refused = summary
        .hosts
        .iter()
        .map(|host| host.result_count(RequestResult::Refused));
    BreakerResult {
        name,
        fetched,
        lost: summary.batch.count() - fetched,
        refused: refused.sum(),
        summary,
    }
}

/// The results as a text table.
pub(crate) struct ResultTable<'a>(pub(crate) &'a [BreakerResult]);

impl fmt::Display for ResultTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "                     fetched   lost  refused requests    took"
        )?;
        for row in self.0 {
            let took = row.summary.took.as_secs_f64();
            let (name, fetched, lost, refused) = (row.name, row.fetched, row.lost, row.refused);
            writeln!(
                f,
                "{name:<20} {fetched:>7} {lost:>6} {refused:>17} {took:>5.1} s"
            )?;
        }
        Ok(())
    }
}

fn chart_sheet(rows: &[BreakerResult]) -> ChartSheet<'_> {
    let ends = rows.iter().map(|row| row.summary.took);
    let end = Duration::from_secs(ends.max().unwrap_or_default().as_secs() + 1);
    let panel = |title, count: fn(&SeriesPoint) -> u64| ChartPanel {
        title,
        lines: rows
            .iter()
            .map(|row| (row.name, cumulative_count(row, count, end)))
            .collect(),
    };
    ChartSheet {
        outage: OUTAGE,
        end,
        panels: vec![
            panel("URLs of down.test fetched so far, of 2000", |point| {
                point.ok
            }),
            panel("URLs of down.test lost so far", |point| point.failed),
        ],
    }
}

/// The cumulative count for `down.test` by second.
fn cumulative_count(
    row: &BreakerResult,
    count: fn(&SeriesPoint) -> u64,
    end: Duration,
) -> Vec<u64> {
    let hosts = row.summary.hosts.iter();
    let down = hosts.filter(|host| &*host.name == "down.test");
    let mut seconds: Vec<_> = down
        .flat_map(|host| per_second(&host.series, count))
        .collect();
    seconds.resize(end.as_secs() as usize, 0);
    let sum = |sum: &mut u64, n| {
        *sum += n;
        Some(*sum)
    };
    seconds.into_iter().scan(0, sum).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows = run(1);
    print!("{}", ResultTable(&rows));
    match std::env::args_os().nth(1) {
        Some(path) => chart_sheet(&rows).draw(path.as_ref()),
        None => Ok(()),
    }
}
