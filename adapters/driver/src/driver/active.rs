//! One fetch that the engine has: its attempts, and what they brought.

use std::sync::Arc;
use std::task::Waker;

use async_channel::Sender;
use bytes::Bytes;
use fetch_proto::{AttemptId, FetchId, RequestBody as Replay};
use smallvec::SmallVec;

use super::delivery::{Destination, Opened, Sink};
use super::exchange::{Chunks, Parts, Verdict};
use super::fallback::LastResort;
use super::job::Job;
use super::permits::Permit;
use crate::model::error::Error;
use crate::model::outcome::{FellBack, Outcome, Response};
use crate::model::request::{Keep, Request};
use crate::model::save::{ResponseHead, Saved};
use crate::telemetry::tracing::Span;
use crate::transport::connection::Connection;
use crate::transport::message::RequestBody;
use crate::transport::progress::{Known, Marks, Phases};

/// A fetch that the engine has.
pub(crate) struct Live {
    /// Its attempts in flight. One, but for hedges.
    flights: SmallVec<[Flight; 1]>,
    pub(crate) group: u64,
    /// Whether the caller gave the request a body.
    pub(crate) has_body: bool,
    id: FetchId,
    pub(crate) request: Request,
    /// What the attempt that ended last brought. Boxed: of many fetches most only wait.
    seen: Option<Box<Seen>>,
    sink: Sink,
    pub(crate) span: Span,
    /// Keeps a streamed body open until its fate is known.
    stream: Option<Sender<Bytes>>,
}

/// An attempt in flight.
pub(crate) struct Flight {
    pub(crate) id: AttemptId,
    pub(crate) index: usize,
    /// The phases that the engine knows of.
    pub(crate) known: Known,
    pub(crate) marks: Marks,
    pub(crate) permit: Option<Permit>,
    pub(crate) seen: Box<Seen>,
    pub(crate) span: Span,
    pub(crate) url: Arc<url::Url>,
}

/// What an attempt brought.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) chunks: Chunks,
    pub(crate) connection: Option<Connection>,
    pub(crate) detail: Option<String>,
    /// Marks that were made after the loop last looked, when the attempt was aborted.
    pub(crate) late: Phases,
    pub(crate) parts: Option<Parts>,
    /// Its place among the undelivered, if the attempt landed by itself.
    pub(crate) permit: Option<Permit>,
    pub(crate) saved: Option<Saved>,
    pub(crate) wire_bytes: u64,
}

impl Seen {
    /// The response, for another fetch of the same.
    fn copy(&self) -> Self {
        Self {
            chunks: self.chunks.clone(),
            connection: self.connection,
            detail: self.detail.clone(),
            late: Phases::new(),
            parts: self.parts.clone(),
            permit: None,
            // Whose body is saved shares with nobody.
            saved: None,
            wire_bytes: self.wire_bytes,
        }
    }
}

impl Live {
    pub(crate) fn new(job: Job, id: FetchId) -> Self {
        let Job {
            group,
            request,
            sink,
        } = job;
        Self {
            flights: SmallVec::new(),
            group,
            has_body: !matches!(request.body, RequestBody::Empty),
            id,
            span: Span::fetch(&request),
            request,
            seen: None,
            sink,
            stream: None,
        }
    }

    pub(crate) fn id(&self) -> FetchId {
        self.id
    }

    /// The same, as the engine that it has come to names it.
    pub(crate) fn renamed(self, id: FetchId) -> Self {
        Self { id, ..self }
    }

    /// What the attempt that ended last brought; nothing yet if there was none.
    pub(crate) fn seen(&mut self) -> &mut Seen {
        self.seen.get_or_insert_default()
    }

    /// The place that the attempt which ended last holds for its outcome.
    pub(crate) fn take_permit(&mut self) -> Option<Permit> {
        self.seen.as_mut()?.permit.take()
    }

    /// Takes over what another fetch of the same brought.
    pub(crate) fn share(&mut self, leader: &Self) {
        self.seen = leader.seen.as_ref().map(|seen| Box::new(seen.copy()));
    }

    pub(crate) fn is_flying(&self) -> bool {
        !self.flights.is_empty()
    }

    pub(crate) fn launch(&mut self, flight: Flight) {
        self.flights.push(flight);
    }

    pub(crate) fn flight(&mut self, id: AttemptId) -> Option<&mut Flight> {
        self.flights.iter_mut().find(|flight| flight.id == id)
    }

    /// The attempt whose future has this place.
    pub(crate) fn flight_at(&mut self, index: usize) -> Option<&mut Flight> {
        self.flights.iter_mut().find(|flight| flight.index == index)
    }

    /// Takes an attempt out of the air; what it brought is kept. Gives its place, and its marks.
    pub(crate) fn land(&mut self, id: AttemptId) -> Option<(usize, Marks)> {
        let place = self.flights.iter().position(|flight| flight.id == id)?;
        let flight = self.flights.swap_remove(place);
        let mut seen = flight.seen;
        let marks = flight.marks;
        (seen.connection, seen.wire_bytes) = (marks.connection(), marks.wire_bytes());
        seen.permit = flight.permit;
        self.seen = Some(seen);
        Some((flight.index, marks))
    }

