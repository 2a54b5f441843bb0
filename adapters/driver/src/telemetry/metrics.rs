//! Metrics for the `metrics` ecosystem, with OpenTelemetry's names. Without the feature `metrics`, all
//! functions do nothing.

#[cfg(feature = "metrics")]
pub(crate) use on::FetchMetrics;

#[cfg(not(feature = "metrics"))]
pub(crate) use off::FetchMetrics;

#[cfg(not(feature = "metrics"))]
mod off {
    use fetch_proto::{EngineStats, Method, Timestamp, WaitingHost};

    use crate::model::outcome::Outcome;

    pub(crate) struct FetchMetrics;

    impl FetchMetrics {
        pub(crate) fn new() -> Self {
            Self
        }

        #[expect(
            clippy::needless_pass_by_ref_mut,
            clippy::unused_self,
            reason = "the same signature with the feature"
        )]
        pub(crate) fn record_outcome(&mut self, _: &Method, _: &Outcome) {}

        #[expect(
            clippy::needless_pass_by_ref_mut,
            clippy::unused_self,
            reason = "the same signature with the feature"
        )]
        pub(crate) fn record_stats(&mut self, _: &EngineStats) {}

        #[expect(
            clippy::needless_pass_by_ref_mut,
            clippy::unused_self,
            reason = "the same signature with the feature"
        )]
        pub(crate) fn record_waiting_hosts(
            &mut self,
            _: &EngineStats,
            _: impl FnOnce() -> Timestamp,
            _: impl FnOnce(Timestamp) -> Vec<WaitingHost>,
        ) {
        }
    }
}

#[cfg(feature = "metrics")]
mod on {
    use std::time::Duration;

    use fetch_proto::WaitingHost;
    use fetch_proto::{AttemptEnd, AttemptReport, EngineStats, GiveUpReason, Method, Timestamp};
    use hashbrown::HashMap;
    use metrics::{Counter, Gauge, Histogram, Unit};

    use crate::model::outcome::Outcome;
    use crate::telemetry::waiting_hosts::{WaitingHostMetrics, add_change};

    /// The most hosts with a separate label. All further hosts have the label `other`.
    const MAX_HOSTS: usize = 100;

    /// The most histograms, one per combination of labels, that are cached.
    const MAX_CACHED_HISTOGRAMS: usize = 10_000;

    /// The metrics of one driver. Registered handles are cached, so that recording needs no lookup by
    /// name.
    pub(crate) struct FetchMetrics {
        attempts: HashMap<AttemptLabels, Histogram>,
        auth_retries: Counter,
        /// The statistics that were recorded last.
        before: EngineStats,
        circuits: [Counter; 2],
        duration: HashMap<&'static str, Histogram>,
        hosts: HashMap<String, u32>,
        in_flight: Gauge,
        live: Gauge,
        queued: Histogram,
        received: Counter,
        redirects: Counter,
        retries: Counter,
        shared: Counter,
        tokens: Counter,
        waiting: [Gauge; 3],
        waiting_hosts: WaitingHostMetrics,
    }

    #[derive(Clone, Debug, Eq, Hash, PartialEq)]
    struct AttemptLabels {
        /// The host's number, or `MAX_HOSTS` for all further hosts.
        host: u32,
        method: Method,
        result: Result<u16, &'static str>,
    }

    impl FetchMetrics {
        pub(crate) fn new() -> Self {
            describe();
            Self {
                attempts: HashMap::new(),
                auth_retries: metrics::counter!("fetch.auth_retries"),
                before: EngineStats::default(),
                circuits: [
                    metrics::counter!("fetch.circuits.closed"),
                    metrics::counter!("fetch.circuits.opened"),
                ],
                duration: HashMap::new(),
                hosts: HashMap::new(),
                in_flight: metrics::gauge!("http.client.active_requests"),
                live: metrics::gauge!("fetch.live"),
                queued: metrics::histogram!("fetch.queue.duration"),
                received: metrics::counter!("fetch.received"),
                redirects: metrics::counter!("fetch.redirects"),
                retries: metrics::counter!("fetch.retries"),
                shared: metrics::counter!("fetch.shared"),
                tokens: metrics::counter!("fetch.tokens.acquired"),
                waiting: [
                    metrics::gauge!("fetch.hosts.down"),
                    metrics::gauge!("fetch.hosts.given_up"),
                    metrics::gauge!("fetch.waiting"),
                ],
                waiting_hosts: WaitingHostMetrics::default(),
            }
        }

