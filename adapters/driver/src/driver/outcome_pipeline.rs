//! What happens to each fetch that the engine has ended: fallbacks, telemetry, delivery.

use std::sync::Arc;

use fetch_proto::{EngineStats, Timestamp, WaitingHost};

use crate::driver::fetches::active::ActiveFetch;
use crate::driver::fetches::in_flight::AttemptResult;
#[cfg(feature = "cache")]
use crate::driver::fetches::job::FetchJob;
use crate::driver::fetches::table::FetchTable;
use crate::driver::outcomes::fallback::Fallbacks;
use crate::driver::outcomes::queue::PendingWakers;
#[cfg(feature = "cache")]
use crate::driver::permits::AttemptPermit;
#[cfg(feature = "cache")]
use crate::model::outcome::Outcome;
use crate::telemetry::logging::log_request_result;
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
    /// `auth` is the name of its profile. Returns the memory of the fetch's result.
    pub(super) fn finish(
        &mut self,
        mut fetch: ActiveFetch,
        end: fetch_proto::FetchOutcome,
        auth: Option<Arc<str>>,
    ) -> Option<Box<AttemptResult>> {
        let needs_fallback_value = end.needs_fallback_value;
        let (mut outcome, permit) = fetch.build_outcome(end, self.sees_connection);
        outcome.auth = auth;
        self.fallbacks
            .apply(&mut outcome, &fetch.request, needs_fallback_value);
        match &outcome.result {
            Ok(response) => fetch.span.record_status(response.status.as_u16()),
            Err(error) => fetch.span.record_error(error.kind().as_str()),
        }
        fetch.span.in_scope(|| log_request_result(&outcome));
        self.metrics.record_outcome(&fetch.request.method, &outcome);
        self.wakers.add(fetch.send_outcome(outcome, permit));
        fetch.take_result()
    }

    /// Sends the outcome of a job that a stored response answers.
    #[cfg(feature = "cache")]
    pub(super) fn send_served(
        &mut self,
        mut job: FetchJob,
        outcome: Outcome,
        permit: Option<AttemptPermit>,
    ) {
        log_request_result(&outcome);
        self.metrics.record_outcome(&job.request.method, &outcome);
        self.wakers.add(job.sender.send(outcome, permit));
    }

    /// Records the engine's statistics, and from time to time the hosts that are waited for.
    pub(super) fn record_stats(
        &mut self,
        stats: &EngineStats,
        now: impl FnOnce() -> Timestamp,
        hosts: impl FnOnce(Timestamp) -> Vec<WaitingHost>,
    ) {
        self.metrics.record_stats(stats);
        self.metrics.record_waiting_hosts(stats, now, hosts);
    }

    /// Wakes the consumers of these fetches with the next call of
    /// [`OutcomePipeline::wake_consumers`].
    pub(super) fn wake_consumers_of(&mut self, fetches: &FetchTable) {
        for fetch in fetches.iter() {
            self.wakers.add(fetch.take_waker());
        }
    }

    /// Wakes the consumers of outcomes that were sent since the last call.
    pub(super) fn wake_consumers(&mut self) {
        self.wakers.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    use fetch_proto::EngineConfig;

    use super::*;
    use crate::driver::test_support::{NOW, next_end, submit, test_engine};

    struct WakeFlag(AtomicBool);

    impl Wake for WakeFlag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn an_outcome_is_sent_at_once_and_its_consumer_woken_with_all_others() {
        let mut outcomes = OutcomePipeline::new(Fallbacks::new(0, None), true);
        let (mut engine, mut fetches) =
            (test_engine(EngineConfig::default()), FetchTable::default());
        let mut consumer = submit("http://a.test/", &mut engine, &mut fetches);
        let flag = Arc::new(WakeFlag(AtomicBool::new(false)));
        let waker = Waker::from(flag.clone());
        let cx = Context::from_waker(&waker);
        assert!(consumer.poll_next(&cx).is_pending());
        let id = fetches.iter().next().unwrap().id();
        engine.cancel(id, NOW);
        let (id, end) = next_end(&mut engine);
        let result = outcomes.finish(fetches.remove(id).unwrap(), end, None);
        assert!(result.is_none(), "no attempt was made");
        assert!(!flag.0.load(Ordering::SeqCst));
        outcomes.wake_consumers();
        assert!(flag.0.load(Ordering::SeqCst));
        let Poll::Ready(delivered) = consumer.poll_next(&cx) else {
            panic!("no outcome");
        };
        let outcome = delivered.outcome;
        assert_eq!(outcome.error().unwrap().kind().as_str(), "cancelled");
        assert_eq!(outcome.url, "http://a.test/");
    }
}
