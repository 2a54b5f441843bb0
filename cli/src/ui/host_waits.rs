//! Hosts that are down, paused or limit the rate of requests, in the progress line and in the summary.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use fetch_proto::{EngineStats, WaitReason, WaitingHost};

use crate::display::{ShortDuration, plural, sanitize};

/// The most hosts that are remembered.
const MAX_HOSTS: usize = 10_000;

/// The most hosts that the progress line names.
const MAX_IN_PROGRESS: usize = 2;

/// The time between two updates, unless a host goes down or comes back.
const INTERVAL: Duration = Duration::from_secs(1);

/// A host that is waited for, or was given up. Times are since the start of the run.
#[derive(Clone, Debug)]
pub(crate) struct HostWait {
    origin: Box<str>,
    reason: WaitReason,
    since: Duration,
}

impl HostWait {
    pub(crate) fn new(host: &WaitingHost) -> Self {
        Self {
            origin: host.host.clone(),
            reason: host.reason,
            since: host.since.since_start(),
        }
    }

    fn is_given_up(&self) -> bool {
        matches!(self.reason, WaitReason::GivenUp { .. })
    }

    /// The text for people, for example "down for 12 s".
    fn state(&self, now: Duration) -> String {
        let time = now.saturating_sub(self.since).as_secs();
        match self.reason {
            WaitReason::GivenUp { .. } => "given up".to_owned(),
            WaitReason::Pause => format!("paused by the server for {time} s"),
            WaitReason::RateLimit { interval } => {
                let rate = format_rate(interval);
                format!("limits the rate of requests: {rate} for {time} s")
            }
            _ => format!("down for {time} s"),
        }
    }

    /// Its state, with the latest failure.
    fn state_and_cause(&self, now: Duration) -> String {
        let state = self.state(now);
        match self.reason {
            WaitReason::GivenUp { cause } | WaitReason::Outage { cause } => {
                format!("{state}: {cause}")
            }
            _ => state,
        }
    }
}

/// How many requests per second start if one starts in each interval.
fn format_rate(interval: Duration) -> String {
    let rate = 1.0 / interval.as_secs_f64().max(1e-9);
    if rate < 10.0 {
        format!("{rate:.1}/s")
    } else {
        format!("{rate:.0}/s")
    }
}

/// Why a host was waited for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum WaitKind {
    Outage,
    Pause,
    RateLimit,
}

impl WaitKind {
    const fn new(reason: WaitReason) -> Self {
        match reason {
            WaitReason::Pause => Self::Pause,
            WaitReason::RateLimit { .. } => Self::RateLimit,
            _ => Self::Outage,
        }
    }
}

impl fmt::Display for WaitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outage => "down",
            Self::Pause => "paused by the server",
            Self::RateLimit => "rate limit",
        })
    }
}

/// How long a host was waited for, for one reason.
#[derive(Clone, Copy, Debug, Default)]
struct WaitTotal {
    /// The time of earlier waits.
    before: Duration,
    is_given_up: bool,
    since: Duration,
    /// When the latest wait was last observed.
    until: Duration,
}

impl WaitTotal {
    fn time(&self) -> Duration {
        self.before + self.until.saturating_sub(self.since)
    }
}

/// The hosts that are waited for, and how long each was in the whole run.
#[derive(Debug, Default)]
pub(crate) struct HostWaits {
    current: Vec<HostWait>,
    /// How many hosts were down and given up at the last update.
    down: (usize, usize),
    totals: BTreeMap<(Box<str>, WaitKind), WaitTotal>,
    updated: Duration,
}

impl HostWaits {
    /// The most hosts that a line of the summary names.
    pub(crate) const NAMED: usize = 5;

    /// Whether an update is due.
    pub(crate) fn is_due(&mut self, now: Duration, stats: &EngineStats) -> bool {
        let down = (stats.hosts_down, stats.hosts_given_up);
        std::mem::replace(&mut self.down, down) != down || now >= self.updated + INTERVAL
    }

    pub(crate) fn update(&mut self, hosts: impl Iterator<Item = HostWait>, now: Duration) {
        self.updated = now;
        self.current = hosts.collect();
        // Several threads may know the same host.
        self.current.dedup_by(|a, b| a.origin == b.origin);
        for host in &self.current {
            let key = (host.origin.clone(), WaitKind::new(host.reason));
            if self.totals.len() >= MAX_HOSTS && !self.totals.contains_key(&key) {
                continue;
            }
            let total = self.totals.entry(key).or_default();
            if total.since != host.since {
                total.before = total.time();
                total.since = host.since;
                total.until = now;
            }
            if !total.is_given_up || !host.is_given_up() {
                total.until = now;
            }
            total.is_given_up = host.is_given_up();
        }
    }

    /// The hosts that are waited for, as the end of the progress line. Empty if there are none.
    pub(crate) fn progress_text(&self, now: Duration) -> String {
        let waits = self.current.iter().filter(|host| !host.is_given_up());
        let count = waits.clone().count();
        if count == 0 {
            return String::new();
        }
        let hosts = plural(count as u64, "host waits", "hosts wait");
        let named = waits.take(MAX_IN_PROGRESS);
        let named = named.map(|host| format!("{} ({})", name(&host.origin), host.state(now)));
        format!(" · {hosts}: {}", list(named, count))
    }

