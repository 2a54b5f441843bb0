//! Bodies that are saved or streamed: their limits, and how a later attempt continues them.

use alloc::boxed::Box;
use core::time::Duration;

use super::in_flight::{InFlightAttempt, ResponseStage};
use super::{Fetch, push_event};
use crate::fetch::request::{BodyDelivery, FetchRequest};
use crate::model::attempt::HeadSummary;
use crate::model::download::ActiveDownload;
use crate::model::event::DecisionEvent;
use crate::model::id::AttemptId;
use crate::model::method::Method;
use crate::model::outcome::FetchError;
use crate::model::resume::{Continuation, RepresentationSummary, ResumePoint, Validator};
use crate::model::time::{CompactDuration, Timestamp};
use crate::policy::Policy;

/// The largest body that is collected in memory, unless the policy sets a limit.
const MAX_COLLECTED: u64 = 64 << 20;

/// How many bytes an attempt must add to a body so that it does not count as one of the policy's
/// attempts. A server that sends one byte per connection brings no progress.
const MIN_PROGRESS: u64 = 64 << 10;

/// How many attempts with progress do not count. The bound ends a body that never ends.
const MAX_PROGRESS_RETRIES: u16 = 10_000;

/// A body that is saved or streamed, across the attempts of a fetch.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Download {
    /// The length of the whole body, if it is known.
    complete: Option<u64>,
    /// Whether the caller asks for a part of the body.
    has_range: bool,
    /// The failure that broke a streamed body off: the result, if it cannot be continued.
    interrupted_by: Option<FetchError>,
    /// The bytes that the caller has from earlier attempts.
    offset: u64,
    /// Whether the latest attempt added enough of the body.
    progressed: bool,
    progress_retries: u16,
    /// Whether the server failed to continue the body, so that no further attempt asks for it.
    refused: bool,
    /// Whether the rest may be requested: there is a strong validator, or the caller accepts none.
    resumable: bool,
    /// Whether the latest response continued the body.
    resumed: bool,
    /// The first response head of a body that is accepted.
    #[cfg_attr(feature = "serde", serde(default))]
    since: Option<Timestamp>,
    /// Time that does not count towards the total limit.
    total_extension: CompactDuration,
    validator: Option<Validator>,
}

/// The largest body in bytes.
pub(super) fn max_body(policy: &Policy, delivery: BodyDelivery) -> u64 {
    policy.max_body.unwrap_or(match delivery {
        BodyDelivery::Buffered => MAX_COLLECTED,
        BodyDelivery::Saved | BodyDelivery::Streamed => u64::MAX,
    })
}

impl Download {
    pub(super) fn since_mut(&mut self) -> Option<&mut Timestamp> {
        self.since.as_mut()
    }

    /// The body of a request that saves or streams it.
    pub(super) fn of(request: &FetchRequest) -> Option<Box<Self>> {
        if request.delivery == BodyDelivery::Buffered {
            return None;
        }
        let mut download = Self {
            has_range: request.has_range,
            ..Self::default()
        };
        if let Some(point) = &request.resume_from
            && request.delivery == BodyDelivery::Saved
        {
            download.offset = point.offset;
            download.resumable = true;
            download.validator = point.validator.clone();
        }
        Some(Box::new(download))
    }
}

impl Fetch {
    /// Whether a body that breaks off may be continued by a range request.
    fn can_continue_bodies(&self) -> bool {
        let download = self.download.as_ref();
        download.is_some_and(|download| !download.has_range)
            && self.method == Method::Get
            && !self.send_body
    }

    /// Where the next attempt continues the body; `None` if it starts over.
    pub(super) fn resume_point(&self) -> Option<ResumePoint> {
        let download = self.download.as_deref()?;
        let can_resume = download.resumable && !download.refused && download.offset > 0;
        (can_resume && self.can_continue_bodies())
            .then(|| ResumePoint::new(download.offset, download.validator.clone()))
    }

    /// Whether the caller has received a part of a streamed body in an earlier attempt.
    pub(super) fn is_stream_interrupted(&self) -> bool {
        let download = self.download.as_ref();
        download.is_some_and(|download| download.interrupted_by.is_some())
    }

    /// The error of a streamed body that cannot be continued.
    pub(super) fn interruption(&self) -> Option<FetchError> {
        self.download.as_ref()?.interrupted_by
    }

    /// The position in the whole body that the attempt has reached.
    pub(super) fn body_position(&self, attempt: &InFlightAttempt) -> u64 {
        match &self.download {
            Some(download) if download.resumed => download.offset.saturating_add(attempt.bytes),
            _ => attempt.bytes,
        }
    }

    /// The length of the whole body, if the attempt continues it and the length is known.
    pub(super) fn continued_length(&self) -> Option<u64> {
        let download = self.download.as_ref()?;
        download.complete.filter(|_| download.resumed)
    }

    /// How the response of an attempt that asked for the rest of the body answers.
    pub(super) fn continuation(&self, id: AttemptId, head: &HeadSummary) -> Continuation {
        let asked = self
            .attempt(id)
            .is_some_and(|attempt| attempt.asks_for_rest);
        let (Some(point), Some(download)) = (self.resume_point(), &self.download) else {
            return Continuation::Other;
        };
        if !asked {
            return Continuation::Other;
        }
        match &head.representation {
            Some(found) => found.continues(head.status, &point, download.complete),
            None if matches!(head.status, 206 | 416) => Continuation::Mismatch,
            None => Continuation::Other,
        }
    }