        /// Records an outcome and its attempts.
        pub(crate) fn record_outcome(&mut self, method: &Method, outcome: &Outcome) {
            for attempt in &outcome.attempts {
                self.record_attempt(method, attempt);
            }
            let result = match &outcome.result {
                Ok(response) if response.status.as_u16() < 400 => "ok",
                Ok(_) => "http_error",
                Err(error) => error.kind().as_str(),
            };
            let new = || metrics::histogram!("fetch.duration", "outcome" => result);
            let duration = self.duration.entry(result).or_insert_with(new);
            duration.record(outcome.duration());
            self.queued.record(outcome.timings.queued);
            if let Some(reason) = outcome.gave_up {
                metrics::counter!("fetch.gave_up", "reason" => gave_up_reason(reason)).increment(1);
            }
            self.received.increment(outcome.wire_bytes);
        }

        fn record_attempt(&mut self, method: &Method, attempt: &AttemptReport) {
            let result = match attempt.end {
                AttemptEnd::Abandoned => Err("abandoned"),
                AttemptEnd::BodyTooLarge => Err("body_too_large"),
                AttemptEnd::Cancelled => Err("cancelled"),
                AttemptEnd::Failed(failure) => Err(failure.as_str()),
                AttemptEnd::TimedOut(_) => Err("timeout"),
                _ => attempt.status.ok_or("unknown"),
            };
            let took: Duration = attempt
                .timings
                .ended
                .saturating_since(attempt.timings.started);
            let host = self.host_number(&attempt.url);
            let labels = AttemptLabels {
                host,
                method: method.clone(),
                result,
            };
            if let Some(histogram) = self.attempts.get(&labels) {
                return histogram.record(took);
            }
            let histogram = register_histogram(&labels, &attempt.url);
            histogram.record(took);
            if self.attempts.len() < MAX_CACHED_HISTOGRAMS {
                self.attempts.insert(labels, histogram);
            }
        }

        /// The number of the URL's host, assigned when the host occurs first.
        fn host_number(&mut self, url: &url::Url) -> u32 {
            let name = url.host_str().unwrap_or_default();
            if let Some(number) = self.hosts.get(name) {
                return *number;
            }
            let number = self.hosts.len() as u32;
            if self.hosts.len() < MAX_HOSTS {
                self.hosts.insert(name.to_owned(), number);
            }
            number
        }

        /// Records how the engine's statistics have changed.
        pub(crate) fn record_stats(&mut self, stats: &EngineStats) {
            let before = std::mem::replace(&mut self.before, *stats);
            add_change(&self.in_flight, before.in_flight, stats.in_flight);
            add_change(&self.live, before.live, stats.live);
            let waiting = |stats: &EngineStats| {
                [
                    stats.hosts_down,
                    stats.hosts_given_up,
                    stats.waiting_for_hosts,
                ]
            };
            for (gauge, (old, new)) in self
                .waiting
                .iter()
                .zip(waiting(&before).into_iter().zip(waiting(stats)))
            {
                add_change(gauge, old, new);
            }
            for (counter, new, old) in [
                (
                    &self.circuits[0],
                    stats.circuits_closed,
                    before.circuits_closed,
                ),
                (
                    &self.circuits[1],
                    stats.circuits_opened,
                    before.circuits_opened,
                ),
                (&self.auth_retries, stats.auth_retries, before.auth_retries),
                (&self.redirects, stats.redirects, before.redirects),
                (&self.retries, stats.retries, before.retries),
                (&self.shared, stats.shared, before.shared),
                (&self.tokens, stats.tokens_acquired, before.tokens_acquired),
            ] {
                if new > old {
                    counter.increment(new - old);
                }
            }
        }

