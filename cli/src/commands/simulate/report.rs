//! The report for people.

use std::cmp::Reverse;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use fetch_proto::testing::{Fate, HostSummary, Point, Series};
use fetch_proto::{BatchStats, Histogram};

use super::Report;
use crate::display::{ShortDuration, plural};

/// So many hosts are listed, those with the most requests.
const TOP: usize = 20;

/// So many hosts have a line in the plot.
const DRAWN: usize = 6;

/// The report, and where a picture of it is.
pub(super) struct Text<'a>(pub(super) &'a Report<'a>, pub(super) Option<&'a Path>);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(report, picture) = self;
        totals(f, report)?;
        let mut hosts: Vec<_> = report.summary.hosts.iter().collect();
        hosts.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.name.cmp(&b.name)));
        table(f, &hosts)?;
        plot(f, report, &hosts)?;
        if let Some(path) = picture {
            writeln!(f, "\nThe picture is in {}.", path.display())?;
        }
        if report.is_example {
            writeln!(
                f,
                "\nThis was the built-in example. `fetch-all simulate --help` shows how to write a model;\n\
                 try what --per-host 8, --retry 5 or --urls 1000000 make of it."
            )?;
        }
        Ok(())
    }
}

fn totals(f: &mut fmt::Formatter<'_>, report: &Report<'_>) -> fmt::Result {
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
    writeln!(f, "  ended      {}", endings(batch))?;
    writeln!(
        f,
        "  sent       {}, {}; at most {} in flight, {} at one host",
        plural(summary.engine.attempts, "request", "requests"),
        plural(summary.engine.retries, "retry", "retries"),
        summary.max_flying,
        summary.max_flying_per_host,
    )?;
    writeln!(f, "  time       {}", times(batch.total()))?;
    if report.cut {
        writeln!(f, "  stopped    early, by --deadline")?;
    }
    if summary.stuck > 0 {
        let fetches = plural(summary.stuck as u64, "fetch", "fetches");
        writeln!(
            f,
            "  stopped    {fetches} would have waited for ever: no limit ends them (-m, --retry-max-time)"
        )?;
    }
    Ok(())
}

/// How fetches ended, the most frequent ways first.
fn endings(batch: &BatchStats) -> String {
    let mut ways: Vec<(String, u64)> = vec![("HTTP errors".into(), batch.http_errors())];
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

fn times(histogram: &Histogram) -> String {
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
    let shown = &hosts[..hosts.len().min(TOP)];
    let width = shown.iter().map(|host| host.name.chars().count()).max();
    let width = width.unwrap_or(0).clamp(4, 40);
    writeln!(
        f,
        "\n{:<width$} {:>8} {:>8} {:>8} {:>9} {:>7} {:>7} {:>8} {:>8} {:>8}",
        "host", "URLs", "ok", "failed", "requests", "per URL", "peak/s", "p50", "p99", "wait"
    )?;
    for host in shown {
        let fetches = &host.fetches;
        let time =
            |histogram: &Histogram, p| ShortDuration(histogram.percentile(p).unwrap_or_default());
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
    if hosts.len() > TOP {
        writeln!(f, "and {} more; --json has all", hosts.len() - TOP)?;
    }
    writeln!(
        f,
        "wait: how long half of the fetches waited for their turn, in all"
    )?;
    for host in shown {
        let bad = Fate::ALL.into_iter().filter(|fate| *fate != Fate::Ok);
        let seen = bad.filter(|fate| host.fates(*fate) > 0);
        let mut words: Vec<_> = seen
            .map(|fate| format!("{} {}", host.fates(fate), fate.as_str()))
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

/// Requests for each fetch, with two digits after the point.
fn amplification(host: &HostSummary) -> String {
    let hundredths = (host.amplification() + 5) / 10;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn plot(f: &mut fmt::Formatter<'_>, report: &Report<'_>, hosts: &[&HostSummary]) -> fmt::Result {
    let series = &report.summary.series;
    // Two buckets in a column keep it within any terminal.
    let columns = series.points().len().div_ceil(2);
    let width = hosts
        .iter()
        .take(DRAWN)
        .map(|host| host.name.chars().count());
    let width = width.max().unwrap_or(0).clamp(9, 40);
    writeln!(
        f,
        "\nRequests per second at each host, then of all fetches; a column is {}:",
        ShortDuration(series.width() * 2)
    )?;
    let mut row = |name: &str, series: &Series, count: fn(&Point) -> u64, rate: bool| {
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
    for host in hosts.iter().take(DRAWN) {
        row(&host.name, &host.series, |point| point.requests, true)?;
    }
    row("ok", series, |point| point.ok, true)?;
    row("failed", series, |point| point.failed, true)?;
    row("in flight", series, |point| point.in_flight, false)?;
    let end = ShortDuration(report.summary.took).to_string();
    let gap = columns.saturating_sub(3 + end.chars().count()).max(1);
    writeln!(f, "  {:<width$} 0 s{:gap$}{end}", "", "")
}

/// So many in that time, for each second.
fn rate_of(count: u64, time: Duration) -> u64 {
    let rate = u128::from(count) * 1_000_000_000 / time.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// A block for each value, the largest being full; a blank is nothing.
fn sparkline(values: &[u64]) -> String {
    const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    // What is not nothing is seen.
    let block = |value: &u64| (u128::from(*value) * 8).div_ceil(u128::from(most)) as usize;
    values.iter().map(|value| BLOCKS[block(value)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_shows_the_least_as_well_as_the_most() {
        assert_eq!(sparkline(&[0, 1, 50, 100]), " ▁▄█");
        assert_eq!(sparkline(&[0, 0]), "  ");
        assert_eq!(sparkline(&[u64::MAX]), "█");
    }

    #[test]
    fn rates_are_for_each_second() {
        assert_eq!(rate_of(50, Duration::from_millis(500)), 100);
        assert_eq!(rate_of(50, Duration::from_secs(4)), 12);
    }
}
