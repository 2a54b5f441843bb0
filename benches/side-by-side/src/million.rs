//! The command on a long list: whether every line has its record, and what a line costs in memory.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::case::grouped;
use crate::figures::{hundredths, table, tenths, whole};
use crate::site::Site;
use crate::usage::{Usage, of_part};

/// Its name, as an option and in the document.
pub(crate) const NAME: &str = "million";

const BODY: usize = 1024;
const CONCURRENCY: usize = 100;

/// What is checked of a record.
#[derive(Deserialize)]
struct Record<'a> {
    seq: usize,
    outcome: &'a str,
    response_code: Option<u16>,
    size_delivered: u64,
}

/// Runs the command on a short and on a long list and gives the table.
pub(crate) fn run(quick: bool) -> Result<String> {
    let command = build()?;
    let site = Site::start()?;
    let (short, long) = if quick {
        (1_000, 100_000)
    } else {
        (10_000, 1_000_000)
    };
    let runs = [
        (short, one(&command, &site, short)?),
        (long, one(&command, &site, long)?),
    ];
    Ok(render(&runs))
}

/// Builds the command in the profile that packages have, and tells where it is.
fn build() -> Result<PathBuf> {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--profile",
            "dist",
            "--quiet",
            "-p",
            "fetch-all-cli",
        ])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the command cannot be built: {status}");
    let own = std::env::current_exe()?;
    // Beside this program, or in the neighbouring directory if this one was built to be debugged.
    let beside = own
        .parent()
        .and_then(Path::parent)
        .context("this program lies nowhere")?;
    let command = beside.join("dist/fetch-all");
    ensure!(
        command.is_file(),
        "cargo built the command, but not into {}",
        command.display()
    );
    Ok(command)
}

fn one(command: &Path, site: &Site, count: usize) -> Result<Usage> {
    let directory = tempfile::tempdir()?;
    let (list, records) = (
        directory.path().join("urls.txt"),
        directory.path().join("records.jsonl"),
    );
    write_list(&list, &site.base, count)?;
    let concurrency = CONCURRENCY.to_string();
    let arguments: [OsString; 13] = [
        "watch".into(),
        "--".into(),
        command.into(),
        "-i".into(),
        list.into(),
        "-j".into(),
        concurrency.into(),
        "--per-host".into(),
        "0".into(),
        "--format".into(),
        "jsonl".into(),
        "-so".into(),
        (&records).into(),
    ];
    let usage = of_part(arguments)
        .with_context(|| format!("the command on {} URLs", grouped(count as u64)))?;
    check(&records, count)?;
    eprintln!(
        "{NAME} {count}: {:.1} µs/URL, {} KiB",
        usage.cpu * 1e6 / count as f64,
        usage.peak_kib
    );
    Ok(usage)
}

/// Every URL differs, as those of a real list do.
fn write_list(path: &Path, base: &str, count: usize) -> Result<()> {
    let mut list = BufWriter::new(File::create(path)?);
    for number in 0..count {
        writeln!(list, "{base}/bytes/{BODY}?n={number}")?;
    }
    list.flush()?;
    Ok(())
}

/// Fails unless each line of the list has exactly one record, and each of them is a success.
fn check(records: &Path, count: usize) -> Result<()> {
    let mut reader = BufReader::new(File::open(records).context("the command wrote no records")?);
    let mut seen = vec![false; count];
    let mut line = String::new();
    let mut lines = 0;
    while reader.read_line(&mut line)? > 0 {
        let record: Record<'_> = serde_json::from_str(&line)
            .with_context(|| format!("record {lines} is not as it should be: {line}"))?;
        let fine = record.outcome == "ok"
            && record.response_code == Some(200)
            && record.size_delivered == BODY as u64;
        ensure!(fine, "a URL failed: {line}");
        // Lines are numbered from 1.
        let place = record
            .seq
            .checked_sub(1)
            .and_then(|index| seen.get_mut(index));
        let place = place.with_context(|| format!("there is no line {}", record.seq))?;
        ensure!(
            !std::mem::replace(place, true),
            "line {} has two records",
            record.seq
        );
        lines += 1;
        line.clear();
    }
    ensure!(lines == count, "{lines} records for {count} lines");
    Ok(())
}

fn render(runs: &[(usize, Usage); 2]) -> String {
    let figures = |(count, usage): &(usize, Usage)| {
        let count = *count as f64;
        [
            count / usage.wall,
            usage.wall,
            usage.cpu * 1e6 / count,
            usage.peak_kib as f64 / 1024.0,
        ]
    };
    let (short, long) = (figures(&runs[0]), figures(&runs[1]));
    let row = |name: String, cells: [f64; 4]| {
        vec![
            name,
            whole(cells[0]),
            hundredths(cells[1]),
            tenths(cells[2]),
            tenths(cells[3]),
        ]
    };
    let ratio = std::array::from_fn::<_, 4, _>(|i| hundredths(long[i] / short[i]));
    let mut rows = vec![
        row(grouped(runs[0].0 as u64), short),
        row(grouped(runs[1].0 as u64), long),
    ];
    rows.push(std::iter::once("ratio".to_owned()).chain(ratio).collect());
    let head = ["URLs", "URLs/s", "wall, s", "CPU µs/URL", "peak RSS, MiB"];
    format!(
        "The command, bodies of 1 KiB, {CONCURRENCY} at once, a record for each URL\n\n{}",
        table(&head, &rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_lines(seqs: &[usize], count: usize) -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        for seq in seqs {
            let line = r#","outcome":"ok","response_code":200,"size_delivered":1024}"#;
            writeln!(file.as_file(), "{{\"seq\":{seq}{line}")?;
        }
        check(file.path(), count)
    }

    #[test]
    fn each_line_must_have_exactly_one_record() {
        assert!(check_lines(&[2, 1, 3], 3).is_ok());
        for wrong in [&[1, 2][..], &[1, 1, 2], &[1, 2, 4], &[0, 1, 2]] {
            assert!(check_lines(wrong, 3).is_err(), "{wrong:?}");
        }
    }
}
