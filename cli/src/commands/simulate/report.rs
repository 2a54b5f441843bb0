//! The report as text.

use std::cmp::Reverse;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use fetch_proto::testing::{HostSummary, LoadSeries, RequestResult, SeriesPoint};
use fetch_proto::{BatchStats, DurationHistogram};

use super::SimulationReport;
use crate::display::{ShortDuration, plural};

/// The most hosts in the table. Those with the most requests are shown.
const MAX_ROWS: usize = 20;

/// The most hosts in the chart.
const MAX_CHARTED: usize = 6;

/// The report as text, and the path of the SVG chart.
pub(super) struct ReportText<'a>(
    pub(super) &'a SimulationReport<'a>,
    pub(super) Option<&'a Path>,
);

impl fmt::Display for ReportText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(report, svg_path) = self;
        totals(f, report)?;
        let mut hosts: Vec<_> = report.summary.hosts.iter().collect();
        hosts.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.name.cmp(&b.name)));
        table(f, &hosts)?;
        chart(f, report, &hosts)?;
        if let Some(path) = svg_path {
            writeln!(f, "\nThe chart is in {}.", path.display())?;
        }
        if report.is_example {
            writeln!(
                f,
                "\nThis was the built-in example. `fetch-all simulate --help` shows how to write a model;\n\
                 try --per-host 8, --retry 5 or --urls 1000000."
            )?;
        }
        Ok(())
    }
}

fn totals(f: &mut fmt::Formatter<'_>, report: &SimulationReport<'_>) -> fmt::Result {
    let summary = report.summary;
    let batch = &summary.batch;
    writeln!(
        f,
        "Simulated {} with seed {}: {} of {} in {} of virtual time.",
        report.source,
        report.seed,
        plural(batch.count(), "URL", "URLs"),
        plural(summary.hosts.len() as u64, "host", "hosts"),
        ShortDuration(summary.took),
    )?;
    writeln!(f, "  ended      {}", outcomes(batch))?;
    writeln!(
        f,
        "  sent       {}, {}; at most {} in flight, {} per host",
        plural(summary.engine.attempts, "request", "requests"),
        plural(summary.engine.retries, "retry", "retries"),
        summary.max_in_flight,
        summary.max_in_flight_per_host,
    )?;
    writeln!(f, "  time       {}", times(batch.total()))?;
    if report.is_cut {
        writeln!(f, "  stopped    early, by --deadline")?;
    }
    if summary.stuck > 0 {
        let fetches = plural(summary.stuck as u64, "fetch", "fetches");
        writeln!(
            f,
            "  stopped    {fetches} would never end: no timeout applies (-m, --retry-max-time)"
        )?;
    }
    Ok(())
}

/// The number of fetches by outcome, the most frequent first.
fn outcomes(batch: &BatchStats) -> String {
    let http_errors = match batch.http_errors() {
        1 => "HTTP error",
        _ => "HTTP errors",
    };
    let mut ways: Vec<(String, u64)> = vec![(http_errors.into(), batch.http_errors())];
    ways.extend(batch.failures().map(|(kind, count)| (kind.into(), count)));
    ways.extend(
        batch
            .timeouts()
            .map(|(limit, count)| (format!("{limit} timeout"), count)),
    );
    ways.push(("cancelled".into(), batch.cancelled()));
    ways.sort_by_key(|(_, count)| Reverse(*count));
    ways.insert(0, ("ok".into(), batch.succeeded()));
    let seen = ways.iter().filter(|(way, count)| *count > 0 || way == "ok");
    let words: Vec<_> = seen.map(|(way, count)| format!("{count} {way}")).collect();
    words.join(", ")
}

fn times(histogram: &DurationHistogram) -> String {
    let s = histogram.summary();
    let (p50, p90, p99, max) = (
        ShortDuration(s.p50),
        ShortDuration(s.p90),
        ShortDuration(s.p99),
        ShortDuration(s.max),
    );
    format!("p50 {p50}, p90 {p90}, p99 {p99}, max {max}")
}

