//! The summary at the end, on stderr.

use std::fmt;
use std::time::Duration;

use fetch_driver::{Cache, CacheStats, CacheUsage};
use fetch_proto::{BatchStats, EngineStats};

use crate::display::{ByteSize, ShortDuration, plural, sanitize};
use crate::outcome::error_type::ErrorType;
use crate::outcome::kind::OutcomeKind;
use crate::outcome::tally::RunTally;
use crate::ui::host_waits::HostWaits;
use crate::ui::long_downloads::LongDownloads;
use crate::ui::redirect_notes::RedirectNotes;

/// The number of hosts in each list.
const TOP: usize = 5;

/// Everything that the summary reports.
pub(crate) struct RunSummary<'a> {
    pub(crate) cache: Option<CacheCounts>,
    /// Whether the same command would resume the run.
    pub(crate) can_resume: bool,
    /// URLs that the state skipped, and how many of them have failed before: URLs that an earlier
    /// run completed.
    pub(crate) completed_before: (u64, u64),
    /// URLs that robots.txt forbids, at once or after a redirect.
    pub(crate) disallowed: u64,
    /// Duplicates that `--dedupe` or `--state` skipped.
    pub(crate) duplicates: u64,
    pub(crate) elapsed: Duration,
    pub(crate) engine: EngineStats,
    /// URLs whose files existed already.
    pub(crate) existing: u64,
    pub(crate) host_waits: &'a HostWaits,
    pub(crate) long_downloads: &'a LongDownloads,
    pub(crate) malformed: u64,
    pub(crate) redirects: &'a RedirectNotes,
    pub(crate) stats: &'a BatchStats,
    /// Why the run ended before every URL was fetched.
    pub(crate) stopped: Option<&'a str>,
    pub(crate) tally: &'a RunTally,
    /// URLs that were read but have no outcome.
    pub(crate) unfinished: u64,
    /// The hosts of them, those with the most first: origin, and number of URLs.
    pub(crate) unfinished_hosts: Vec<(Box<str>, u64)>,
}

/// How the cache was used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheCounts {
    stats: CacheStats,
    usage: CacheUsage,
}

impl CacheCounts {
    pub(crate) fn new(cache: &Cache) -> Self {
        Self {
            stats: cache.stats(),
            usage: cache.usage(),
        }
    }

    /// One line, and another one if the store has failed.
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CacheStats {
            hits,
            misses,
            revalidated,
            stale,
            store_errors,
            ..
        } = self.stats;
        write!(
            f,
            "  cache     {}, {revalidated} validated, {}",
            plural(hits, "hit", "hits"),
            plural(misses, "miss", "misses")
        )?;
        if stale > 0 {
            write!(f, ", {stale} stale")?;
        }
        writeln!(f)?;
        let usage = self.usage;
        let failures = store_errors + usage.failed_writes;
        if failures + usage.skipped + usage.dropped_writes == 0 {
            return Ok(());
        }
        let failures = plural(failures, "error", "errors");
        write!(f, "  cache     {failures} of the store")?;
        if usage.skipped > 0 {
            write!(f, ", not asked {}", plural(usage.skipped, "time", "times"))?;
        }
        if usage.dropped_writes > 0 {
            let dropped = plural(usage.dropped_writes, "response", "responses");
            write!(f, ", {dropped} not stored: it is too slow")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for RunSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_counts(f)?;
        self.write_traffic(f)?;
        self.cache.map_or(Ok(()), |cache| cache.write(f))?;
        if self.count() > 0 {
            self.write_times(f)?;
        }
        self.write_errors(f)?;
        self.redirects.fmt(f)?;
        self.host_waits.write_totals(f)?;
        self.long_downloads.fmt(f)?;
        self.write_hosts(f)
    }
}

