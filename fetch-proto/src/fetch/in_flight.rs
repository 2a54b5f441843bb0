//! One attempt in flight: its progress and its time limits.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use url::Url;

use crate::fetch::request::BodyDelivery;
use crate::guards::stall::{StallGuard, ThroughputMeter};
use crate::model::attempt::{Attempt, HookStage};
use crate::model::failure::{FailureKind, TimeLimit};
use crate::model::fault::InjectedFault;
use crate::model::id::AttemptId;
use crate::model::time::Timestamp;
use crate::model::timings::AttemptTimings;
use crate::model::verdict::ResponseVerdict;
use crate::model::wake::{NextWake, WakeReason};
use crate::policy::Policy;
use crate::policy::redirect::RedirectHop;

/// An attempt that the driver carries out, or that an injected fault holds back.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct InFlightAttempt {
    /// Whether its request asks for the rest of a body.
    pub(super) asks_for_rest: bool,
    pub(super) bytes: u64,
    pub(super) id: AttemptId,
    pub(super) is_paused: bool,
    /// The latest progress: the start, the head, a piece of the body, or the consumer's resumption.
    pub(super) progress_at: Timestamp,
    pub(super) retry_after: Option<Duration>,
    /// State that few attempts need.
    pub(super) extras: Option<Box<AttemptExtras>>,
    pub(super) stage: ResponseStage,
    pub(super) status: Option<u16>,
    pub(super) timings: AttemptTimings,
    /// The URL of the target, or of the endpoint that serves it.
    pub(super) url: Arc<Url>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) verdict: Option<ResponseVerdict>,
}

/// State of attempts with an injected fault, a hook or a guarded throughput.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct AttemptExtras {
    /// The fault that is injected into it.
    pub(super) fault: Option<InjectedFault>,
    pub(super) hold: Option<InjectedHold>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) hook: Option<HookProgress>,
    /// Measures the body's throughput from its head on, if a minimum is required.
    pub(super) meter: Option<ThroughputMeter>,
}

/// The last hook of an attempt that was called.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) enum HookProgress {
    Ended(Timestamp),
    RunningSince(Timestamp),
}

/// The stage of an attempt's response.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) enum ResponseStage {
    /// No head yet.
    Requesting,
    /// The body is delivered.
    Receiving,
    /// The body is discarded; what follows is decided.
    Discarding(AfterDiscard),
}

/// The step after a discarded response.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) enum AfterDiscard {
    Fallback,
    /// The fetch fails, because the caller rejected the response.
    Reject,
    Redirect(Box<RedirectHop>),
    /// Nothing: another attempt is in flight.
    AwaitOthers,
    Retry {
        until: Timestamp,
    },
}

/// How an injected fault holds an attempt back from the driver.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) enum InjectedHold {
    /// It fails now.
    FailNow(FailureKind),
    /// It is never sent.
    Never,
    /// It is sent at this time.
    Until(Timestamp, Box<Attempt>),
}

impl InFlightAttempt {
    pub(super) fn new(id: AttemptId, url: Arc<Url>, now: Timestamp) -> Self {
        Self {
            asks_for_rest: false,
            bytes: 0,
            id,
            is_paused: false,
            progress_at: now,
            retry_after: None,
            extras: None,
            stage: ResponseStage::Requesting,
            status: None,
            timings: AttemptTimings::new(now),
            url,
            verdict: None,
        }
    }

    /// A hook was called.
    pub(super) fn start_hook(&mut self, stage: HookStage, now: Timestamp) {
        if stage == HookStage::Classify {
            self.timings.head.get_or_insert(now);
        }
        self.extras.get_or_insert_default().hook = Some(HookProgress::RunningSince(now));
    }

    /// The hook has decided.
    pub(super) fn end_hook(&mut self, now: Timestamp) {
        if let Some(extras) = &mut self.extras {
            extras.hook = extras.hook.map(|_| HookProgress::Ended(now));
        }
    }

    fn hook(&self) -> Option<HookProgress> {
        self.extras.as_ref()?.hook
    }

    /// When the connection was ready for the request, TLS included.
    fn connection_ready_at(&self) -> Option<Timestamp> {
        let t = &self.timings;
        if self.url.scheme() == "https" && !t.reused {
            t.tls_done
        } else {
            t.connected
        }
    }

    /// Whether it has no acceptable response yet, so that a hedge is useful.
    pub(super) fn can_be_hedged(&self) -> bool {
        matches!(
            self.stage,
            ResponseStage::Requesting | ResponseStage::Discarding(AfterDiscard::AwaitOthers)
        )
    }

    /// Whether its response may still become the result of the fetch.
    pub(super) fn is_contending(&self) -> bool {
        !matches!(self.stage, ResponseStage::Discarding(_))
    }

