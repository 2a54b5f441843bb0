//! Text form of the statistics.

use alloc::collections::BTreeMap;
use core::fmt;

use super::BatchStats;
use crate::model::text::plural;

/// At most four lines: results (without zero counts), requests, total times, times to first byte.
impl fmt::Display for BatchStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fetched: {} succeeded", self.count(), self.succeeded)?;
        if self.http_errors > 0 {
            let errors = plural(self.http_errors, "HTTP error", "HTTP errors");
            write!(f, ", {errors}")?;
        }
        write_kinds(f, "failed", &self.failed)?;
        write_kinds(f, "timed out", &self.timed_out)?;
        if self.cancelled > 0 {
            write!(f, ", {} cancelled", self.cancelled)?;
        }
        let Self {
            attempts,
            retries,
            redirects,
            ..
        } = self;
        let attempts = plural(*attempts, "attempt", "attempts");
        let retries = plural(*retries, "retry", "retries");
        let redirects = plural(*redirects, "redirect", "redirects");
        write!(f, "\n{attempts}, {retries}, {redirects}, ")?;
        write_bytes(f, self.bytes)?;
        if self.count() > 0 {
            write!(f, "\ntotal time: {}", self.total.summary())?;
        }
        if self.first_byte.count() > 0 {
            write!(f, "\nfirst byte: {}", self.first_byte.summary())?;
        }
        Ok(())
    }
}

fn write_kinds(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    kinds: &BTreeMap<&'static str, u64>,
) -> fmt::Result {
    if kinds.is_empty() {
        return Ok(());
    }
    write!(f, ", {} {what} (", kinds.values().sum::<u64>())?;
    for (i, (kind, count)) in kinds.iter().enumerate() {
        write!(f, "{}{count} {kind}", if i == 0 { "" } else { ", " })?;
    }
    f.write_str(")")
}

fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: u64) -> fmt::Result {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return write!(f, "{bytes} B");
    }
    let power = bytes.ilog2() / 10;
    let tenths = (u128::from(bytes) * 10) >> (10 * power);
    write!(
        f,
        "{}.{} {}",
        tenths / 10,
        tenths % 10,
        UNITS[power as usize - 1]
    )
}
