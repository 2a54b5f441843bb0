//! The machine that the figures were measured on.

use std::fs::read_to_string;

use anyhow::{Context, Result};

use crate::core;

/// Processor, cores, memory and system, in a line.
pub(crate) fn describe() -> Result<String> {
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").context("/proc/meminfo has no MemTotal")?;
    let kib: u64 = memory
        .trim_end_matches(" kB")
        .parse()
        .context("an unknown size of memory")?;
    let release = read_to_string("/proc/sys/kernel/osrelease")?;
    let (count, gib) = (
        core::allowed()?.len(),
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
        crate::site::describe()
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
