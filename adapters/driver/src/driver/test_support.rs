//! An engine, a transport and requests, for unit tests of a driver's parts.

use std::future::{pending, ready};
use std::sync::Arc;

use bytes::Bytes;
use fetch_proto::{Attempt, AttemptPhase, EngineConfig, EngineOutput, FetchId, Timestamp};
use futures_lite::{FutureExt, stream};

use crate::driver::fetches::job::FetchJob;
use crate::driver::fetches::table::FetchTable;
use crate::driver::outcomes::queue::{QueueReceiver, outcome_queue};
use crate::driver::outcomes::sender::{DeliveredOutcome, OutcomeSender};
use crate::driver::submission::SubmissionQueue;
use crate::model::request::Request;
use crate::telemetry::recording::{DriverEngine, new_engine};
use crate::transport::Transport;
use crate::transport::error::TransportError;
use crate::transport::message::{IncomingResponse, OutgoingRequest};
use crate::transport::progress::AttemptProgress;

pub(super) const NOW: Timestamp = Timestamp::START;

pub(super) fn test_engine(config: EngineConfig) -> DriverEngine {
    new_engine(config, 7, NOW, None)
}

/// A request of this group, and the consumer of its outcome.
pub(super) fn job(group: u64, url: &str) -> (FetchJob, QueueReceiver<DeliveredOutcome>) {
    let mut request = Request::get(url).unwrap();
    let (queue, receiver) = outcome_queue();
    let sender = OutcomeSender::to_queue(&mut request, queue);
    let job = FetchJob {
        #[cfg(feature = "cache")]
        cache: None,
        group,
        request,
        sender,
    };
    (job, receiver)
}

/// Submits a request of group 1.
pub(super) fn submit(
    url: &str,
    engine: &mut DriverEngine,
    fetches: &mut FetchTable,
) -> QueueReceiver<DeliveredOutcome> {
    let (job, receiver) = job(1, url);
    let mut submissions = SubmissionQueue::new::<FakeTransport>(Arc::default(), false);
    submissions.extend(vec![job]);
    submissions.submit(1, engine, fetches, NOW);
    receiver
}

/// The attempt that the engine starts next.
pub(super) fn next_attempt(engine: &mut DriverEngine) -> Attempt {
    match engine.poll(NOW) {
        EngineOutput::Start(attempt) => attempt,
        output => panic!("{output:?}"),
    }
}

/// The fetch that the engine ends next.
pub(super) fn next_end(engine: &mut DriverEngine) -> (FetchId, fetch_proto::FetchOutcome) {
    match engine.poll(NOW) {
        EngineOutput::Done(id, outcome) => (id, outcome),
        output => panic!("{output:?}"),
    }
}

/// Marks each request as sent and answers it with the body "x", except those for the path "/never".
pub(super) struct FakeTransport;

impl Transport for FakeTransport {
    type Body = stream::Once<Result<Bytes, TransportError>>;

    fn send(
        &self,
        request: OutgoingRequest,
        progress: AttemptProgress,
    ) -> impl Future<Output = Result<IncomingResponse<Self::Body>, TransportError>> + Send + use<>
    {
        progress.mark(AttemptPhase::Sent);
        if request.url.path() == "/never" {
            return pending().boxed();
        }
        let body = stream::once(Ok(Bytes::from_static(b"x")));
        let (status, version) = (http::StatusCode::OK, http::Version::HTTP_11);
        let response = IncomingResponse::new(status, version, http::HeaderMap::new(), body);
        ready(Ok(response)).boxed()
    }
}
