//! The machine on which the figures were measured.

use std::fs::read_to_string;

use anyhow::{Context, Result};

use crate::environment::pinning;

/// Processor, cores, memory and system, in one line.
pub(crate) fn describe_machine() -> Result<String> {
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").context("/proc/meminfo has no MemTotal")?;
    let kib: u64 = memory
        .trim_end_matches(" kB")
        .parse()
        .context("MemTotal in /proc/meminfo is not a number")?;
    let release = read_to_string("/proc/sys/kernel/osrelease")?;
    let (count, gib) = (
        pinning::usable_cores()?.len(),
        (kib as f64 / f64::from(1 << 20)).round(),
    );
    let pinned = if count < 2 {
        "not pinned"
    } else {
        "the server on the first core, the client on the second"
    };
    Ok(format!(
        "{processor}, {count} cores, {gib} GiB, Linux {}; {}; {pinned}.\n",
        release.trim(),
        crate::environment::site::describe_server()
    ))
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(key, value)| (key.trim(), value.trim()))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}
