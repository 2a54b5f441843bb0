//! One fetch in the engine: its attempts in flight, and the result of the last one.

#[cfg(feature = "cache")]
use std::sync::Arc;
use std::task::Waker;

use async_channel::Sender;
use bytes::Bytes;
#[cfg(feature = "cache")]
use fetch_proto::cache::CacheStatus;
use fetch_proto::{AttemptId, FetchId, Method, RequestBodyKind};
use http::{StatusCode, header};
use smallvec::SmallVec;

#[cfg(feature = "cache")]
use crate::driver::cache::plan::CachePlan;
use crate::driver::exchange::wire::representation;
use crate::driver::exchange::{BodyMode, ResponseParts, UnfinishedBody};
use crate::driver::fetches::in_flight::{AttemptResult, InFlightAttempt};
use crate::driver::fetches::job::FetchJob;
use crate::driver::fetches::redirect_trail::RedirectTrail;
use crate::driver::fetches::response::{join, response, whole_head};
use crate::driver::outcomes::sender::OutcomeSender;
use crate::driver::permits::AttemptPermit;
use crate::model::error::{Error, FailedAttempt};
use crate::model::outcome::{FallbackSource, Outcome, RedirectResponse};
use crate::model::request::{BodyRetention, Request};
use crate::model::response::Response;
use crate::model::save::{BodyWriter, ResponseHead};
use crate::telemetry::tracing::FetchSpan;
use crate::transport::message_sizes::MessageSizes;
use crate::transport::progress::AttemptProgress;
use crate::transport::response_headers::ResponseHeaders;

/// A fetch in the engine.
pub(crate) struct ActiveFetch {
    /// Usually one; more with hedging.
    attempts: SmallVec<[InFlightAttempt; 1]>,
    /// What the cache does with its first request.
    #[cfg(feature = "cache")]
    pub(crate) cache: Option<Arc<CachePlan>>,
    pub(crate) group: u64,
    /// Whether the caller's request has a body.
    pub(crate) has_body: bool,
    id: FetchId,
    /// The number of the attempt that was started last; 0 if there is none.
    last_attempt: u16,
    pub(crate) request: Request,
    /// The result of the attempt that ended last. Boxed, because most fetches of a large batch are
    /// still queued.
    result: Option<Box<AttemptResult>>,
    sender: OutcomeSender,
    /// Of the attempts that ended.
    sizes: MessageSizes,
    pub(crate) span: FetchSpan,
    /// Keeps the channel of a streamed body open until its error can be set.
    stream: Option<Sender<Bytes>>,
    pub(crate) trail: RedirectTrail,
    /// The head and the output of a body that broke off. Boxed, because it is rare.
    broken: Option<Box<BrokenBody>>,
}

/// A body that is received in several parts.
struct BrokenBody {
    output: Option<UnfinishedBody>,
    /// The head of the response with which the body began.
    parts: Option<ResponseParts>,
}

impl ActiveFetch {
    pub(crate) fn new(job: FetchJob, id: FetchId) -> Self {
        let FetchJob {
            #[cfg(feature = "cache")]
            cache,
            group,
            request,
            sender,
        } = job;
        Self {
            attempts: SmallVec::new(),
            #[cfg(feature = "cache")]
            cache,
            group,
            has_body: request.body.kind() != RequestBodyKind::None,
            id,
            last_attempt: 0,
            span: FetchSpan::for_fetch(&request),
            request,
            result: None,
            sender,
            sizes: MessageSizes::default(),
            stream: None,
            trail: RedirectTrail::default(),
            broken: None,
        }
    }

    pub(crate) fn id(&self) -> FetchId {
        self.id
    }

    /// Its request and where its outcome goes, after it has ended.
    #[cfg(feature = "cache")]
    pub(crate) fn into_job(self) -> FetchJob {
        FetchJob {
            cache: None,
            group: self.group,
            request: self.request,
            sender: self.sender,
        }
    }

    /// Whether the caller has received the head of a stream.
    #[cfg(feature = "cache")]
    pub(crate) fn has_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// What the cache did with the last response.
    #[cfg(feature = "cache")]
    pub(crate) fn cache_status(&self) -> Option<CacheStatus> {
        self.result.as_ref()?.cache
    }

    /// The same fetch under the id that another engine gave it.
    pub(crate) fn with_id(self, id: FetchId) -> Self {
        Self { id, ..self }
    }

