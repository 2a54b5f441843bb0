//! What happens to requests before they wait for the engine, and to those that end without an answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fetch_proto::{FetchError, FetchOutcome, FetchTimings, Method, Timestamp};
use http::StatusCode;

use super::plan::{AskedRequest, PlanAction};
use super::runner::{CacheRunner, Choice};
use super::serve::ServedResponse;
use super::tasks::{CacheTask, TaskEnd, TaskOwner};
use crate::cache::store::StoreAnswer;
use crate::cache::stored::StoredResponse;
use crate::driver::event_loop::Driver;
use crate::driver::exchange::attempt_set::AttemptPoll;
use crate::driver::exchange::wire::representation;
use crate::driver::exchange::{AttemptExchange, ExchangeStart};
use crate::driver::fetches::active::ActiveFetch;
use crate::driver::fetches::job::FetchJob;
use crate::driver::fetches::response::response;
use crate::driver::outcomes::queue::outcome_queue;
use crate::driver::outcomes::sender::{OutcomeSender, rejected_outcome};
use crate::driver::permits::AttemptPermit;
use crate::fields::redact::RedactedUrl;
use crate::model::error::{Error, ErrorKind};
use crate::model::outcome::Outcome;
use crate::model::request::BodyRetention;
use crate::model::save::{BodyWriter, ResponseHead, SaveError, SaveReceipt};
use crate::transport::Transport;
use crate::transport::progress::AttemptProgress;

/// The group of background validations, which nobody cancels.
const BACKGROUND: u64 = u64::MAX;

