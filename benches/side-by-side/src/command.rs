//! The command: where it is, how it is run, and what its records must say.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// What is checked of a record.
#[derive(Deserialize)]
struct Record<'a> {
    seq: usize,
    outcome: &'a str,
    response_code: Option<u16>,
    size_delivered: u64,
}

/// Writes a list with a URL on each line.
pub(crate) fn write_list(path: &Path, urls: impl Iterator<Item = String>) -> Result<()> {
    let mut list = BufWriter::new(File::create(path)?);
    for url in urls {
        writeln!(list, "{url}")?;
    }
    list.flush()?;
    Ok(())
}

/// Builds the command in the profile that packages have.
pub(crate) fn build() -> Result<()> {
    build_program("fetch-all-cli", "fetch-all")?;
    Ok(())
}

/// Builds a program in that profile; tells where it is.
pub(crate) fn build_program(package: &str, name: &str) -> Result<PathBuf> {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--quiet"])
        .args(["-p", package, "--bin", name])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "{name} cannot be built: {status}");
    let program = program(name)?;
    ensure!(
        program.is_file(),
        "cargo built {name}, but not into {}",
        program.display()
    );
    Ok(program)
}

/// Where the command is once it is built.
pub(crate) fn path() -> Result<PathBuf> {
    program("fetch-all")
}

fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    // Beside this program, or in the neighbouring directory if this one was built to be debugged.
    let beside = own
        .parent()
        .and_then(Path::parent)
        .context("this program lies nowhere")?;
    Ok(beside.join("release").join(name))
}

/// A list, a record for each of its URLs, so many at once, and nothing else.
pub(crate) fn arguments(list: &Path, records: &Path, concurrency: usize) -> [OsString; 10] {
    [
        "-i".into(),
        list.into(),
        "-j".into(),
        concurrency.to_string().into(),
        "--per-host".into(),
        "0".into(),
        "--format".into(),
        "jsonl".into(),
        "-so".into(),
        records.into(),
    ]
}

/// Fails unless each line of the list has exactly one record, and each of them is a success.
pub(crate) fn check(records: &Path, count: usize, body: u64) -> Result<()> {
    let mut reader = BufReader::new(File::open(records).context("the command wrote no records")?);
    let mut seen = vec![false; count];
    let mut line = String::new();
    let mut lines = 0;
    while reader.read_line(&mut line)? > 0 {
        let record: Record<'_> = serde_json::from_str(&line)
            .with_context(|| format!("record {lines} is not as it should be: {line}"))?;
        let fine = record.outcome == "ok"
            && record.response_code == Some(200)
            && record.size_delivered == body;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check_lines(seqs: &[usize], count: usize) -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        for seq in seqs {
            let line = r#","outcome":"ok","response_code":200,"size_delivered":1024}"#;
            writeln!(file.as_file(), "{{\"seq\":{seq}{line}")?;
        }
        check(file.path(), count, 1024)
    }

    #[test]
    fn each_line_must_have_exactly_one_record() {
        assert!(check_lines(&[2, 1, 3], 3).is_ok());
        for wrong in [&[1, 2][..], &[1, 1, 2], &[1, 2, 4], &[0, 1, 2]] {
            assert!(check_lines(wrong, 3).is_err(), "{wrong:?}");
        }
    }
}
