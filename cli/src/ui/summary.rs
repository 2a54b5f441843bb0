//! What is told at the end, on stderr.

use std::fmt;
use std::time::Duration;

use fetch_proto::BatchStats;

use crate::display::{Bytes, Time, plural, shown};
use crate::outcome::error_type::ErrorType;
use crate::outcome::tally::Tally;

/// So many hosts of each kind are listed.
const TOP: usize = 5;

/// All that the summary tells.
pub(crate) struct Summary<'a> {
    /// Not allowed by robots.txt.
    pub(crate) disallowed: u64,
    /// In the list before.
    pub(crate) duplicates: u64,
    pub(crate) elapsed: Duration,
    /// Not fetched, since their files are there.
    pub(crate) existing: u64,
    /// Whether the same command would go on where it stopped.
    pub(crate) go_on: bool,
    pub(crate) malformed: u64,
    /// Done already, and how many of these had failed.
    pub(crate) skipped: (u64, u64),
    pub(crate) stats: &'a BatchStats,
    /// Why it ended before all was fetched.
    pub(crate) stopped: Option<&'a str>,
    pub(crate) tally: &'a Tally,
    /// Fetched well, but their bodies were not kept.
    pub(crate) unkept: u64,
    /// URLs that were read but have no outcome.
    pub(crate) unfinished: u64,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts(f)?;
        self.costs(f)?;
        if self.count() > 0 {
            self.times(f)?;
        }
        self.problems(f)?;
        self.top_hosts(f)
    }
}

impl Summary<'_> {
    /// How many URLs ended. What was given up at a signal is not over, but unfinished.
    pub(crate) fn count(&self) -> u64 {
        self.stats.count() - self.stats.cancelled()
    }

    /// How many URLs ended well, with an HTTP error, and in any other way.
    pub(crate) fn parts(&self) -> (u64, u64, u64) {
        let ok = self.stats.succeeded().saturating_sub(self.unkept);
        let http = self.stats.http_errors();
        (ok, http, self.count() - ok - http)
    }

    fn counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ok, http, failed) = self.parts();
        let rate = self.count() as f64 / self.elapsed.as_secs_f64().max(1e-6);
        let urls = plural(self.count(), "URL", "URLs");
        write!(
            f,
            "fetch-all: {urls} in {} ({rate:.0}/s): {ok} ok",
            Time(self.elapsed)
        )?;
        for (count, one, many) in [
            (http, "HTTP error", "HTTP errors"),
            (failed, "failed", "failed"),
            (self.malformed, "malformed line", "malformed lines"),
        ] {
            if count > 0 {
                write!(f, ", {}", plural(count, one, many))?;
            }
        }
        writeln!(f)?;
        if let Some(why) = self.stopped {
            write!(f, "  stopped early: {why}")?;
            if self.unfinished > 0 {
                let urls = plural(
                    self.unfinished,
                    "URL that was read has",
                    "URLs that were read have",
                );
                write!(f, "; {urls} no record")?;
            }
            if self.go_on {
                write!(f, "; run the same command again to go on")?;
            }
            writeln!(f)?;
        }
        self.skipped(f)
    }

    fn skipped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.duplicates > 0 {
            let urls = plural(self.duplicates, "duplicate was", "duplicates were");
            writeln!(f, "  skipped   {urls} left out")?;
        }
        if self.disallowed > 0 {
            let urls = plural(self.disallowed, "URL is", "URLs are");
            writeln!(
                f,
                "  skipped   {urls} not allowed by robots.txt, or it could not be had"
            )?;
        }
        if self.existing > 0 {
            let urls = plural(self.existing, "URL has its file", "URLs have their files");
            writeln!(f, "  skipped   {urls} already")?;
        }
        let (skipped, failed) = self.skipped;
        if skipped == 0 {
            return Ok(());
        }
        let urls = plural(skipped, "URL was", "URLs were");
        write!(f, "  skipped   {urls} done already")?;
        if failed > 0 {
            write!(
                f,
                "; {failed} had failed: --retry-failed fetches such again"
            )?;
        }
        writeln!(f)
    }

    fn costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.stats;
        writeln!(
            f,
            "  sent      {}, {}, {}",
            plural(stats.attempts(), "request", "requests"),
            plural(stats.retries(), "retry", "retries"),
            plural(stats.redirects(), "redirect", "redirects"),
        )?;
        writeln!(
            f,
            "  received  {}, decoded {}",
            Bytes(self.tally.wire_bytes),
            Bytes(stats.bytes())
        )
    }

    fn times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("time", &self.tally.times),
            ("1st byte", self.stats.first_byte()),
        ];
        for (name, times) in rows.into_iter().filter(|(_, times)| times.count() > 0) {
            let s = times.summary();
            let (p50, p90, p99, max) = (Time(s.p50), Time(s.p90), Time(s.p99), Time(s.max));
            writeln!(f, "  {name:<9} p50 {p50}, p90 {p90}, p99 {p99}, max {max}")?;
        }
        Ok(())
    }

    fn problems(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.tally.errors.kinds();
        if !all.is_empty() {
            writeln!(f, "  not ok, with the first of each kind and what to do:")?;
        }
        for ((outcome, kind), seen) in all {
            let example = seen.first.first().map_or("", |example| &example.url);
            let (count, example) = (seen.count, shown(example.as_bytes()));
            writeln!(f, "    {count:>7}  {kind:<12} {example}")?;
            if let Some(advice) = advice(outcome, kind) {
                writeln!(f, "    {:7}  {:12} {advice}", "", "")?;
            }
        }
        Ok(())
    }

    fn top_hosts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
                shown(name.as_bytes()),
                Time(host.mean())
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
                    shown(name.as_bytes())
                )?;
            }
            writeln!(f)?;
        }
        let others = hosts.others().count;
        if others > 0 {
            let known = hosts.len();
            writeln!(
                f,
                "  (of the {known} hosts with the most; {others} URLs were at others)"
            )?;
        }
        Ok(())
    }
}

