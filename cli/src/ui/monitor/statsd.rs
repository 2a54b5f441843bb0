//! Metrics by UDP in the StatsD format, in names without tags, which every server supports.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use cadence::prelude::*;
use cadence::{BufferedUdpMetricSink, StatsdClient};

use crate::exit::CliError;
use crate::outcome::result::FetchResult;
use crate::ui::counts::ProgressCounts;

const PREFIX: &str = "fetch_all";

/// The interval of gauges and of flushes.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Sends metrics to one server. Errors are ignored, as usual with StatsD.
pub(crate) struct StatsdReporter {
    client: StatsdClient,
    sent: Instant,
}

impl StatsdReporter {
    /// Resolves the server.
    ///
    /// # Errors
    ///
    /// If the address is invalid.
    pub(crate) fn new(server: &str) -> Result<Self, CliError> {
        let open = || {
            let socket = UdpSocket::bind("0.0.0.0:0").or_else(|_| UdpSocket::bind("[::]:0"))?;
            socket.set_nonblocking(true)?;
            let sink = BufferedUdpMetricSink::from(server, socket);
            sink.map_err(std::io::Error::other)
        };
        let sink = open().map_err(|error| {
            CliError::usage(format!(
                "--statsd {server}: {error}: write HOST:PORT, such as 127.0.0.1:8125"
            ))
        })?;
        Ok(Self {
            client: StatsdClient::from_sink(PREFIX, sink),
            sent: Instant::now(),
        })
    }

    /// Sends the metrics of one fetch.
    pub(crate) fn record(&self, result: &FetchResult<'_>) {
        let outcome = result.outcome;
        let _ = self.client.incr(&format!("outcome.{}", result.class.kind));
        let _ = self.client.time("fetch", outcome.duration());
        let _ = self.client.time("queue", outcome.timings.queued);
        for attempt in &outcome.attempts {
            let took = attempt
                .timings
                .ended
                .saturating_since(attempt.timings.started);
            let _ = self.client.time("request", took);
            if let Some(status) = attempt.status {
                let _ = self.client.incr(&format!("status.{status}"));
            }
        }
        let _ = self.client.count("received", outcome.wire_bytes);
    }

    /// Sends the gauges, if they are due.
    pub(super) fn update(&mut self, counts: &ProgressCounts) {
        if self.sent.elapsed() >= FLUSH_INTERVAL {
            self.sent = Instant::now();
            self.flush(counts);
        }
    }

    /// Sends the gauges, and everything that is buffered.
    pub(crate) fn flush(&self, counts: &ProgressCounts) {
        let _ = self.client.gauge("in_flight", counts.in_flight);
        let _ = self.client.gauge("done", counts.done);
        let _ = self.client.flush();
    }
}