        /// Records the hosts that are waited for, if that is due.
        pub(crate) fn record_waiting_hosts(
            &mut self,
            stats: &EngineStats,
            now: impl FnOnce() -> Timestamp,
            hosts: impl FnOnce(Timestamp) -> Vec<WaitingHost>,
        ) {
            let now = now();
            if self.waiting_hosts.is_due(stats, now) {
                self.waiting_hosts.record(&hosts(now));
            }
        }
    }

    /// The label for why a failure was not retried again.
    fn gave_up_reason(reason: GiveUpReason) -> &'static str {
        match reason {
            GiveUpReason::Attempts => "attempts",
            GiveUpReason::BodyNotReplayable => "body_not_replayable",
            GiveUpReason::Budget => "budget",
            GiveUpReason::CircuitOpen => "circuit_open",
            GiveUpReason::Committed => "committed",
            GiveUpReason::HostDown => "host_down",
            GiveUpReason::NotIdempotent => "not_idempotent",
            GiveUpReason::RetryAfterTooLong => "retry_after_too_long",
            GiveUpReason::TotalTimeout => "total_timeout",
            _ => "other",
        }
    }

    fn register_histogram(labels: &AttemptLabels, url: &url::Url) -> Histogram {
        let host = match labels.host as usize {
            ..MAX_HOSTS => url.host_str().unwrap_or_default().to_owned(),
            _ => "other".to_owned(),
        };
        let (name, value) = match labels.result {
            Ok(status) => ("http.response.status_code", status.to_string()),
            Err(kind) => ("error.type", kind.to_owned()),
        };
        let method = labels.method.as_str().to_owned();
        metrics::histogram!(
            "http.client.request.duration",
            "http.request.method" => method,
            "server.address" => host,
            name => value
        )
    }

    impl Drop for FetchMetrics {
        fn drop(&mut self) {
            // A dropped driver has nothing in flight any more.
            self.record_stats(&EngineStats::default());
            self.waiting_hosts.record(&[]);
        }
    }

    fn describe() {
        use metrics::{describe_counter, describe_gauge, describe_histogram};
        describe_histogram!(
            "http.client.request.duration",
            Unit::Seconds,
            "Duration of each attempt"
        );
        describe_histogram!(
            "fetch.duration",
            Unit::Seconds,
            "Duration of fetches, retries and waits included"
        );
        describe_histogram!(
            "fetch.queue.duration",
            Unit::Seconds,
            "Time that fetches waited in the queue"
        );
        describe_gauge!("http.client.active_requests", "Requests in flight");
        describe_gauge!("fetch.live", "Fetches that have not ended");
        describe_gauge!("fetch.hosts.down", "Hosts that are down and waited for");
        describe_gauge!(
            "fetch.hosts.given_up",
            "Hosts that are down and were given up"
        );
        describe_gauge!("fetch.waiting", "Fetches that wait for hosts that are down");
        describe_gauge!(
            "fetch.hosts.waiting",
            "Hosts that are waited for or were given up, by reason"
        );
        describe_counter!(
            "fetch.received",
            Unit::Bytes,
            "Bytes of bodies received, before decoding"
        );
        describe_counter!("fetch.retries", "Retries");
        describe_counter!("fetch.redirects", "Redirects followed");
        describe_counter!(
            "fetch.shared",
            "Fetches that shared the response of an identical request"
        );
        describe_counter!(
            "fetch.auth_retries",
            "Requests that were sent again because a server refused their token"
        );
        describe_counter!("fetch.tokens.acquired", "Tokens that were acquired");
        describe_counter!("fetch.circuits.closed", "Circuit breakers closed again");
        describe_counter!(
            "fetch.gave_up",
            "Failed fetches that were not retried again"
        );
        describe_counter!("fetch.circuits.opened", "Circuit breakers opened");
    }
}