    /// The result of the attempt that ended last; an empty one if there is none.
    pub(crate) fn result(&mut self) -> &mut AttemptResult {
        self.result.get_or_insert_default()
    }

    /// The memory of the result, for another attempt.
    pub(crate) fn take_result(&mut self) -> Option<Box<AttemptResult>> {
        self.result.take()
    }

    /// The waker of its consumer, if that waits; the caller must wake it.
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        self.sender.take_waker()
    }

    /// The permit that the attempt which ended last holds for the outcome.
    pub(crate) fn take_permit(&mut self) -> Option<AttemptPermit> {
        self.result.as_mut()?.permit.take()
    }

    /// Copies the response of `leader`, whose identical request was sent for both.
    pub(crate) fn copy_response(&mut self, leader: &Self) {
        let result = leader.result.as_ref();
        self.result = result.map(|result| Box::new(result.copy_response()));
        self.trail = leader.trail.clone();
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        !self.attempts.is_empty()
    }

    pub(crate) fn add_attempt(&mut self, attempt: InFlightAttempt) {
        self.last_attempt = attempt.id.number();
        self.attempts.push(attempt);
    }

    /// The number of the attempt that was started last; 0 if there is none.
    pub(crate) fn last_attempt(&self) -> u16 {
        self.last_attempt
    }

    pub(crate) fn attempt_mut(&mut self, id: AttemptId) -> Option<&mut InFlightAttempt> {
        self.attempts.iter_mut().find(|attempt| attempt.id == id)
    }

    /// The attempt with this index in the attempt set.
    pub(crate) fn attempt_at(&mut self, index: usize) -> Option<&mut InFlightAttempt> {
        let mut attempts = self.attempts.iter_mut();
        attempts.find(|attempt| attempt.index == index)
    }

    /// Removes a finished attempt and keeps its result. Returns its index in the attempt set and its
    /// progress handle.
    pub(crate) fn end_attempt(&mut self, id: AttemptId) -> Option<(usize, AttemptProgress)> {
        let position = self.attempts.iter().position(|attempt| attempt.id == id)?;
        let attempt = self.attempts.swap_remove(position);
        let (mut result, progress) = (attempt.result, attempt.progress);
        result.connection = progress.connection();
        result.wire_bytes = progress.wire_bytes();
        self.sizes.add(progress.message_sizes());
        result.permit = attempt.permit;
        if attempt.is_redirect
            && let Some(parts) = result.parts.take()
        {
            let body = join(core::mem::take(&mut result.chunks));
            let bytes = body.len() as u64;
            self.trail.push(RedirectResponse {
                attempt: id.number(),
                connection: result.connection.clone(),
                is_complete: result.is_complete,
                method: self.trail.method().unwrap_or(&self.request.method).clone(),
                response: Response {
                    attempts: id.number().into(),
                    body,
                    bytes,
                    ..response(parts, result.connection.clone(), attempt.url)
                },
            });
        }
        self.result = Some(result);
        Some((attempt.index, progress))
    }

    /// How to read the body of this attempt's response, which the engine accepted.
    pub(crate) fn accept_response(&mut self, id: AttemptId) -> BodyMode {
        let skips_errors = self.request.skip_error_bodies;
        let parts = self
            .attempt_mut(id)
            .and_then(|attempt| attempt.result.parts.as_ref());
        let is_error = parts.is_some_and(|parts| parts.status.as_u16() >= 400);
        match self.sender.delivery() {
            fetch_proto::BodyDelivery::Streamed => self.start_stream(id),
            _ if is_error && skips_errors && self.continued_at(id).is_none() => BodyMode::Skip,
            _ if self.request.save.is_some() => self.start_save(id),
            _ if self.request.body_retention == BodyRetention::Collect => BodyMode::Collect,
            _ => BodyMode::Discard,
        }
    }

    /// How to read the body of this attempt's response, which the engine does not use. The end of one
    /// that only the end of its connection marks is waited for only if the cache stores it.
    pub(crate) fn discard_response(&mut self, id: AttemptId) -> BodyMode {
        let keeps = self.request.keep_redirects;
        let attempt = self.attempt_mut(id);
        let is_skipped = attempt.as_ref().is_some_and(|attempt| {
            let parts = attempt.result.parts.as_ref();
            parts.is_some_and(ResponseParts::ends_with_connection) && !attempt.is_stored()
        });
        let attempt = attempt.filter(|_| keeps);
        let redirects = |parts: &ResponseParts| {
            parts.status.is_redirection() && parts.headers.contains_key(header::LOCATION)
        };
        match attempt {
            Some(attempt) if attempt.result.parts.as_ref().is_some_and(redirects) => {
                attempt.is_redirect = true;
                BodyMode::Redirect
            }
            _ if is_skipped => BodyMode::Skip,
            _ => BodyMode::Discard,
        }
    }

    /// Whether the body is saved or streamed.
    pub(crate) fn keeps_body(&self) -> bool {
        let is_streamed = self.sender.delivery() == fetch_proto::BodyDelivery::Streamed;
        is_streamed || self.request.save.is_some()
    }

    /// Keeps what an attempt that is about to be removed leaves to the next one.
    pub(crate) fn keep_unfinished(&mut self, id: AttemptId, output: Option<UnfinishedBody>) {
        let Some(output) = output else {
            return;
        };
        let attempt = self.attempt_mut(id);
        if let UnfinishedBody::Redirect(chunks) = output {
            if let Some(attempt) = attempt {
                attempt.result.chunks = chunks;
            }
            return;
        }
        let parts = attempt.and_then(|attempt| attempt.result.parts.clone());
        let first = self.broken.take().and_then(|broken| broken.parts);
        self.broken = Some(Box::new(BrokenBody {
            output: Some(output),
            parts: first.or(parts),
        }));
    }

    /// The position from which this attempt's accepted response continues the body, and whether
    /// nothing is missing; `None` if the body begins with it.
    fn continued_at(&self, id: AttemptId) -> Option<(u64, bool)> {
        let attempt = self.attempts.iter().find(|attempt| attempt.id == id)?;
        let offset = attempt.resume.as_ref()?.offset;
        match attempt.result.parts.as_ref()?.status {
            StatusCode::PARTIAL_CONTENT => Some((offset, false)),
            StatusCode::RANGE_NOT_SATISFIABLE => Some((offset, true)),
            _ => None,
        }
    }

    fn start_stream(&mut self, id: AttemptId) -> BodyMode {
        if let Some((_, is_complete)) = self.continued_at(id)
            && let Some(stream) = &self.stream
        {
            let left = match self.broken.as_mut().and_then(|broken| broken.output.take()) {
                Some(UnfinishedBody::Chunk(chunk)) => Some(chunk),
                _ => None,
            };
            return match (is_complete, left) {
                (true, None) => BodyMode::Complete(None),
                (_, left) => BodyMode::Stream(stream.clone(), left),
            };
        }
        let attempt = self.attempt_mut(id);
        let head = attempt.and_then(|attempt| {
            let connection = attempt.progress.connection();
            let parts = attempt.result.parts.take()?;
            Some(response(parts, connection, attempt.url.clone()))
        });
        self.stream = head.and_then(|head| self.sender.start_stream(head));
        self.stream
            .clone()
            .map_or(BodyMode::Discard, |stream| BodyMode::Stream(stream, None))
    }

    fn start_save(&mut self, id: AttemptId) -> BodyMode {
        let continued = self.continued_at(id);
        let output = self.broken.as_mut().and_then(|broken| broken.output.take());
        let mode = |writer, is_complete| match is_complete {
            true => BodyMode::Complete(Some(writer)),
            false => BodyMode::Save(writer),
        };
        match (continued, output) {
            (Some((_, is_complete)), Some(UnfinishedBody::Writer(writer))) => {
                return mode(writer, is_complete);
            }
            (Some((offset, is_complete)), _) => {
                // The caller has the part before it, unless a writer of this fetch was lost.
                let point = self.request.resume_from.as_ref();
                return match point.is_some_and(|point| point.offset == offset) {
                    true => self
                        .open_writer(id, offset)
                        .map_or(BodyMode::Lost, |writer| mode(writer, is_complete)),
                    false => BodyMode::Lost,
                };
            }
            (None, earlier) => drop(earlier),
        }
        self.broken = None;
        match self.open_writer(id, 0) {
            Some(writer) => BodyMode::Save(writer),
            None => BodyMode::Discard,
        }
    }

    fn open_writer(&self, id: AttemptId, offset: u64) -> Option<Box<dyn BodyWriter>> {
        let attempt = self.attempts.iter().find(|attempt| attempt.id == id);
        let head = attempt.and_then(|attempt| Some((attempt, attempt.result.parts.as_ref()?)));
        let (attempt, parts) = head?;
        let sink = self.request.save.as_ref()?;
        let asked = attempt.resume.as_ref().filter(|_| offset > 0);
        let is_continuable = parts.status == StatusCode::OK && self.request.method == Method::Get;
        let validator = match asked {
            Some(point) => point.validator.clone(),
            None if is_continuable => {
                representation(&parts.headers, parts.coded_headers.is_some()).validator()
            }
            None => None,
        };
        Some(sink.open(&ResponseHead {
            attached: self.request.attached.as_ref(),
            headers: &parts.headers,
            offset,
            status: parts.status,
            tag: self.request.tag,
            url: &attempt.url,
            validator: validator.as_ref(),
            version: parts.version,
        }))
    }

    /// The fetch's outcome, and the permit for it, after the engine has ended the fetch.
    /// `sees_connection` is the transport's [`SEES_CONNECTION`](crate::Transport::SEES_CONNECTION).
    pub(crate) fn build_outcome(
        &mut self,
        end: fetch_proto::FetchOutcome,
        sees_connection: bool,
    ) -> (Outcome, Option<AttemptPermit>) {
        let AttemptResult {
            #[cfg(feature = "cache")]
                cache: _,
            chunks,
            connection,
            detail,
            is_complete: _,
            late_phases,
            parts,
            permit,
            reason,
            saved,
            source,
            wire_bytes,
        } = self
            .result
            .as_deref_mut()
            .map(core::mem::take)
            .unwrap_or_default();
        let mut attempts = end.attempts;
        if let Some(last) = attempts.last_mut() {
            for (phase, at) in late_phases {
                last.timings.record(phase, at);
            }
        }
        let url = self.sender.take_url();
        // Drops an unfinished writer before the outcome is sent.
        let broken = self.broken.take();
        let parts = match end.resumed_from {
            Some(_) => broken.and_then(|broken| broken.parts).or_else(|| {
                let bytes = end.result.map_or(0, |finish| finish.bytes);
                parts.map(|parts| whole_head(parts, bytes))
            }),
            None => parts,
        };
        let result = match end.result {
            Ok(finish) => {
                // The caller of a streamed response already has its head.
                let parts = parts.unwrap_or_else(|| ResponseParts {
                    #[cfg(feature = "cache")]
                    cache: None,
                    coded_headers: None,
                    headers: ResponseHeaders::default(),
                    status: StatusCode::from_u16(finish.status).unwrap_or_default(),
                    version: http::Version::default(),
                });
                Ok(Response {
                    attempts: attempts.len(),
                    body: join(chunks),
                    bytes: finish.bytes,
                    saved,
                    ..response(parts, connection.clone(), end.url)
                })
            }
            Err(error) => {
                let bytes = attempts.last().map_or(0, |last| last.bytes);
                let head = parts.map(|parts| Response {
                    attempts: attempts.len(),
                    bytes,
                    ..response(parts, connection.clone(), end.url)
                });
                let cause = FailedAttempt {
                    detail,
                    head,
                    reason,
                    source,
                };
                Err(Error::failed(
                    error,
                    url.clone(),
                    (&attempts, sees_connection),
                    end.gave_up,
                    cause,
                ))
            }
        };
        let fallback = (end.used_fallback && result.is_ok()).then_some(FallbackSource::Url);
        let method = self.trail.method().unwrap_or(&self.request.method).clone();
        let (redirect_responses, withheld) = self.trail.take();
        let outcome = Outcome {
            attached: self.request.attached.take(),
            attempts,
            auth: None,
            auth_retries: end.auth_retries,
            connection,
            fallback,
            gave_up: end.gave_up,
            method,
            redirect_responses,
            redirects: end.redirects,
            result,
            resumed_from: end.resumed_from,
            retries: end.retries,
            shared: end.shared_with.is_some(),
            sizes: self.sizes,
            tag: end.tag,
            timings: end.timings,
            url,
            wire_bytes,
            withheld,
        };
        (outcome, permit)
    }

    /// Sends the outcome. Returns the waker of the consumer, if it waits; the caller must wake it.
    #[must_use]
    pub(crate) fn send_outcome(
        &mut self,
        outcome: Outcome,
        permit: Option<AttemptPermit>,
    ) -> Option<Waker> {
        self.sender.send(outcome, permit)
    }
}
