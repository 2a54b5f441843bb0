//! The command on lists of all lengths: what a URL costs does not depend on how many there are.

use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::case::grouped;
use crate::command;
use crate::curve::{Point, draw};
use crate::figures::{hundredths, table, tenths, whole};
use crate::site::Site;
use crate::usage::{Usage, of_part};

/// Its name, as an option and in the document.
pub(crate) const NAME: &str = "scale";

/// Where its picture is.
const PICTURE: &str = "docs/img/scale.svg";

const BODY: usize = 1024;
const CONCURRENCY: usize = 100;

/// Records of longer lists are written, but not kept to be checked: there are gigabytes of them.
const CHECKED: usize = 1_000_000;

/// A list of URLs.
#[derive(Clone, Copy, Debug)]
struct List {
    count: usize,
    /// Whether each has a host of its own.
    spread: bool,
}

impl List {
    fn url(self, port: u16, number: usize) -> String {
        if self.spread {
            format!("http://host{number}.test/bytes/{BODY}")
        } else {
            format!("http://127.0.0.1:{port}/bytes/{BODY}?n={number}")
        }
    }

    fn title(self) -> String {
        let count = grouped(self.count as u64);
        match self.spread {
            true => format!("{count}, each of its own host"),
            false => count,
        }
    }
}

/// Runs the command on lists of all lengths; gives the table, and draws the picture if asked to.
pub(crate) fn run(quick: bool, draws: bool) -> Result<String> {
    let site = Site::start()?;
    let shrunk = if quick { 100 } else { 1 };
    let lengths = [10_000, 100_000, 1_000_000, 10_000_000];
    let mut runs = Vec::new();
    for count in lengths {
        let list = List {
            count: count / shrunk,
            spread: false,
        };
        runs.push((list, one(&site, list)?));
    }
    if draws {
        let points = runs.iter().map(|(list, usage)| Point {
            count: list.count as f64,
            micros: usage.cpu * 1e6 / list.count as f64,
            peak: usage.peak_kib as f64 / 1024.0,
        });
        draw(&crate::docs::path(PICTURE), &points.collect::<Vec<_>>())?;
    }
    let spread = List {
        count: 100_000 / shrunk,
        spread: true,
    };
    runs.push((spread, one(&site, spread)?));
    Ok(render(&runs))
}

fn one(site: &Site, list: List) -> Result<Usage> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("urls.txt");
    let checked = list.count <= CHECKED;
    let records = match checked {
        true => directory.path().join("records.jsonl"),
        false => "/dev/null".into(),
    };
    // Every URL differs, as those of a real list do.
    let urls = (0..list.count).map(|number| list.url(site.ports.http, number));
    command::write_list(&file, urls)?;
    let mut arguments: Vec<OsString> = vec!["watch".into(), "--".into(), command::path()?.into()];
    arguments.extend(command::arguments(&file, &records, CONCURRENCY));
    if list.spread {
        let all = format!("::127.0.0.1:{}", site.ports.http);
        arguments.extend(["--connect-to".into(), all.into()]);
    }
    let usage = of_part(arguments).with_context(|| format!("the command on {list:?}"))?;
    // It has ended with status 0: nothing failed.
    if checked {
        command::check(&records, list.count, BODY as u64)?;
    }
    let micros = usage.cpu * 1e6 / list.count as f64;
    let (title, peak) = (list.title(), usage.peak_kib);
    eprintln!("{NAME} {title}: {micros:.1} µs/URL, {peak} KiB");
    Ok(usage)
}

fn render(runs: &[(List, Usage)]) -> String {
    let figures = |(list, usage): &(List, Usage)| {
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
            whole(own[0]),
            tenths(own[1]),
            tenths(own[2]),
            hundredths(own[2] / first[2]),
            tenths(own[3]),
            hundredths(own[3] / first[3]),
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
        "The command, bodies of 1 KiB, {CONCURRENCY} at once, a record for each URL\n\n{}",
        table(&head, &rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_compared_with_the_first() {
        let run = |count: usize, cpu: f64| {
            let usage = Usage {
                wall: 1.0,
                cpu,
                peak_kib: 2048,
                switches: 0,
                main: 0.0,
                system: 0.0,
            };
            let spread = count > 10;
            (List { count, spread }, usage)
        };
        let text = render(&[run(10, 1e-4), run(20, 4e-4)]);
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "| 20, each of its own host | 20 | 1.0 | 20.0 | 2.00 | 2.0 | 1.00 |"
        );
    }
}