    /// Starts to measure the throughput of the body, whose head has arrived.
    pub(super) fn start_meter(&mut self, now: Timestamp) {
        let extras = self.extras.get_or_insert_default();
        extras.meter = Some(ThroughputMeter::new(now));
    }

    /// Counts a piece of the body.
    pub(super) fn record_body(&mut self, bytes: u64, guard: Option<&StallGuard>, now: Timestamp) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.progress_at = now;
        if let Some((meter, guard)) = self.meter().zip(guard) {
            meter.record_bytes(guard, bytes, now);
        }
    }

    /// Records that the consumer stopped reading, or resumed.
    pub(super) fn set_paused(&mut self, paused: bool, guard: Option<&StallGuard>, now: Timestamp) {
        self.is_paused = paused;
        if !paused {
            self.progress_at = now;
        }
        if let Some((meter, guard)) = self.meter().zip(guard) {
            if paused {
                meter.pause(now);
            } else {
                meter.resume(guard, now);
            }
        }
    }

    /// The fault that is injected into it.
    pub(super) fn injected_fault(&self) -> Option<InjectedFault> {
        self.extras.as_ref()?.fault
    }

    fn hold(&self) -> Option<&InjectedHold> {
        self.extras.as_ref()?.hold.as_ref()
    }

    /// Whether it is held back, so that the driver does not know of it.
    pub(super) fn is_held(&self) -> bool {
        self.hold().is_some()
    }

    fn meter(&mut self) -> Option<&mut ThroughputMeter> {
        self.extras.as_mut()?.meter.as_mut()
    }

    /// When the hold ends by itself.
    fn hold_ends_at(&self) -> Option<Timestamp> {
        match self.hold() {
            Some(InjectedHold::FailNow(_)) => Some(self.timings.started),
            Some(InjectedHold::Until(at, _)) => Some(*at),
            Some(InjectedHold::Never) | None => None,
        }
    }

    /// Its earliest deadline.
    pub(super) fn next_wake(&self, policy: &Policy, delivery: BodyDelivery) -> Option<NextWake> {
        let timeouts = &policy.timeouts;
        let limit = |limit, from: Timestamp, length: Option<Duration>| {
            length.map(|length| NextWake {
                at: from + length,
                why: WakeReason::Limit(limit),
            })
        };
        let t = &self.timings;
        let ends_at_head = delivery != BodyDelivery::Buffered && !timeouts.attempt_covers_body;
        let attempt = if ends_at_head && matches!(self.stage, ResponseStage::Receiving) {
            None
        } else {
            limit(TimeLimit::Attempt, t.started, timeouts.attempt)
        };
        let hook = self.hook();
        let connects_since = match hook {
            Some(HookProgress::Ended(at)) => at,
            _ => t.started,
        };
        let stage = match (&self.stage, self.connection_ready_at(), hook) {
            (ResponseStage::Requesting, _, Some(HookProgress::RunningSince(at))) => {
                limit(TimeLimit::Hook, at, timeouts.hook)
            }
            (ResponseStage::Requesting, None, _) if self.is_held() => {
                self.hold_ends_at().map(|at| NextWake {
                    at,
                    why: WakeReason::Fault,
                })
            }
            (ResponseStage::Requesting, None, _) => {
                limit(TimeLimit::Connect, connects_since, timeouts.connect)
            }
            (ResponseStage::Requesting, Some(at), _) => {
                limit(TimeLimit::FirstByte, at, timeouts.first_byte)
            }
            _ if self.is_paused => None,
            _ => limit(TimeLimit::IdleRead, self.progress_at, timeouts.idle_read),
        };
        let stall = self.stall_wake(stall_guard(policy, delivery));
        earlier(earlier(attempt, stage), stall)
    }

    /// When the throughput of the body has been too low for too long.
    fn stall_wake(&self, guard: Option<&StallGuard>) -> Option<NextWake> {
        let meter = self.extras.as_ref()?.meter.as_ref()?;
        meter.deadline(guard?).map(|at| NextWake {
            at,
            why: WakeReason::Limit(TimeLimit::Throughput),
        })
    }
}

/// The earlier of two wakes.
pub(super) fn earlier(a: Option<NextWake>, b: Option<NextWake>) -> Option<NextWake> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The minimum throughput of a body, if there is one.
pub(super) fn stall_guard(policy: &Policy, delivery: BodyDelivery) -> Option<&StallGuard> {
    let default = (delivery == BodyDelivery::Saved).then_some(&StallGuard::SAVED);
    let guard = policy.stall.as_ref().or(default);
    guard.filter(|guard| guard.min_bytes_per_second > 0)
}
