//! The report as JSON, with whole numbers only, so that equal runs give equal bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use fetch_proto::testing::{HostSummary, LoadSeries, RequestResult, SeriesPoint};
use fetch_proto::{BatchStats, DurationHistogram};
use serde::Serialize;

use super::SimulationReport;

/// The report as one line of JSON.
pub(super) fn text(report: &SimulationReport<'_>) -> serde_json::Result<String> {
    let summary = report.summary;
    let json = ReportJson {
        seed: report.seed,
        took_us: micros(summary.took),
        fetches: summary.batch.count(),
        requests: summary.engine.attempts,
        retries: summary.engine.retries,
        stuck: summary.stuck,
        max_in_flight: summary.max_in_flight,
        max_in_flight_per_host: summary.max_in_flight_per_host,
        outcomes: outcomes(&summary.batch),
        time_us: times(summary.batch.total()),
        digest: format!("{:016x}", summary.digest),
        hosts: summary.hosts.iter().map(HostJson::new).collect(),
        series: SeriesJson::new(&summary.series),
    };
    Ok(serde_json::to_string(&json)? + "\n")
}

#[derive(Serialize)]
struct ReportJson<'a> {
    seed: u64,
    took_us: u64,
    fetches: u64,
    requests: u64,
    retries: u64,
    stuck: usize,
    max_in_flight: usize,
    max_in_flight_per_host: usize,
    outcomes: BTreeMap<String, u64>,
    time_us: PercentilesJson,
    /// A digest of all decisions, as text because not every JSON parser has 64-bit integers.
    digest: String,
    hosts: Vec<HostJson<'a>>,
    series: SeriesJson,
}

#[derive(Serialize)]
struct HostJson<'a> {
    name: &'a str,
    fetches: u64,
    requests: u64,
    retries: u64,
    abandoned: u64,
    amplification_milli: u64,
    peak_per_second: u64,
    max_in_flight: u32,
    outcomes: BTreeMap<String, u64>,
    /// The results of requests.
    answers: BTreeMap<&'static str, u64>,
    time_us: PercentilesJson,
    queue_us: PercentilesJson,
    series: SeriesJson,
}

impl<'a> HostJson<'a> {
    fn new(host: &'a HostSummary) -> Self {
        let fates = RequestResult::ALL.map(|fate| (fate.as_str(), host.result_count(fate)));
        Self {
            name: &host.name,
            fetches: host.fetches.count(),
            requests: host.requests,
            retries: host.fetches.retries(),
            abandoned: host.abandoned,
            amplification_milli: host.amplification(),
            peak_per_second: host.peak_rate,
            max_in_flight: host.peak_in_flight,
            outcomes: outcomes(&host.fetches),
            answers: fates.into_iter().filter(|(_, count)| *count > 0).collect(),
            time_us: times(host.fetches.total()),
            queue_us: times(&host.queued),
            series: SeriesJson::new(&host.series),
        }
    }
}

/// The number of fetches by outcome, without those that did not occur.
fn outcomes(batch: &BatchStats) -> BTreeMap<String, u64> {
    let fixed = [
        ("ok", batch.succeeded()),
        ("http_error", batch.http_errors()),
        ("cancelled", batch.cancelled()),
    ];
    let named = fixed.into_iter().chain(batch.failures());
    let named = named.map(|(kind, count)| (kind.to_owned(), count));
    let timeouts = batch.timeouts();
    let timeouts = timeouts.map(|(limit, count)| (format!("timeout_{limit}"), count));
    named
        .chain(timeouts)
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[derive(Serialize)]
struct PercentilesJson {
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

fn times(histogram: &DurationHistogram) -> PercentilesJson {
    let s = histogram.summary();
    let [p50, p90, p99, max] = [s.p50, s.p90, s.p99, s.max].map(micros);
    PercentilesJson { p50, p90, p99, max }
}

#[derive(Serialize)]
struct SeriesJson {
    bucket_us: u64,
    requests: Vec<u64>,
    ok: Vec<u64>,
    failed: Vec<u64>,
    max_in_flight: Vec<u64>,
}

impl SeriesJson {
    fn new(series: &LoadSeries) -> Self {
        let column = |count: fn(&SeriesPoint) -> u64| series.points().iter().map(count).collect();
        Self {
            bucket_us: micros(series.width()),
            requests: column(|point| point.requests),
            ok: column(|point| point.ok),
            failed: column(|point| point.failed),
            max_in_flight: column(|point| point.in_flight),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