/// What a person can do about it.
pub(crate) fn advice(outcome: &str, kind: ErrorType) -> Option<&'static str> {
    Some(match (outcome, kind) {
        (_, ErrorType::Status(401 | 403 | 407)) => {
            "log in with -u USER:PASSWORD or -H 'Authorization: …'"
        }
        (_, ErrorType::Status(404 | 410)) => "check these URLs: the server does not know them",
        (_, ErrorType::Status(429)) => "ask less often: --host-rate 1/s, --per-host 1",
        (_, ErrorType::Status(500..)) => {
            "the server's trouble: try later, or more often with --retry N"
        }
        (_, ErrorType::Name("redirect")) => "fetch the final URL, or raise --max-redirs",
        (_, ErrorType::Name("exhausted")) => {
            "raise the limit on open files (ulimit -n), or lower -j"
        }
        ("connect", _) => "check that the server listens there, and that the network reaches it",
        ("dns", _) => "check the host's name, and this machine's DNS",
        ("io", ErrorType::Name("save")) => "make room, or keep bodies in another place",
        ("checksum", _) => "the file has changed, or the list is wrong: compare with its source",
        ("io", _) => "the server or the network cut it: try later, or lower -j and --per-host",
        (_, ErrorType::Name("protocol")) => {
            "no valid HTTP came back: check scheme and port, or look with -vv"
        }
        ("timeout", _) => "give it longer with -m SECONDS or --timeout PATTERN=SECONDS",
        ("tls", _) => "check the server's certificate, or trust its authority with --cacert FILE",
        ("too_large", _) => "raise --max-filesize if you want it",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use fetch_proto::{Ending, Sample};

    use super::*;
    use crate::outcome::errors::Example;
    use crate::outcome::hosts::Host;

    #[test]
    fn the_summary_counts_and_advises() {
        let mut stats = BatchStats::default();
        stats.record(&Sample::new(Ending::Status(200), Duration::from_millis(20)));
        stats.record(&Sample::new(Ending::Status(404), Duration::from_millis(20)));
        let mut tally = Tally {
            wire_bytes: 2048,
            ..Tally::default()
        };
        let errors = &mut tally.errors;
        errors.record("http_error", ErrorType::Status(404), || Example {
            url: "http://a.test/x".to_owned(),
            ..Example::default()
        });
        for (name, seconds, failed) in [("a.test", 1, true), ("b.test", 2, false)] {
            let fetch = Host::fetch(Duration::from_secs(seconds), failed, 0);
            tally.hosts.record(name, &fetch);
        }
        let summary = Summary {
            disallowed: 0,
            duplicates: 0,
            elapsed: Duration::from_secs(1),
            go_on: true,
            malformed: 1,
            existing: 1,
            unkept: 0,
            skipped: (7, 2),
            stats: &stats,
            stopped: Some("Ctrl-C"),
            tally: &tally,
            unfinished: 3,
        };
        let text = summary.to_string();
        for part in [
            "2 URLs in 1.00 s (2/s): 1 ok, 1 HTTP error, 1 malformed line\n",
            "stopped early: Ctrl-C; 3 URLs that were read have no record; run the same command again",
            "skipped   1 URL has its file already",
            "skipped   7 URLs were done already; 2 had failed: --retry-failed",
            "received  2.0 KiB",
            "1  404          http://a.test/x",
            "check these URLs",
            "slowest   b.test 2.00 s, a.test 1.00 s (mean)",
            "failing   a.test 1/1",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}