impl<T, F, S> Driver<T, F, S>
where
    T: Transport,
    F: AttemptExchange,
    S: Fn(&Arc<T>, ExchangeStart, AttemptProgress) -> F,
{
    /// Answers jobs from the cache. The others are submitted, now or once the store has answered.
    pub(in crate::driver) fn submit_jobs(&mut self, jobs: Vec<FetchJob>) {
        if self.attempts.cache.is_none() {
            self.submissions.extend(jobs);
            return;
        }
        for job in jobs {
            self.submit_job(job);
        }
        self.settle_cache();
    }

    fn submit_job(&mut self, mut job: FetchJob) {
        let has_body = job.request.body.kind() != fetch_proto::RequestBodyKind::None;
        let is_continued = job.request.resume_from.is_some();
        let outgoing = self.attempts.request_fields(&job.request);
        let Some(cache) = &mut self.attempts.cache else {
            return;
        };
        let asked = AskedRequest {
            is_storable: !has_body && !is_continued,
            method: &job.request.method,
            mode: job.request.cache_mode,
            profile: cache.profile_of(&job.request),
            token: None,
        };
        let mut plan = cache.new_plan(&outgoing, asked);
        let is_looked_up = CacheRunner::is_looked_up(&plan) && !is_continued;
        if !is_looked_up {
            plan.status
                .forward
                .get_or_insert(fetch_proto::cache::ForwardReason::Bypass);
            job.cache = Some(Arc::new(plan));
            self.submissions.extend(vec![job]);
            return;
        }
        let answer = cache.cache.store().look(&plan.key);
        job.cache = Some(Arc::new(plan));
        match answer {
            StoreAnswer::Ready(stored) => self.answer(job, &stored, true),
            StoreAnswer::Pending(answer) => {
                let task = CacheTask(Box::pin(async { TaskEnd::Looked(answer.await) }));
                cache.add_lookup(task, job);
            }
        }
    }

    /// Answers a job from what is stored, or submits it. `may_wait`: whether it may wait for the response to
    /// an identical request.
    fn answer(&mut self, mut job: FetchJob, stored: &[Arc<StoredResponse>], may_wait: bool) {
        let Some(cache) = &mut self.attempts.cache else {
            return;
        };
        let Some(mut plan) = job.cache.take().and_then(Arc::into_inner) else {
            return;
        };
        let served = match cache.choose(&mut plan, stored) {
            Choice::Unavailable => Some(ServedResponse::unavailable(&plan)),
            Choice::Stored(stored, _) if stored.is_redirect() => {
                plan.action = PlanAction::Replay(stored);
                None
            }
            Choice::Stored(stored, is_validated) => {
                let served = ServedResponse::new(&plan, &stored, cache.wall());
                if is_validated && !cache.flights.has(&plan.key) {
                    let now = cache.now();
                    let mut background = background_job(&job);
                    let mut plan = cache.validation(&plan, &stored);
                    plan.leads = cache.flights.begin(&plan.key, now);
                    background.cache = Some(Arc::new(plan));
                    self.submissions.extend(vec![background]);
                }
                Some(served)
            }
            Choice::Server => None,
        };
        if let Some(served) = served {
            self.deliver(job, served, None);
            return;
        }
        let is_plain = job.request.policy.is_none() && job.request.patch.is_none();
        let can_wait = is_plain && plan.may_store && plan.may_lead();
        if can_wait && may_wait {
            if cache.flights.has(&plan.key) {
                plan.status.is_collapsed = true;
                let key = plan.key.clone();
                job.cache = Some(Arc::new(plan));
                if let Some(job) = cache.flights.join(&key, job) {
                    self.submissions.extend(vec![job]);
                }
                return;
            }
            let now = cache.now();
            plan.leads = cache.flights.begin(&plan.key, now);
        }
        job.cache = Some(Arc::new(plan));
        self.submissions.extend(vec![job]);
    }

    /// Continues with the jobs that waited for a response which is there now, or which does not come.
    pub(in crate::driver) fn settle_cache(&mut self) {
        loop {
            let Some(cache) = &mut self.attempts.cache else {
                return;
            };
            if cache.released.is_empty() {
                return;
            }
            for (job, stored) in std::mem::take(&mut cache.released) {
                match stored {
                    Some(stored) => self.answer(job, &[stored], false),
                    None => self.submissions.extend(vec![job]),
                }
            }
        }
    }

    /// Polls what takes time in the cache.
    pub(in crate::driver) fn poll_cache(&mut self, cx: &Context<'_>) -> Poll<Vec<usize>> {
        match &mut self.attempts.cache {
            Some(cache) => cache.tasks.poll_woken(cx, true),
            None => Poll::Pending,
        }
    }

    /// When the next lookup takes too long.
    pub(in crate::driver) fn cache_deadline(&mut self) -> Option<Timestamp> {
        self.attempts.cache.as_mut()?.next_deadline()
    }

    /// Continues without the answers of lookups that take too long.
    pub(in crate::driver) fn expire_lookups(&mut self) {
        let now = self.clock.now();
        while let Some(cache) = &mut self.attempts.cache
            && cache.next_deadline().is_some_and(|at| at <= now)
        {
            let Some(job) = cache.give_up_lookup() else {
                continue;
            };
            self.answer(job, &[], true);
        }
        self.settle_cache();
    }

    /// Continues what waited for these tasks.
    pub(in crate::driver) fn run_cache_tasks(&mut self, list: Vec<usize>) {
        for index in &list {
            let Some(cache) = &mut self.attempts.cache else {
                return;
            };
            let mut end = None;
            let polled = cache.tasks.poll(*index, &mut end);
            if polled == AttemptPoll::Pending {
                continue;
            }
            let owner = cache.owners[*index].take();
            let is_error = matches!(
                end,
                None | Some(TaskEnd::Looked(Err(_)) | TaskEnd::Written(Err(_)))
            );
            if is_error {
                cache.cache.count_error();
            }
            match (owner, end) {
                (Some(TaskOwner::Look { job, .. }), end) => {
                    let stored = match end {
                        Some(TaskEnd::Looked(Ok(stored))) => stored,
                        _ => Vec::new(),
                    };
                    self.answer(job, &stored, true);
                }
                (
                    Some(TaskOwner::Save {
                        job,
                        outcome,
                        permit,
                    }),
                    end,
                ) => {
                    let saved = match end {
                        Some(TaskEnd::Saved(saved)) => saved,
                        _ => Err("the writer panicked".into()),
                    };
                    self.finish_saved(job, *outcome, permit, saved);
                }
                (Some(TaskOwner::Write) | None, _) => {}
            }
        }
        if let Some(cache) = &mut self.attempts.cache {
            cache.tasks.recycle(list);
        }
        self.settle_cache();
    }

    fn finish_saved(
        &mut self,
        job: FetchJob,
        mut outcome: Outcome,
        permit: Option<AttemptPermit>,
        saved: Result<SaveReceipt, SaveError>,
    ) {
        match (saved, &mut outcome.result) {
            (Ok(receipt), Ok(response)) => response.saved = Some(receipt),
            (Ok(_), Err(_)) => {}
            (Err(error), result) => {
                let kind = ErrorKind::Fetch(FetchError::Failed(fetch_proto::FailureKind::Save));
                *result = Err(Error::rejected(kind, &outcome.url, error));
            }
        }
        self.outcomes.send_served(job, outcome, permit);
    }

    /// Delivers a stored response as the outcome of a job. `ended`: its outcome so far, if it was in the
    /// engine.
    fn deliver(
        &mut self,
        mut job: FetchJob,
        served: ServedResponse,
        ended: Option<(Outcome, Option<AttemptPermit>)>,
    ) {
        let Some(cache) = &mut self.attempts.cache else {
            return;
        };
        cache.cache.count(served.status().result());
        let (now, request) = (cache.now(), &job.request);
        let (mut outcome, permit) = ended.unwrap_or_else(|| {
            let unused = Error::rejected(ErrorKind::Stopped, "", "");
            let mut outcome = rejected_outcome(unused, job.sender.take_url(), request.tag);
            outcome.attached = request.attached.clone();
            outcome.method = request.method.clone();
            outcome.timings = FetchTimings::not_started(now);
            (outcome, None)
        });
        let ServedResponse { body, parts } = served;
        let is_skipped = request.skip_error_bodies && parts.status.as_u16() >= 400;
        let body = if is_skipped { Bytes::new() } else { body };
        let mut head = response(parts, None, request.url.clone());
        head.attempts = outcome.attempts.len();
        head.bytes = body.len() as u64;
        if let Some(consumer) = job.sender.start_stream(head.clone()) {
            // The channel has room for one chunk, which is the whole body.
            if !body.is_empty() {
                let _ = consumer.try_send(body);
            }
        } else if let Some(sink) = request.save.as_ref().filter(|_| !is_skipped) {
            let is_whole = head.status == StatusCode::OK && request.method == Method::Get;
            let validator = is_whole
                .then(|| representation(&head.headers, head.coded_headers.is_some()).validator());
            let writer = sink.open(&ResponseHead {
                attached: request.attached.as_ref(),
                headers: &head.headers,
                offset: 0,
                status: head.status,
                tag: request.tag,
                url: &head.url,
                validator: validator.flatten().as_ref(),
                version: head.version,
            });
            outcome.result = Ok(head);
            let task = CacheTask(Box::pin(async { TaskEnd::Saved(save(writer, body).await) }));
            let outcome = Box::new(outcome);
            cache.add_task(
                task,
                TaskOwner::Save {
                    job,
                    outcome,
                    permit,
                },
            );
            return;
        } else if request.body_retention == BodyRetention::Collect {
            head.body = body;
        }
        outcome.result = Ok(head);
        self.outcomes.send_served(job, outcome, permit);
    }

    /// Ends a fetch by a stale response, if it failed and one may be used. Otherwise returns it.
    pub(in crate::driver) fn replace_failure(
        &mut self,
        mut fetch: ActiveFetch,
        end: FetchOutcome,
    ) -> Option<(ActiveFetch, FetchOutcome)> {
        let (Some(cache), Some(plan)) = (&mut self.attempts.cache, fetch.cache.take()) else {
            return Some((fetch, end));
        };
        // Nobody waits any more for a response that did not come.
        cache.release(&plan);
        let is_failure = end.result.as_ref().is_err_and(|error| {
            use FetchError as E;
            !matches!(
                error,
                E::Cancelled | E::BodyTooLarge { .. } | E::Redirect(_) | E::NoToken(_)
            )
        });
        let served = cache
            .replace_error(&plan, None)
            .filter(|_| is_failure && !fetch.has_stream());
        match served {
            Some(served) => {
                let ended = fetch.build_outcome(end, T::SEES_CONNECTION);
                self.deliver(fetch.into_job(), served, Some(ended));
                None
            }
            None => {
                if let Some(status) = fetch.cache_status() {
                    cache.cache.count(status.result());
                }
                Some((fetch, end))
            }
        }
    }

    /// Cancels the jobs of a group that wait in the cache.
    pub(in crate::driver) fn cancel_in_cache(&mut self, group: u64) {
        let Some(cache) = &mut self.attempts.cache else {
            return;
        };
        let mut cancelled = cache.flights.take_group(group);
        let waits = |owner: &Option<TaskOwner>| matches!(owner, Some(TaskOwner::Look { job, .. } | TaskOwner::Save { job, .. }) if job.group == group);
        for index in 0..cache.owners.len() {
            if waits(&cache.owners[index]) {
                cache.tasks.remove(index);
                if let Some(TaskOwner::Look { job, .. } | TaskOwner::Save { job, .. }) =
                    cache.owners[index].take()
                {
                    cancelled.push(job);
                }
            }
        }
        for mut job in cancelled {
            job.sender.cancel();
        }
    }

    /// Drops all jobs that wait in the cache, because the fetcher is shut down.
    pub(in crate::driver) fn close_cache(&mut self) {
        if let Some(cache) = &mut self.attempts.cache {
            cache.flights.clear();
            cache.released.clear();
        }
    }
}

/// Writes a whole body.
async fn save(mut writer: Box<dyn BodyWriter>, body: Bytes) -> Result<SaveReceipt, SaveError> {
    let mut body = Some(body).filter(|body| !body.is_empty());
    poll_fn(move |cx| {
        if body.is_some() {
            ready!(writer.poll_ready(cx))?;
        }
        if let Some(body) = body.take() {
            writer.write(body);
        }
        writer.poll_finish(cx)
    })
    .await
}

/// A job that does the same request for the cache alone, after all others.
fn background_job(job: &FetchJob) -> FetchJob {
    let mut request = job.request.clone();
    request.attached = None;
    request.priority = i8::MIN;
    request.save = None;
    request.skip_error_bodies = false;
    request.body_retention = BodyRetention::Discard;
    request.text = RedactedUrl(&request.url).to_string();
    let (queue, _) = outcome_queue();
    FetchJob {
        cache: None,
        group: BACKGROUND,
        sender: OutcomeSender::to_queue(&mut request, queue),
        request,
    }
}
