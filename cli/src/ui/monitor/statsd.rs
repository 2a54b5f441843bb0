//! Numbers by UDP, in StatsD's form: names without tags, which every server understands.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use cadence::prelude::*;
use cadence::{BufferedUdpMetricSink, StatsdClient};

use crate::exit::CliError;
use crate::outcome::result::Ended;
use crate::ui::counts::Counts;

const PREFIX: &str = "fetch_all";

/// How often gauges are sent, and what is gathered goes on its way.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends to one server. What is lost on the way is lost, as always with StatsD.
pub(crate) struct Statsd {
    client: StatsdClient,
    sent: Instant,
}

impl Statsd {
    /// Finds the server.
    ///
    /// # Errors
    ///
    /// If the address is none.
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

    /// A fetch has ended.
    pub(crate) fn ended(&self, ended: &Ended<'_>) {
        let outcome = ended.outcome;
        let _ = self
            .client
            .incr(&format!("outcome.{}", ended.verdict.outcome));
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

    /// Sends the gauges, once a second.
    pub(super) fn stands(&mut self, counts: &Counts) {
        if self.sent.elapsed() >= PAUSE {
            self.sent = Instant::now();
            self.flush(counts);
        }
    }

    /// Sends all that is left.
    pub(crate) fn flush(&self, counts: &Counts) {
        let _ = self.client.gauge("in_flight", counts.in_flight);
        let _ = self.client.gauge("done", counts.done);
        let _ = self.client.flush();
    }
}
