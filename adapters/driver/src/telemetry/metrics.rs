//! Numbers for the `metrics` ecosystem, by OpenTelemetry's names; nothing without the feature `metrics`.

#[cfg(feature = "metrics")]
pub(crate) use on::Meter;

#[cfg(not(feature = "metrics"))]
pub(crate) use off::Meter;

#[cfg(not(feature = "metrics"))]
mod off {
    use fetch_proto::{Method, Stats};

    use crate::model::outcome::Outcome;

    pub(crate) struct Meter;

    impl Meter {
        pub(crate) fn new() -> Self {
            Self
        }

        #[expect(
            clippy::needless_pass_by_ref_mut,
            clippy::unused_self,
            reason = "as the other has it"
        )]
        pub(crate) fn ended(&mut self, _: &Method, _: &Outcome) {}

        #[expect(
            clippy::needless_pass_by_ref_mut,
            clippy::unused_self,
            reason = "as the other has it"
        )]
        pub(crate) fn stats(&mut self, _: &Stats) {}
    }
}

#[cfg(feature = "metrics")]
mod on {
    use std::time::Duration;

    use fetch_proto::{AttemptEnd, AttemptReport, GaveUp, Method, Stats};
    use hashbrown::HashMap;
    use metrics::{Counter, Gauge, Histogram, Unit};

    use crate::model::outcome::Outcome;

    /// So many hosts have a label of their own; those that come later are `other`.
    const MAX_HOSTS: usize = 100;

    /// So many combinations of labels are kept at hand.
    const MAX_HANDLES: usize = 10_000;

    /// What is measured. It keeps what it has registered at hand, so that counting takes no lookup by
    /// name.
    pub(crate) struct Meter {
        attempts: HashMap<Labels, Histogram>,
        before: Stats,
        circuits: [Counter; 2],
        duration: HashMap<&'static str, Histogram>,
        flying: Gauge,
        hosts: HashMap<String, u32>,
        live: Gauge,
        queued: Histogram,
        received: Counter,
        redirects: Counter,
        resent: Counter,
        shared: Counter,
    }

    #[derive(Clone, Debug, Eq, Hash, PartialEq)]
    struct Labels {
        /// The host's number; `MAX_HOSTS` is the others.
        host: u32,
        method: Method,
        result: Result<u16, &'static str>,
    }

    impl Meter {
        pub(crate) fn new() -> Self {
            describe();
            Self {
                attempts: HashMap::new(),
                before: Stats::default(),
                circuits: [
                    metrics::counter!("fetch.circuits.closed"),
                    metrics::counter!("fetch.circuits.opened"),
                ],
                duration: HashMap::new(),
                flying: metrics::gauge!("http.client.active_requests"),
                hosts: HashMap::new(),
                live: metrics::gauge!("fetch.live"),
                queued: metrics::histogram!("fetch.queue.duration"),
                received: metrics::counter!("fetch.received"),
                redirects: metrics::counter!("fetch.redirects"),
                resent: metrics::counter!("fetch.retries"),
                shared: metrics::counter!("fetch.shared"),
            }
        }

        /// A fetch has ended.
        pub(crate) fn ended(&mut self, method: &Method, outcome: &Outcome) {
            for attempt in &outcome.attempts {
                self.attempt(method, attempt);
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
            if let Some(why) = outcome.gave_up {
                metrics::counter!("fetch.gave_up", "reason" => reason(why)).increment(1);
            }
            self.received.increment(outcome.wire_bytes);
        }

        fn attempt(&mut self, method: &Method, attempt: &AttemptReport) {
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
            let host = self.host(&attempt.url);
            let labels = Labels {
                host,
                method: method.clone(),
                result,
            };
            if let Some(histogram) = self.attempts.get(&labels) {
                return histogram.record(took);
            }
            let histogram = register(&labels, &attempt.url);
            histogram.record(took);
            if self.attempts.len() < MAX_HANDLES {
                self.attempts.insert(labels, histogram);
            }
        }

        /// The host's number, if it has one or can have one.
        fn host(&mut self, url: &url::Url) -> u32 {
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

        /// How it stands with the engine.
        pub(crate) fn stats(&mut self, stats: &Stats) {
            let before = std::mem::replace(&mut self.before, *stats);
            change(&self.flying, before.flying, stats.flying);
            change(&self.live, before.live, stats.live);
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
                (&self.redirects, stats.redirects, before.redirects),
                (&self.resent, stats.retries, before.retries),
                (&self.shared, stats.shared, before.shared),
            ] {
                if new > old {
                    counter.increment(new - old);
                }
            }
        }
    }

    /// Why what was worth a retry had none: the budget, the breaker, and others.
    fn reason(why: GaveUp) -> &'static str {
        match why {
            GaveUp::Attempts => "attempts",
            GaveUp::BodyNotReplayable => "body_not_replayable",
            GaveUp::Budget => "budget",
            GaveUp::CircuitOpen => "circuit_open",
            GaveUp::Committed => "committed",
            GaveUp::NotIdempotent => "not_idempotent",
            GaveUp::RetryAfterTooLong => "retry_after_too_long",
            GaveUp::TotalTimeout => "total_timeout",
            _ => "other",
        }
    }

    fn register(labels: &Labels, url: &url::Url) -> Histogram {
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

    impl Drop for Meter {
        fn drop(&mut self) {
            // What a driver that is dropped at work had in flight is no more.
            self.stats(&Stats::default());
        }
    }

    /// Counts the difference: a gauge is one for all drivers of a process.
    fn change(gauge: &Gauge, before: usize, now: usize) {
        match now >= before {
            true => gauge.increment((now - before) as f64),
            false => gauge.decrement((before - now) as f64),
        }
    }

    fn describe() {
        use metrics::{describe_counter, describe_gauge, describe_histogram};
        describe_histogram!(
            "http.client.request.duration",
            Unit::Seconds,
            "How long requests took, each attempt by itself"
        );
        describe_histogram!(
            "fetch.duration",
            Unit::Seconds,
            "How long fetches took, retries and waits included"
        );
        describe_histogram!(
            "fetch.queue.duration",
            Unit::Seconds,
            "How long fetches waited for a place"
        );
        describe_gauge!("http.client.active_requests", "Requests in flight");
        describe_gauge!("fetch.live", "Fetches that are not over");
        describe_counter!(
            "fetch.received",
            Unit::Bytes,
            "Bodies as they came over the wire"
        );
        describe_counter!("fetch.retries", "Requests that were sent again");
        describe_counter!("fetch.redirects", "Redirects that were followed");
        describe_counter!(
            "fetch.shared",
            "Fetches that had the response to another's request"
        );
        describe_counter!(
            "fetch.circuits.closed",
            "How often a host's breaker closed again"
        );
        describe_counter!("fetch.gave_up", "Failed fetches that had no further retry");
        describe_counter!("fetch.circuits.opened", "How often a host's breaker opened");
    }
}
