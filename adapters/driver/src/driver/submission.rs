//! Requests that wait for room in the engine.

use std::collections::VecDeque;
use std::sync::Arc;

use fetch_proto::{Refusal, RequestBody as BodyKind, Timestamp};
use http::HeaderMap;

use crate::driver::connect_timeout;
use crate::driver::exchange::wire::sharing_key;
use crate::driver::fetches::active::ActiveFetch;
use crate::driver::fetches::job::FetchJob;
use crate::driver::fetches::table::FetchTable;
use crate::telemetry::recording::DriverEngine;
use crate::transport::Transport;
use crate::transport::message::RequestBody;

/// Requests that wait for room in the engine, in the order in which they came.
pub(super) struct SubmissionQueue {
    /// Header fields of all requests.
    headers: Arc<HeaderMap>,
    jobs: VecDeque<FetchJob>,
    sees_connection: bool,
    sends_path_as_is: bool,
    /// Whether identical requests share one response.
    share: bool,
}

impl SubmissionQueue {
    pub(super) fn new<T: Transport>(headers: Arc<HeaderMap>, share: bool) -> Self {
        Self {
            headers,
            jobs: VecDeque::new(),
            sees_connection: T::SEES_CONNECTION,
            sends_path_as_is: T::SENDS_PATH_AS_IS,
            share,
        }
    }

    pub(super) fn extend(&mut self, jobs: Vec<FetchJob>) {
        self.jobs.extend(jobs);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Drops all requests, which sends their outcomes.
    pub(super) fn clear(&mut self) {
        self.jobs.clear();
    }

    /// Cancels the requests of this group.
    pub(super) fn cancel(&mut self, group: u64) {
        let jobs = core::mem::take(&mut self.jobs);
        let (cancelled, rest) = jobs
            .into_iter()
            .partition::<Vec<_>, _>(|job| job.group == group);
        self.jobs = rest.into();
        for mut job in cancelled {
            job.sender.cancel();
        }
    }

    /// Submits up to `count` requests to the engine.
    pub(super) fn submit(
        &mut self,
        count: usize,
        engine: &mut DriverEngine,
        fetches: &mut FetchTable,
        now: Timestamp,
    ) {
        for _ in 0..count {
            let Some(mut job) = self.jobs.pop_front() else {
                break;
            };
            let request = match self.engine_request(&job) {
                Ok(request) => request,
                Err(detail) => {
                    job.sender.reject(detail);
                    continue;
                }
            };
            match engine.submit(request, now) {
                Ok(id) => fetches.insert(ActiveFetch::new(job, id)),
                Err(rejected) if rejected.why == Refusal::Full => self.jobs.push_front(job),
                // The engine is closed: dropping the job sends its outcome.
                Err(_) => {}
            }
        }
    }

    /// The request as the engine needs it, or why the transport cannot send it.
    fn engine_request(&self, job: &FetchJob) -> Result<fetch_proto::Request, &'static str> {
        let request = &job.request;
        let mut policy = request.policy.clone();
        if !self.sees_connection {
            connect_timeout::disable_in_request(&mut policy)?;
        }
        if request.path_as_is.is_some() && !self.sends_path_as_is {
            return Err("this client normalizes paths: it cannot send one as it is");
        }
        let can_share = self.share && request.save.is_none();
        Ok(fetch_proto::Request {
            body: match &request.body {
                RequestBody::Bytes(_) => BodyKind::Replayable,
                RequestBody::Empty => BodyKind::None,
                RequestBody::Stream { .. } => BodyKind::Once,
            },
            delivery: job.sender.delivery(),
            idempotent: request.idempotent || request.headers.contains_key("idempotency-key"),
            method: request.method.clone(),
            policy,
            priority: request.priority,
            share: can_share.then(|| sharing_key(request, &self.headers)),
            tag: request.tag,
            url: request.url.clone(),
        })
    }
}