    /// What the core must know of the request.
    pub(crate) fn core_request(job: &Job, share: Option<u64>) -> fetch_proto::Request {
        let request = &job.request;
        fetch_proto::Request {
            body: match &request.body {
                RequestBody::Bytes(_) => Replay::Replayable,
                RequestBody::Empty => Replay::None,
                RequestBody::Stream { .. } => Replay::Once,
            },
            delivery: job.sink.delivery(),
            idempotent: request.idempotent || request.headers.contains_key("idempotency-key"),
            method: request.method.clone(),
            policy: request.policy.clone(),
            priority: request.priority,
            share,
            tag: request.tag,
            url: request.url.clone(),
        }
    }

    /// What to do with the body of the response that was accepted.
    pub(crate) fn accept(&mut self, id: AttemptId) -> Verdict {
        match &self.sink.to {
            Some(Destination::Stream { fate, head }) => {
                let flight = self.flights.iter_mut().find(|flight| flight.id == id);
                let taken =
                    flight.and_then(|flight| Some((flight.seen.parts.take()?, flight.url.clone())));
                let Some((parts, url)) = taken else {
                    return Verdict::Drop;
                };
                // One chunk waits here; the next waits in the network.
                let (sender, receiver) = async_channel::bounded(1);
                self.stream = Some(sender.clone());
                let _ = head.try_send(Ok(Opened {
                    chunks: receiver,
                    fate: fate.clone(),
                    parts,
                    url,
                }));
                Verdict::Stream(sender)
            }
            _ if self.request.save.is_some() => self.save(id),
            _ if self.request.keep == Keep::Body => Verdict::Collect,
            _ => Verdict::Drop,
        }
    }

    /// Begins to save the body of that response.
    fn save(&self, id: AttemptId) -> Verdict {
        let flight = self.flights.iter().find(|flight| flight.id == id);
        let parts = flight.and_then(|flight| Some((flight, flight.seen.parts.as_ref()?)));
        let (Some(save), Some((flight, parts))) = (&self.request.save, parts) else {
            return Verdict::Drop;
        };
        Verdict::Save(save.open(&ResponseHead {
            attached: self.request.attached.as_ref(),
            headers: &parts.headers,
            status: parts.status,
            tag: self.request.tag,
            url: &flight.url,
            version: parts.version,
        }))
    }

    /// Delivers the end. Tells it, too, for the log. `sees` is whether the transport tells of its
    /// connections. Gives back the memory of what was seen, and whoever is to be woken.
    pub(crate) fn finish(
        mut self,
        end: fetch_proto::Outcome,
        sees: bool,
        last_resort: &mut LastResort,
        log: impl FnOnce(&Outcome),
    ) -> (Option<Box<Seen>>, Option<Waker>) {
        let fetch_proto::Outcome {
            mut attempts,
            fallen_back,
            gave_up,
            redirects,
            retries,
            shared_with,
            tag,
            timings,
            wants_value,
            ..
        } = end;
        let Seen {
            chunks,
            connection,
            detail,
            late,
            parts,
            permit,
            saved,
            wire_bytes,
        } = self
            .seen
            .as_deref_mut()
            .map(core::mem::take)
            .unwrap_or_default();
        if let Some(last) = attempts.last_mut() {
            for (phase, at) in late {
                last.timings.note(phase, at);
            }
        }
        let text = core::mem::take(&mut self.sink.url);
        let result = match end.result {
            Ok(finish) => {
                let (headers, status, version) = match parts {
                    Some(parts) => (parts.headers, parts.status, parts.version),
                    // A streamed response's head was handed over already.
                    None => (
                        http::HeaderMap::new(),
                        http::StatusCode::from_u16(finish.status).unwrap_or_default(),
                        http::Version::default(),
                    ),
                };
                let body = join(chunks);
                Ok(Response {
                    body,
                    bytes: finish.bytes,
                    headers,
                    saved,
                    status,
                    url: end.url,
                    version,
                })
            }
            Err(error) => Err(Error::fetch(
                error,
                text.clone(),
                (&attempts, sees),
                gave_up,
                detail,
            )),
        };
        let fell_back = (fallen_back && result.is_ok()).then_some(FellBack::Url);
        let mut outcome = Outcome {
            attached: self.request.attached.take(),
            attempts,
            connection,
            fell_back,
            gave_up,
            redirects,
            result,
            retries,
            shared: shared_with.is_some(),
            tag,
            timings,
            url: text,
            wire_bytes,
        };
        last_resort.apply(&mut outcome, &self.request.method, wants_value);
        log(&outcome);
        let reader = self.sink.deliver(outcome, permit);
        (self.seen.take(), reader)
    }
}

/// The chunks in one piece; not copied if there is just one.
fn join(mut chunks: Chunks) -> Bytes {
    if chunks.len() <= 1 {
        return chunks.pop().unwrap_or_default();
    }
    let mut whole = Vec::with_capacity(chunks.iter().map(Bytes::len).sum());
    for chunk in &chunks {
        whole.extend_from_slice(chunk);
    }
    whole.into()
}