impl RunSummary<'_> {
    /// The number of URLs that were fetched, or could not be.
    pub(crate) fn count(&self) -> u64 {
        self.tally.ends.all()
    }

    /// The number of URLs that were read and not fetched, each for one reason.
    fn skipped(&self) -> u64 {
        self.completed_before.0 + self.disallowed + self.duplicates + self.existing
    }

    /// The number of URLs and malformed lines that were read. Each is in one of the other numbers.
    pub(crate) fn read(&self) -> u64 {
        self.count() + self.malformed + self.skipped() + self.unfinished
    }

    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = self.tally.ends;
        let rate = self.count() as f64 / self.elapsed.as_secs_f64().max(1e-6);
        let urls = plural(self.read(), "URL", "URLs");
        write!(
            f,
            "fetch-all: {urls} in {} ({rate:.0}/s): {} ok",
            ShortDuration(self.elapsed),
            ends.ok
        )?;
        for (count, one, many) in [
            (ends.http_errors, "HTTP error", "HTTP errors"),
            (ends.failed, "failed", "failed"),
            (self.malformed, "malformed line", "malformed lines"),
            (self.skipped(), "skipped", "skipped"),
            (self.unfinished, "not finished", "not finished"),
        ] {
            if count > 0 {
                write!(f, ", {}", plural(count, one, many))?;
            }
        }
        writeln!(f)?;
        if let Some(why) = self.stopped {
            write!(f, "  stopped early: {why}")?;
            if self.can_resume {
                write!(f, "; run the same command again to resume")?;
            }
            writeln!(f)?;
        }
        if self.unfinished > 0 && !self.unfinished_hosts.is_empty() {
            let waits = self.host_waits;
            waits.write_unfinished(f, self.unfinished, &self.unfinished_hosts)?;
        }
        self.write_skipped(f)
    }

    fn write_skipped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.duplicates > 0 {
            let urls = plural(self.duplicates, "duplicate", "duplicates");
            writeln!(f, "  skipped   {urls}")?;
        }
        if self.disallowed > 0 {
            let urls = plural(self.disallowed, "URL", "URLs");
            writeln!(
                f,
                "  skipped   {urls}: disallowed by robots.txt, or it could not be fetched"
            )?;
        }
        if self.existing > 0 {
            let urls = plural(self.existing, "URL: file exists", "URLs: files exist");
            writeln!(f, "  skipped   {urls}")?;
        }
        let (completed, failed) = self.completed_before;
        if completed == 0 {
            return Ok(());
        }
        let urls = plural(completed, "URL", "URLs");
        write!(f, "  skipped   {urls}: completed by an earlier run")?;
        if failed > 0 {
            write!(
                f,
                ", {failed} with a failure: --retry-failed fetches failures again"
            )?;
        }
        writeln!(f)
    }

    fn write_traffic(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.stats;
        writeln!(
            f,
            "  sent      {}, {}, {}",
            plural(stats.attempts(), "request", "requests"),
            plural(stats.retries(), "retry", "retries"),
            plural(stats.redirects(), "redirect", "redirects"),
        )?;
        let engine = &self.engine;
        if engine.tokens_acquired > 0 {
            let tokens = plural(engine.tokens_acquired, "token acquired", "tokens acquired");
            let again = plural(engine.auth_retries, "request", "requests");
            writeln!(f, "  auth      {tokens}, {again} sent again after a 401")?;
        }
        writeln!(
            f,
            "  received  {}, decoded {}",
            ByteSize(self.tally.wire_bytes),
            ByteSize(stats.bytes())
        )
    }

    fn write_times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("time", &self.tally.times),
            ("1st byte", self.stats.first_byte()),
        ];
        for (name, times) in rows.into_iter().filter(|(_, times)| times.count() > 0) {
            let s = times.summary();
            let (p50, p90, p99, max) = (
                ShortDuration(s.p50),
                ShortDuration(s.p90),
                ShortDuration(s.p99),
                ShortDuration(s.max),
            );
            writeln!(f, "  {name:<9} p50 {p50}, p90 {p90}, p99 {p99}, max {max}")?;
        }
        Ok(())
    }

    fn write_errors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = self.tally.errors.groups();
        if !groups.is_empty() {
            writeln!(f, "  failures, each with an example and a suggested fix:")?;
        }
        for ((outcome, error), group) in groups {
            let example = group.first.first().map_or("", |example| &example.url);
            let (count, example) = (group.count, sanitize(example.as_bytes()));
            writeln!(f, "    {count:>7}  {error:<12} {example}")?;
            if let Some(fix) = suggested_fix(outcome, error) {
                writeln!(f, "    {:7}  {:12} {fix}", "", "")?;
            }
        }
        Ok(())
    }

    fn write_hosts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = &self.tally.hosts;
        if hosts.len() < 2 {
            return Ok(());
        }
        write!(f, "  slowest   ")?;
        for (i, (name, host)) in hosts.slowest(TOP).iter().enumerate() {
            write!(
                f,
                "{}{} {}",
                if i == 0 { "" } else { ", " },
                sanitize(name.as_bytes()),
                ShortDuration(host.mean())
            )?;
        }
        writeln!(f, " (mean)")?;
        let failing = hosts.failing(TOP);
        if !failing.is_empty() {
            write!(f, "  failing   ")?;
            for (i, (name, host)) in failing.iter().enumerate() {
                let (failed, count) = (host.failed, host.count);
                write!(
                    f,
                    "{}{} {failed}/{count}",
                    if i == 0 { "" } else { ", " },
                    sanitize(name.as_bytes())
                )?;
            }
            writeln!(f)?;
        }
        let others = hosts.others().count;
        if others > 0 {
            let known = hosts.len();
            writeln!(
                f,
                "  (only the {known} busiest hosts are counted separately; {} at others)",
                plural(others, "URL", "URLs")
            )?;
        }
        Ok(())
    }
}

