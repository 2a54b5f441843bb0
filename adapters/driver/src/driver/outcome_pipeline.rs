//! What happens to each fetch that the engine has ended: fallbacks, telemetry, delivery.

use fetch_proto::Stats;

use crate::driver::fetches::active::ActiveFetch;
use crate::driver::fetches::in_flight::AttemptResult;
use crate::driver::outcomes::fallback::Fallbacks;
use crate::driver::outcomes::queue::PendingWakers;
use crate::telemetry::logging::log_outcome;
use crate::telemetry::metrics::FetchMetrics;

/// Turns ends of fetches into outcomes: applies fallbacks, logs and measures them, and sends them.
pub(super) struct OutcomePipeline {
    fallbacks: Fallbacks,
    metrics: FetchMetrics,
    /// The transport's [`SEES_CONNECTION`](crate::Transport::SEES_CONNECTION).
    sees_connection: bool,
    wakers: PendingWakers,
}

impl OutcomePipeline {
    pub(super) fn new(fallbacks: Fallbacks, sees_connection: bool) -> Self {
        Self {
            fallbacks,
            metrics: FetchMetrics::new(),
            sees_connection,
            wakers: PendingWakers::default(),
        }
    }

    /// Sends the outcome of a fetch. Its consumer is woken by [`OutcomePipeline::wake_consumers`].
    /// Returns the memory of the fetch's result.
    pub(super) fn finish(
        &mut self,
        mut fetch: ActiveFetch,
        end: fetch_proto::Outcome,
    ) -> Option<Box<AttemptResult>> {
        let wants_value = end.wants_value;
        let (mut outcome, permit) = fetch.build_outcome(end, self.sees_connection);
        let method = &fetch.request.method;
        self.fallbacks.apply(&mut outcome, method, wants_value);
        match &outcome.result {
            Ok(response) => fetch.span.record_status(response.status.as_u16()),
            Err(error) => fetch.span.record_error(error.kind().as_str()),
        }
        fetch.span.in_scope(|| log_outcome(&outcome));
        self.metrics.record_outcome(method, &outcome);
        self.wakers.add(fetch.send_outcome(outcome, permit));
        fetch.take_result()
    }

    pub(super) fn record_stats(&mut self, stats: &Stats) {
        self.metrics.record_stats(stats);
    }

    /// Wakes the consumers of outcomes that were sent since the last call.
    pub(super) fn wake_consumers(&mut self) {
        self.wakers.wake_all();
    }
}