    /// The lines of the summary with the hosts that were waited for and given up.
    pub(crate) fn write_totals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, verb, is_given_up) in [("waited", "for ", false), ("given up", "", true)] {
            let totals = self.totals(is_given_up);
            if totals.is_empty() {
                continue;
            }
            let different: BTreeSet<_> = totals.iter().map(|(origin, ..)| origin).collect();
            let hosts = plural(different.len() as u64, "host", "hosts");
            let named = totals.iter().take(Self::NAMED).map(|(origin, kind, time)| {
                let (name, time) = (name(origin), ShortDuration(*time));
                match is_given_up {
                    true => format!("{name} {time}"),
                    false => format!("{name} {time} ({kind})"),
                }
            });
            let named = list(named, totals.len());
            writeln!(f, "  {title:<9} {verb}{hosts}: {named}")?;
        }
        Ok(())
    }

    /// The hosts that were given up, or the others that were waited for, with reason and time, the longest
    /// first.
    pub(crate) fn totals(&self, is_given_up: bool) -> Vec<(&str, WaitKind, Duration)> {
        let totals = self.totals.iter();
        let totals = totals.filter(|(_, total)| total.is_given_up == is_given_up);
        let totals = totals.map(|((origin, kind), total)| (&**origin, *kind, total.time()));
        let mut totals: Vec<_> = totals.collect();
        totals.sort_by_key(|(_, _, time)| std::cmp::Reverse(*time));
        totals
    }

    /// Why URLs of the host, given by its origin, have no record.
    pub(crate) fn reason(&self, origin: &str) -> String {
        let wait = self.current.iter().find(|wait| *wait.origin == *origin);
        wait.map_or_else(
            || "queued or in flight".to_owned(),
            |wait| wait.state_and_cause(self.updated),
        )
    }

    /// The line of the summary with the URLs that have no record: the number of all, and the hosts
    /// with the most.
    pub(crate) fn write_unfinished(
        &self,
        f: &mut fmt::Formatter<'_>,
        count: u64,
        hosts: &[(Box<str>, u64)],
    ) -> fmt::Result {
        let hosts = &hosts[..hosts.len().min(Self::NAMED)];
        let named: u64 = hosts.iter().map(|(_, count)| count).sum();
        let texts = hosts
            .iter()
            .map(|(origin, count)| format!("{} {count} ({})", name(origin), self.reason(origin)));
        let is_complete = named >= count;
        let texts = list(texts, hosts.len() + usize::from(!is_complete));
        let urls = plural(count, "URL", "URLs");
        writeln!(f, "  no record {urls}: {texts}")
    }
}

/// Host and port, without the scheme.
fn name(origin: &str) -> String {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    sanitize(host.as_bytes())
}

/// The texts with commas, and an ellipsis if there are fewer than `count`.
fn list(texts: impl Iterator<Item = String>, count: usize) -> String {
    let texts: Vec<_> = texts.collect();
    let more = if texts.len() < count { ", …" } else { "" };
    format!("{}{more}", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use fetch_proto::{FailureCause, FailureKind};

    use super::*;

    const CAUSE: FailureCause = FailureCause::Failure(FailureKind::Connect);

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn wait(origin: &str, reason: WaitReason, since: u64) -> HostWait {
        HostWait {
            origin: origin.into(),
            reason,
            since: seconds(since),
        }
    }

    struct Totals<'a>(&'a HostWaits);

    impl fmt::Display for Totals<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.write_totals(f)
        }
    }

    #[test]
    fn waits_are_named_while_they_last_and_added_up_at_the_end() {
        let mut waits = HostWaits::default();
        assert_eq!(waits.progress_text(seconds(1)), "");
        let down = |since| wait("http://a.test", WaitReason::Outage { cause: CAUSE }, since);
        let paused = wait("https://b.test:8443", WaitReason::Pause, 8);
        waits.update([down(2), paused].into_iter(), seconds(10));
        assert_eq!(
            waits.progress_text(seconds(14)),
            " · 2 hosts wait: a.test (down for 12 s), b.test:8443 (paused by the server for 6 s)"
        );
        waits.update([down(20)].into_iter(), seconds(24));
        let given_up = wait("http://c.test", WaitReason::GivenUp { cause: CAUSE }, 25);
        for now in [30, 40] {
            waits.update([given_up.clone()].into_iter(), seconds(now));
            assert_eq!(waits.progress_text(seconds(now)), "");
        }
        let interval = Duration::from_millis(5);
        let limits = wait("http://d.test", WaitReason::RateLimit { interval }, 41);
        for now in [41, 48] {
            waits.update([limits.clone()].into_iter(), seconds(now));
        }
        assert_eq!(
            waits.progress_text(seconds(48)),
            " · 1 host waits: d.test (limits the rate of requests: 200/s for 7 s)"
        );
        assert_eq!(
            Totals(&waits).to_string(),
            "  waited    for 3 hosts: a.test 12 s (down), d.test 7 s (rate limit), \
             b.test:8443 2 s (paused by the server)\n  given up  1 host: c.test 5 s\n"
        );
    }
}