/// The suggested fix for a kind of failure.
pub(crate) fn suggested_fix(outcome: OutcomeKind, error: ErrorType) -> Option<&'static str> {
    Some(match (outcome, error) {
        (_, ErrorType::Status(401 | 403 | 407)) => {
            "log in with -u USER:PASSWORD or -H 'Authorization: …'"
        }
        (OutcomeKind::Auth, _) => {
            "the warnings say why there is no token; see docs/auth.md, and fetch-all policy check FILE"
        }
        (_, ErrorType::Status(404 | 410)) => "check these URLs: the server has no such resource",
        (_, ErrorType::Status(429)) => "send fewer requests: --host-rate 1/s, --per-host 1",
        (_, ErrorType::Status(500..)) => "a server error: try again later, or raise --retry",
        (_, ErrorType::Name("redirect")) => "fetch the final URL, or raise --max-redirs",
        (_, ErrorType::Name("exhausted")) => {
            "raise the limit on open files (ulimit -n), or lower -j"
        }
        (_, ErrorType::Name("proxy_refused")) => {
            "check user name and password of the proxy, and what it allows"
        }
        (_, ErrorType::Name("private_address")) => {
            "--no-private-addresses forbids these: allow an address with --resolve"
        }
        (OutcomeKind::Unanswered, _) => {
            "the server may have done these: check there, then send the rest again or use \
             --retry-on unanswered"
        }
        (OutcomeKind::Connect, _) => "check that the server is running and reachable",
        (OutcomeKind::Dns, _) => "check the host name, and the DNS of this machine",
        (OutcomeKind::Io, ErrorType::Name("save")) => "free disk space, or save bodies elsewhere",
        (OutcomeKind::Checksum, _) => {
            "the file has changed, or the list is wrong: compare with its source"
        }
        (OutcomeKind::Io, _) => {
            "the connection was closed early: try again later, or lower -j and --per-host"
        }
        (_, ErrorType::Name("protocol")) => {
            "the response is not valid HTTP: check scheme and port, or use -vv"
        }
        (OutcomeKind::Timeout, _) => "allow more time with -m SECONDS or --timeout PATTERN=SECONDS",
        (OutcomeKind::Tls, _) => {
            "check the server's certificate, or trust its authority with --cacert FILE"
        }
        (OutcomeKind::TooLarge, _) => "raise --max-filesize",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use fetch_proto::{FetchSample, SampleEnd};

    use super::*;
    use crate::outcome::errors::ErrorExample;
    use crate::outcome::hosts::HostTally;
    use crate::outcome::tally::EndCounts;

    #[test]
    fn the_summary_has_counts_and_fixes() {
        let mut stats = BatchStats::default();
        stats.record(&FetchSample::new(
            SampleEnd::Status(200),
            Duration::from_millis(20),
        ));
        stats.record(&FetchSample::new(
            SampleEnd::Status(404),
            Duration::from_millis(20),
        ));
        let ends = EndCounts {
            failed: 0,
            http_errors: 1,
            ok: 1,
        };
        let mut tally = RunTally {
            ends,
            wire_bytes: 2048,
            ..RunTally::default()
        };
        let errors = &mut tally.errors;
        errors.record(OutcomeKind::HttpError, ErrorType::Status(404), || {
            ErrorExample {
                url: "http://a.test/x".to_owned(),
                ..ErrorExample::default()
            }
        });
        for (name, seconds, failed) in [("a.test", 1, true), ("b.test", 2, false)] {
            let fetch = HostTally::of_fetch(Duration::from_secs(seconds), failed, 0);
            tally.hosts.record(name, &fetch);
        }
        let mut engine = EngineStats::default();
        (engine.tokens_acquired, engine.auth_retries) = (2, 1);
        let summary = RunSummary {
            cache: None,
            engine,
            can_resume: true,
            completed_before: (7, 2),
            disallowed: 0,
            duplicates: 0,
            elapsed: Duration::from_secs(1),
            long_downloads: &LongDownloads::default(),
            malformed: 1,
            redirects: &RedirectNotes::default(),
            existing: 1,
            host_waits: &HostWaits::default(),
            stats: &stats,
            stopped: Some("Ctrl-C"),
            tally: &tally,
            unfinished: 3,
            unfinished_hosts: vec![("http://a.test".into(), 3)],
        };
        let text = summary.to_string();
        for part in [
            "14 URLs in 1 s (2/s): 1 ok, 1 HTTP error, 1 malformed line, 8 skipped, 3 not finished\n",
            "stopped early: Ctrl-C; run the same command again to resume\n",
            "no record 3 URLs: a.test 3 (queued or in flight)\n",
            "skipped   1 URL: file exists\n",
            "skipped   7 URLs: completed by an earlier run, 2 with a failure: --retry-failed",
            "auth      2 tokens acquired, 1 request sent again after a 401\n",
            "received  2.0 KiB",
            "1  404          http://a.test/x",
            "check these URLs",
            "slowest   b.test 2 s, a.test 1 s (mean)",
            "failing   a.test 1/1",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}
