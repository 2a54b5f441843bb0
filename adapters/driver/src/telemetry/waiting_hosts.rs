//! A gauge per host that is waited for, with a bounded number of labels.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fetch_proto::{EngineStats, Timestamp, WaitReason, WaitingHost};
use metrics::Gauge;

/// The most hosts with a separate label at one time. All further hosts have the label `other`.
const MAX_HOSTS: usize = 10;

/// The most hosts with a separate label over the life of a driver, because a recorder keeps every
/// label that it has seen.
const MAX_NAMES: usize = 100;

/// The time between two lists of the engine's hosts.
const INTERVAL: Duration = Duration::from_secs(2);

/// The gauge `fetch.hosts.waiting`: 1 for a host with a separate label, the number of hosts for
/// `other`.
#[derive(Debug, Default)]
pub(crate) struct WaitingHostMetrics {
    /// The numbers of hosts down and given up when the gauge was recorded last.
    down: (usize, usize),
    names: BTreeSet<String>,
    recorded_at: Option<Timestamp>,
    /// The values that were recorded last, by host and reason.
    values: BTreeMap<(String, &'static str), usize>,
}

impl WaitingHostMetrics {
    /// Whether the gauge is to be recorded now: at once if a host went down or came back, else every
    /// two seconds, because pauses are not counted in the statistics.
    pub(crate) fn is_due(&mut self, stats: &EngineStats, now: Timestamp) -> bool {
        let down = (stats.hosts_down, stats.hosts_given_up);
        let is_over = stats.live == 0 && !self.values.is_empty();
        let is_late = || {
            let last = self.recorded_at.unwrap_or(Timestamp::START);
            stats.live > 0 && now.saturating_since(last) >= INTERVAL
        };
        let is_due = down != self.down || is_over || is_late();
        if is_due {
            self.down = down;
            self.recorded_at = Some(now);
        }
        is_due
    }

    pub(crate) fn record(&mut self, hosts: &[WaitingHost]) {
        let mut hosts: Vec<_> = hosts.iter().collect();
        hosts.sort_by_key(|host| {
            (
                matches!(host.reason, WaitReason::GivenUp { .. }),
                host.since,
            )
        });
        let mut values = BTreeMap::new();
        for (n, host) in hosts.into_iter().enumerate() {
            let label = self.label(&host.host, n);
            *values
                .entry((label, reason_label(host.reason)))
                .or_default() += 1;
        }
        let before = std::mem::replace(&mut self.values, values);
        let keys: BTreeSet<_> = before.keys().chain(self.values.keys()).collect();
        for key in keys {
            let value = |values: &BTreeMap<_, usize>| values.get(key).copied().unwrap_or(0);
            let gauge = metrics::gauge!(
                "fetch.hosts.waiting",
                "server.address" => key.0.clone(),
                "reason" => key.1
            );
            add_change(&gauge, value(&before), value(&self.values));
        }
    }

    /// The label of the host that waits longest but `n`.
    fn label(&mut self, origin: &str, n: usize) -> String {
        let url = url::Url::parse(origin).ok();
        let name = url.as_ref().and_then(url::Url::host_str).unwrap_or(origin);
        let has_name = self.names.contains(name) || self.names.len() < MAX_NAMES;
        if n >= MAX_HOSTS || !has_name {
            return "other".to_owned();
        }
        self.names.insert(name.to_owned());
        name.to_owned()
    }
}

fn reason_label(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::GivenUp { .. } => "given_up",
        WaitReason::Outage { .. } => "outage",
        WaitReason::Pause => "pause",
        WaitReason::RateLimit { .. } => "rate_limit",
        _ => "other",
    }
}

/// Adds the difference, because all drivers of a process share the gauge.
pub(crate) fn add_change(gauge: &Gauge, before: usize, now: usize) {
    match now >= before {
        true => gauge.increment((now - before) as f64),
        false => gauge.decrement((before - now) as f64),
    }
}

#[cfg(test)]
mod tests {
    use fetch_proto::{Breaker, Engine, EngineConfig, EngineOutput, FailureKind, FetchRequest};
    use fetch_proto::{Input, OutageWait};
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::*;

    /// An engine of which `count` hosts are down.
    fn engine_with_outages(count: usize, now: Timestamp) -> Engine {
        let config = EngineConfig::default()
            .breaker(Breaker::FOR_OUTAGES.consecutive(1))
            .wait_for_outages(OutageWait::default());
        let mut engine = Engine::new(config, 7, now);
        for n in 0..count {
            let url = format!("http://h{n}.test:8080/").parse().unwrap();
            engine.submit(FetchRequest::get(url), now).unwrap();
        }
        loop {
            match engine.poll(now) {
                EngineOutput::Idle(_) => return engine,
                EngineOutput::Start(attempt) => {
                    engine.handle(attempt.id, Input::End(Err(FailureKind::Connect)), now);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn ten_hosts_have_a_separate_label_and_all_are_cleared_at_the_end() {
        let now = Timestamp::START;
        let engine = engine_with_outages(13, now);
        let recorder = DebuggingRecorder::new();
        let snapshots = recorder.snapshotter();
        let values = || {
            let mut values = BTreeMap::new();
            for (key, _, _, value) in snapshots.snapshot().into_vec() {
                let labels: Vec<_> = key.key().labels().map(|label| label.value()).collect();
                let DebugValue::Gauge(value) = value else {
                    panic!("not a gauge: {value:?}");
                };
                values.insert(labels.join(" "), value.0 as u64);
            }
            values
        };
        metrics::with_local_recorder(&recorder, || {
            let mut metrics = WaitingHostMetrics::default();
            assert!(metrics.is_due(&engine.stats(), now));
            assert!(!metrics.is_due(&engine.stats(), now), "nothing has changed");
            metrics.record(&engine.waiting_hosts(now));
            let all = values();
            assert_eq!(all.len(), 11, "{all:?}");
            assert_eq!(all["other outage"], 3, "{all:?}");
            assert_eq!(all["h0.test outage"], 1, "{all:?}");
            metrics.record(&[]);
            assert!(values().values().all(|value| *value == 0));
        });
    }
}
