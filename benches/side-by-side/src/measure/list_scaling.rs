//! The command on lists of several lengths. The cost per URL must not depend on the length.

use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::environment::command;
use crate::environment::site::ServerProcess;
use crate::environment::usage::{ResourceUsage, run_self};
use crate::report::chart::{CostPoint, draw_chart};
use crate::report::figures::group_thousands;
use crate::report::figures::{format_hundredths, format_tenths, format_whole, markdown_table};

/// Its name on the command line and in the document.
pub(crate) const NAME: &str = "scale";

/// The path of its chart.
const CHART: &str = "docs/img/scale.svg";

const BODY: usize = 1024;
const CONCURRENCY: usize = 100;

/// Records of longer lists are written to /dev/null and not checked, because they take gigabytes.
const MAX_CHECKED_URLS: usize = 1_000_000;

/// A list of URLs on the server.
#[derive(Clone, Copy, Debug)]
struct UrlList {
    count: usize,
    /// Whether each URL has a different host.
    has_many_hosts: bool,
}

impl UrlList {
    fn url(self, port: u16, number: usize) -> String {
        if self.has_many_hosts {
            format!("http://host{number}.test/bytes/{BODY}")
        } else {
            format!("http://127.0.0.1:{port}/bytes/{BODY}?n={number}")
        }
    }

    fn title(self) -> String {
        let count = group_thousands(self.count as u64);
        match self.has_many_hosts {
            true => format!("{count}, each with a different host"),
            false => count,
        }
    }
}

/// Runs the command on all lists and returns the table. Draws the chart if `draws_chart` is true.
pub(crate) fn measure_lists(quick: bool, draws_chart: bool) -> Result<String> {
    let site = ServerProcess::start()?;
    let shrunk = if quick { 100 } else { 1 };
    let lengths = [10_000, 100_000, 1_000_000, 10_000_000];
    let mut runs = Vec::new();
    for count in lengths {
        let list = UrlList {
            count: count / shrunk,
            has_many_hosts: false,
        };
        runs.push((list, run_once(&site, list)?));
    }
    if draws_chart {
        let points = runs.iter().map(|(list, usage)| CostPoint {
            count: list.count as f64,
            micros: usage.cpu * 1e6 / list.count as f64,
            peak: usage.peak_kib as f64 / 1024.0,
        });
        draw_chart(
            &crate::report::docs::project_path(CHART),
            &points.collect::<Vec<_>>(),
        )?;
    }
    let many_hosts = UrlList {
        count: 100_000 / shrunk,
        has_many_hosts: true,
    };
    runs.push((many_hosts, run_once(&site, many_hosts)?));
    Ok(render(&runs))
}

fn run_once(site: &ServerProcess, list: UrlList) -> Result<ResourceUsage> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("urls.txt");
    let checked = list.count <= MAX_CHECKED_URLS;
    let records = match checked {
        true => directory.path().join("records.jsonl"),
        false => "/dev/null".into(),
    };
    // Every URL is different, as in a real list.
    let urls = (0..list.count).map(|number| list.url(site.ports.http, number));
    command::write_list(&file, urls)?;
    let mut arguments: Vec<OsString> =
        vec!["watch".into(), "--".into(), command::command_path()?.into()];
    arguments.extend(command::command_arguments(&file, &records, CONCURRENCY));
    if list.has_many_hosts {
        let all = format!("::127.0.0.1:{}", site.ports.http);
        arguments.extend(["--connect-to".into(), all.into()]);
    }
    let usage = run_self(arguments).with_context(|| format!("the command on {list:?}"))?;
    // The command exited with status 0, so no fetch failed.
    if checked {
        command::check_records(&records, list.count, BODY as u64)?;
    }
    let micros = usage.cpu * 1e6 / list.count as f64;
    let (title, peak) = (list.title(), usage.peak_kib);
    eprintln!("{NAME} {title}: {micros:.1} µs/URL, {peak} KiB");
    Ok(usage)
}

fn render(runs: &[(UrlList, ResourceUsage)]) -> String {
    let figures = |(list, usage): &(UrlList, ResourceUsage)| {
        let count = list.count as f64;
        [
            count / usage.wall,
            usage.wall,
            usage.cpu * 1e6 / count,
            usage.peak_kib as f64 / 1024.0,
        ]
    };
    let first = figures(&runs[0]);
    let rows = runs.iter().map(|run| {
        let own = figures(run);
        vec![
            run.0.title(),
            format_whole(own[0]),
            format_tenths(own[1]),
            format_tenths(own[2]),
            format_hundredths(own[2] / first[2]),
            format_tenths(own[3]),
            format_hundredths(own[3] / first[3]),
        ]
    });
    let head = [
        "URLs",
        "URLs/s",
        "wall, s",
        "CPU µs/URL",
        "× first",
        "peak RSS, MiB",
        "× first",
    ];
    let rows: Vec<_> = rows.collect();
    format!(
        "The command, bodies of 1 KiB, {CONCURRENCY} at once, one record per URL\n\n{}",
        markdown_table(&head, &rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_compared_with_the_first() {
        let run = |count: usize, cpu: f64| {
            let usage = ResourceUsage {
                wall: 1.0,
                cpu,
                peak_kib: 2048,
                switches: 0,
                main_thread: 0.0,
                system: 0.0,
            };
            let has_many_hosts = count > 10;
            let list = UrlList {
                count,
                has_many_hosts,
            };
            (list, usage)
        };
        let text = render(&[run(10, 1e-4), run(20, 4e-4)]);
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "| 20, each with a different host | 20 | 1.0 | 20.0 | 2.00 | 2.0 | 1.00 |"
        );
    }
}
