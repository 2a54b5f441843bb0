//! The command `fetch-all`: building it, its arguments, and the check of its records.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The fields of a record that are checked.
#[derive(Deserialize)]
struct CommandRecord<'a> {
    seq: usize,
    outcome: &'a str,
    response_code: Option<u16>,
    size_delivered: u64,
}

/// Writes a list with one URL per line.
pub(crate) fn write_list(path: &Path, urls: impl Iterator<Item = String>) -> Result<()> {
    let mut list = BufWriter::new(File::create(path)?);
    for url in urls {
        writeln!(list, "{url}")?;
    }
    list.flush()?;
    Ok(())
}

/// Builds the command in the release profile.
pub(crate) fn build_command() -> Result<()> {
    build_program("fetch-all-cli", "fetch-all")?;
    Ok(())
}

/// Builds a program in the release profile and returns its path.
pub(crate) fn build_program(package: &str, name: &str) -> Result<PathBuf> {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--quiet"])
        .args(["-p", package, "--bin", name])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "{name} cannot be built: {status}");
    let program = program_path(name)?;
    ensure!(
        program.is_file(),
        "cargo built {name}, but there is no file {}",
        program.display()
    );
    Ok(program)
}

/// The path of the command, once it is built.
pub(crate) fn command_path() -> Result<PathBuf> {
    program_path("fetch-all")
}

fn program_path(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    // The same target directory, also if this program was built in the dev profile.
    let beside = own
        .parent()
        .and_then(Path::parent)
        .context("this program has no parent directory")?;
    Ok(beside.join("release").join(name))
}

/// The arguments that fetch a list at this concurrency and write one record per URL.
pub(crate) fn command_arguments(list: &Path, records: &Path, concurrency: usize) -> [OsString; 10] {
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

/// Fails unless each line of the list has exactly one record, and all fetches succeeded.
pub(crate) fn check_records(records: &Path, count: usize, body: u64) -> Result<()> {
    let mut reader = BufReader::new(File::open(records).context("the command wrote no records")?);
    let mut seen = vec![false; count];
    let mut line = String::new();
    let mut lines = 0;
    while reader.read_line(&mut line)? > 0 {
        let record: CommandRecord<'_> = serde_json::from_str(&line)
            .with_context(|| format!("record {lines} is invalid: {line}"))?;
        let is_success = record.outcome == "ok"
            && record.response_code == Some(200)
            && record.size_delivered == body;
        ensure!(is_success, "a URL failed: {line}");
        // Lines are numbered from 1.
        let place = record
            .seq
            .checked_sub(1)
            .and_then(|index| seen.get_mut(index));
        let place = place.with_context(|| format!("the list has no line {}", record.seq))?;
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
        check_records(file.path(), count, 1024)
    }

    #[test]
    fn each_line_must_have_exactly_one_record() {
        assert!(check_lines(&[2, 1, 3], 3).is_ok());
        for wrong in [&[1, 2][..], &[1, 1, 2], &[1, 2, 4], &[0, 1, 2]] {
            assert!(check_lines(wrong, 3).is_err(), "{wrong:?}");
        }
    }
}
