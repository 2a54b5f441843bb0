//! Requests that wait for room in the engine.

use std::collections::VecDeque;
use std::sync::Arc;

use fetch_proto::{BodyDelivery, Method, RejectReason, Timestamp};
use http::{HeaderMap, header};

use crate::driver::connect_timeout;
use crate::driver::exchange::wire::sharing_key;
use crate::driver::fetches::active::ActiveFetch;
use crate::driver::fetches::job::FetchJob;
use crate::driver::fetches::table::FetchTable;
use crate::telemetry::recording::DriverEngine;
use crate::transport::Transport;

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
                Err(rejected) if rejected.why == RejectReason::Full => self.jobs.push_front(job),
                // The engine is closed: dropping the job sends its outcome.
                Err(_) => {}
            }
        }
    }

    /// The request as the engine needs it, or why the transport cannot send it.
    fn engine_request(&self, job: &FetchJob) -> Result<fetch_proto::FetchRequest, &'static str> {
        let request = &job.request;
        if request.path_as_is.is_some() && !self.sends_path_as_is {
            return Err("this client normalizes paths: it cannot send one as it is");
        }
        let has_range = [&request.headers, &*self.headers].iter().any(|headers| {
            headers.contains_key(header::RANGE) || headers.contains_key(header::IF_RANGE)
        });
        let delivery = match job.sender.delivery() {
            BodyDelivery::Buffered if request.save.is_some() => BodyDelivery::Saved,
            delivery => delivery,
        };
        let can_resume = delivery == BodyDelivery::Saved && request.method == Method::Get;
        if request.resume_from.is_some() && (!can_resume || has_range) {
            return Err(
                "only a GET without `Range` whose body is saved can continue an earlier one",
            );
        }
        let can_share = self.share && request.save.is_none();
        let mut submitted =
            fetch_proto::FetchRequest::new(request.method.clone(), request.url.clone())
                .body(request.body.kind())
                .delivery(delivery)
                .has_range(has_range)
                .idempotent(request.idempotent || request.headers.contains_key("idempotency-key"))
                .patch(request.patch.clone())
                .policy(request.policy.clone())
                .priority(request.priority)
                .resume_from(request.resume_from.clone())
                .share(can_share.then(|| sharing_key(request, &self.headers)))
                .tag(request.tag);
        if !self.sees_connection {
            connect_timeout::disable_in_request(&mut submitted)?;
        }
        Ok(submitted)
    }
}

#[cfg(test)]
mod tests {
    use fetch_proto::{EngineConfig, Policy, PolicyPatch, TimeoutsPatch};
    use futures_lite::future::block_on;

    use super::*;
    use crate::driver::test_support::{FakeTransport, NOW, job, test_engine};

    fn submissions() -> SubmissionQueue {
        SubmissionQueue::new::<FakeTransport>(Arc::default(), false)
    }

    #[test]
    fn requests_wait_in_order_while_the_engine_is_full() {
        let mut engine = test_engine(EngineConfig::default().window(1));
        let (mut submissions, mut fetches) = (submissions(), FetchTable::default());
        let jobs = ["http://a.test/1", "http://a.test/2"].map(|url| job(1, url).0);
        submissions.extend(jobs.into());
        submissions.submit(2, &mut engine, &mut fetches, NOW);
        let submitted: Vec<_> = fetches
            .iter()
            .map(|fetch| fetch.request.url().path())
            .collect();
        assert_eq!(submitted, ["/1"]);
        assert!(!submissions.is_empty());
    }

    #[test]
    fn only_the_requests_of_one_group_are_cancelled() {
        let mut submissions = submissions();
        let ((first, mut cancelled), (second, _waiting)) =
            (job(1, "http://a.test/"), job(2, "http://a.test/"));
        submissions.extend(vec![first, second]);
        submissions.cancel(1);
        let outcome = block_on(cancelled.next()).outcome;
        assert_eq!(outcome.error().unwrap().kind().as_str(), "cancelled");
        let waiting: Vec<_> = submissions.jobs.iter().map(|job| job.group).collect();
        assert_eq!(waiting, [2]);
    }

    #[test]
    fn what_the_transport_cannot_do_is_rejected() {
        let mut engine = test_engine(EngineConfig::default());
        let (mut submissions, mut fetches) = (submissions(), FetchTable::default());
        submissions.sees_connection = false;
        let timeouts =
            fetch_proto::Timeouts::default().first_byte(std::time::Duration::from_secs(1));
        let policy = Policy::default().timeouts(timeouts);
        let (mut limited, limited_outcome) = job(1, "http://a.test/");
        limited.request = limited.request.policy(policy);
        let first_byte = TimeoutsPatch::default().first_byte(std::time::Duration::from_secs(1));
        let (mut patched, patched_outcome) = job(1, "http://a.test/");
        patched.request = patched
            .request
            .policy_patch(PolicyPatch::default().timeouts(first_byte));
        let (mut as_is, as_is_outcome) = job(1, "http://a.test/");
        as_is.request.path_as_is = Some(http::uri::PathAndQuery::from_static("/a//b"));
        submissions.extend(vec![limited, patched, as_is]);
        submissions.submit(3, &mut engine, &mut fetches, NOW);
        for (mut receiver, expected) in [
            (limited_outcome, "`first_byte`"),
            (patched_outcome, "`first_byte`"),
            (as_is_outcome, "normalizes paths"),
        ] {
            let outcome = block_on(receiver.next()).outcome;
            let detail = outcome.error().unwrap().detail().unwrap().to_owned();
            assert!(detail.contains(expected), "{detail}");
        }
        assert_eq!(fetches.iter().count(), 0);
    }
}