fn table(f: &mut fmt::Formatter<'_>, hosts: &[&HostSummary]) -> fmt::Result {
    let shown = &hosts[..hosts.len().min(MAX_ROWS)];
    let width = shown.iter().map(|host| host.name.chars().count()).max();
    let width = width.unwrap_or(0).clamp(4, 40);
    writeln!(
        f,
        "\n{:<width$} {:>8} {:>8} {:>8} {:>9} {:>7} {:>7} {:>8} {:>8} {:>8}",
        "host", "URLs", "ok", "failed", "requests", "per URL", "peak/s", "p50", "p99", "wait"
    )?;
    for host in shown {
        let fetches = &host.fetches;
        let time = |histogram: &DurationHistogram, p| {
            ShortDuration(histogram.percentile(p).unwrap_or_default())
        };
        writeln!(
            f,
            "{:<width$} {:>8} {:>8} {:>8} {:>9} {:>7} {:>7} {:>8} {:>8} {:>8}",
            host.name,
            fetches.count(),
            fetches.succeeded(),
            fetches.count() - fetches.succeeded(),
            host.requests,
            amplification(host),
            host.peak_rate,
            time(fetches.total(), 5_000),
            time(fetches.total(), 9_900),
            time(&host.queued, 5_000),
        )?;
    }
    if hosts.len() > MAX_ROWS {
        writeln!(f, "and {} more; --json lists all", hosts.len() - MAX_ROWS)?;
    }
    writeln!(f, "wait: the median time in the queue")?;
    for host in shown {
        let bad = RequestResult::ALL
            .into_iter()
            .filter(|fate| *fate != RequestResult::Ok);
        let seen = bad.filter(|fate| host.result_count(*fate) > 0);
        let mut words: Vec<_> = seen
            .map(|fate| format!("{} {}", host.result_count(fate), fate.as_str()))
            .collect();
        if host.abandoned > 0 {
            words.push(format!("{} given up by the client", host.abandoned));
        }
        if !words.is_empty() {
            writeln!(f, "  {} requests: {}", host.name, words.join(", "))?;
        }
    }
    Ok(())
}

/// Requests per fetch, with two decimals.
fn amplification(host: &HostSummary) -> String {
    let hundredths = (host.amplification() + 5) / 10;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn chart(
    f: &mut fmt::Formatter<'_>,
    report: &SimulationReport<'_>,
    hosts: &[&HostSummary],
) -> fmt::Result {
    let series = &report.summary.series;
    // With two buckets in a column the chart fits any terminal.
    let columns = series.points().len().div_ceil(2);
    let width = hosts
        .iter()
        .take(MAX_CHARTED)
        .map(|host| host.name.chars().count());
    let width = width.max().unwrap_or(0).clamp(9, 40);
    writeln!(
        f,
        "\nRequests per second per host, then results of all fetches; a column is {}:",
        ShortDuration(series.width() * 2)
    )?;
    let mut row = |name: &str, series: &LoadSeries, count: fn(&SeriesPoint) -> u64, rate: bool| {
        let pairs = series.points().chunks(2);
        let per_second = |sum: u64| match rate {
            true => rate_of(sum, series.width() * 2),
            false => sum,
        };
        let values: Vec<u64> = match rate {
            true => pairs.map(|pair| pair.iter().map(count).sum()).collect(),
            false => pairs
                .map(|pair| pair.iter().map(count).max().unwrap_or(0))
                .collect(),
        };
        let most = values.iter().copied().max().unwrap_or(0);
        let unit = if rate { "/s" } else { "" };
        let name: String = name.chars().take(width).collect();
        writeln!(
            f,
            "  {name:<width$} {} max {}{unit}",
            sparkline(&values),
            per_second(most)
        )
    };
    for host in hosts.iter().take(MAX_CHARTED) {
        row(&host.name, &host.series, |point| point.requests, true)?;
    }
    row("ok", series, |point| point.ok, true)?;
    row("failed", series, |point| point.failed, true)?;
    row("in flight", series, |point| point.in_flight, false)?;
    let end = ShortDuration(report.summary.took).to_string();
    let gap = columns.saturating_sub(3 + end.chars().count()).max(1);
    writeln!(f, "  {:<width$} 0 s{:gap$}{end}", "", "")
}

/// `count` in `time` as a rate per second.
fn rate_of(count: u64, time: Duration) -> u64 {
    let rate = u128::from(count) * 1_000_000_000 / time.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// A block per value, scaled to the largest. A space is zero.
fn sparkline(values: &[u64]) -> String {
    const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    // Rounded up, so that small values are visible.
    let block = |value: &u64| (u128::from(*value) * 8).div_ceil(u128::from(most)) as usize;
    values.iter().map(|value| BLOCKS[block(value)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_shows_small_values() {
        assert_eq!(sparkline(&[0, 1, 50, 100]), " ▁▄█");
        assert_eq!(sparkline(&[0, 0]), "  ");
        assert_eq!(sparkline(&[u64::MAX]), "█");
    }

    #[test]
    fn rates_are_per_second() {
        assert_eq!(rate_of(50, Duration::from_millis(500)), 100);
        assert_eq!(rate_of(50, Duration::from_secs(4)), 12);
    }
}