    /// Records that the body starts over, because the server does not continue it.
    pub(super) fn refuse_continuation(&mut self, id: AttemptId, status: u16) {
        if let Some(download) = &mut self.download {
            download.offset = 0;
            download.refused = true;
        }
        push_event(&mut self.events, || DecisionEvent::Restarting {
            attempt: id.number,
            status,
        });
    }

    /// Records a response whose body is accepted.
    pub(super) fn begin_body(&mut self, id: AttemptId, head: &HeadSummary, next: Continuation) {
        if self.download.is_none() {
            return;
        }
        let restarts = self.resume_point().is_some();
        let found = head.representation.as_deref();
        let found = found.filter(|_| head.status == 200 && self.can_continue_bodies());
        let head_at = self.attempt(id).and_then(|attempt| attempt.timings.head);
        let Some(download) = self.download.as_deref_mut() else {
            return;
        };
        download.since = download.since.or(head_at);
        match next {
            Continuation::Rest(complete) => {
                download.complete = complete;
                download.resumed = true;
            }
            Continuation::Nothing => download.resumed = true,
            Continuation::Mismatch | Continuation::Other => {
                download.offset = 0;
                download.complete = found.and_then(|found| found.content_length);
                download.validator = found.and_then(RepresentationSummary::validator);
                download.resumable = download.validator.is_some();
                if restarts {
                    push_event(&mut self.events, || DecisionEvent::Restarting {
                        attempt: id.number,
                        status: head.status,
                    });
                }
            }
        }
    }

    /// The body that is being received, on the engine's clock.
    pub(crate) fn active_download(&self, now: Timestamp) -> Option<ActiveDownload> {
        let mut attempts = self.in_flight.iter();
        let attempt = attempts.find(|one| matches!(one.stage, ResponseStage::Receiving))?;
        let head = attempt.timings.head?;
        let since = self.download.as_ref().and_then(|download| download.since);
        let millis = now.saturating_since(head).as_millis().max(1);
        let speed = u128::from(attempt.bytes) * 1000 / millis;
        Some(ActiveDownload {
            bytes: self.body_position(attempt),
            bytes_per_second: speed.try_into().unwrap_or(u64::MAX),
            since: since.unwrap_or(head),
            url: attempt.url.clone(),
        })
    }

    /// Drops what was received: another URL follows, or the bytes are lost.
    pub(super) fn start_body_over(&mut self) {
        if let Some(download) = self.download.as_deref_mut() {
            *download = Download {
                has_range: download.has_range,
                total_extension: download.total_extension,
                ..Download::default()
            };
        }
    }

    /// Records that an attempt fails while its body is received. Call it before the attempt is
    /// removed.
    pub(super) fn interrupt_body(&mut self, id: AttemptId, error: FetchError, now: Timestamp) {
        let Some(attempt) = self.attempt(id) else {
            return;
        };
        let is_received = matches!(attempt.stage, ResponseStage::Receiving);
        let (position, added) = (self.body_position(attempt), attempt.bytes);
        let is_streamed = self.delivery == BodyDelivery::Streamed;
        let restarts_total = !self.policy.timeouts.total_covers_body;
        let since_start = self.started.map(|started| now.saturating_since(started));
        let Some(download) = self.download.as_deref_mut() else {
            return;
        };
        download.progressed = false;
        if !is_received {
            return;
        }
        download.resumed = false;
        if !download.resumable || download.refused {
            return;
        }
        download.offset = position;
        download.progressed = added >= MIN_PROGRESS;
        if is_streamed {
            download.interrupted_by = Some(error);
        }
        if download.progressed && restarts_total {
            download.total_extension = since_start.unwrap_or_default().into();
        }
    }

    /// Whether the latest attempt brought so much of the body that it does not count.
    pub(super) fn has_progressed(&self) -> bool {
        self.policy.attempts.get() > 1
            && self.resume_point().is_some()
            && self.download.as_ref().is_some_and(|download| {
                download.progressed && download.progress_retries < MAX_PROGRESS_RETRIES
            })
    }

    /// Counts a retry after progress.
    pub(super) fn count_progress_retry(&mut self) {
        if let Some(download) = &mut self.download {
            download.progress_retries += 1;
        }
    }

    /// Where the last response continued the body.
    pub(super) fn resumed_from(&self) -> Option<u64> {
        let download = self.download.as_ref()?;
        download.resumed.then_some(download.offset)
    }

    /// By how much the total limit ends later.
    pub(super) fn total_extension(&self) -> Duration {
        let download = self.download.as_ref();
        download.map_or(Duration::ZERO, |download| download.total_extension.into())
    }

    /// Leaves the time from the head to now out of the total limit.
    pub(super) fn extend_total(&mut self, head: Option<Timestamp>, now: Timestamp) {
        let body = head.map_or(Duration::ZERO, |head| now.saturating_since(head));
        let since_start = self.started.map(|started| now.saturating_since(started));
        // Progress may have started the limit again.
        let extension = (self.total_extension() + body).min(since_start.unwrap_or_default());
        if let Some(download) = &mut self.download {
            download.total_extension = extension.into();
        }
    }

    /// Whether the total limit pauses, because a body is saved or streamed.
    pub(super) fn is_total_paused(&self) -> bool {
        !self.policy.timeouts.total_covers_body
            && self.delivery != BodyDelivery::Buffered
            && self
                .in_flight
                .iter()
                .any(|attempt| matches!(attempt.stage, ResponseStage::Receiving))
    }
}
