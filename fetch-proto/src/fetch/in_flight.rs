//! One attempt in flight: its stage, its clocks, its limits.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use url::Url;

use crate::fetch::request::BodyDelivery;
use crate::guards::stall::ThroughputMeter;
use crate::model::attempt::Attempt;
use crate::model::failure::{FailureKind, TimeLimit};
use crate::model::fault::InjectedFault;
use crate::model::id::AttemptId;
use crate::model::time::Timestamp;
use crate::model::timings::AttemptTimings;
use crate::model::wake::{NextWake, WakeReason};
use crate::policy::Policy;
use crate::policy::redirect::RedirectHop;

/// An attempt that the driver is carrying out, or that is held back from it on purpose.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Flight {
    pub(super) bytes: u64,
    pub(super) id: AttemptId,
    pub(super) paused: bool,
    /// When the body last moved, or the consumer came back.
    pub(super) progress: Timestamp,
    pub(super) retry_after: Option<Duration>,
    /// What most attempts have not.
    pub(super) special: Option<Box<Special>>,
    pub(super) stage: Stage,
    pub(super) status: Option<u16>,
    pub(super) timings: AttemptTimings,
    /// Where it goes: to the target, or to an endpoint of it.
    pub(super) url: Arc<Url>,
}

/// What only some attempts have.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Special {
    /// The fault that is made in it.
    pub(super) fault: Option<InjectedFault>,
    pub(super) held: Option<Held>,
    /// Measures the body's flow, where that is guarded.
    pub(super) meter: Option<ThroughputMeter>,
}

/// How far an attempt has come.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) enum Stage {
    /// No head yet.
    Requesting,
    /// The body is wanted.
    Receiving,
    /// The body is not wanted; what comes after it is decided.
    Discarding(Next),
}

/// What follows an attempt whose response is not wanted.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) enum Next {
    Fallback,
    Hop(Box<RedirectHop>),
    /// Another attempt races on: nothing follows from this one.
    Race,
    Retry {
        until: Timestamp,
    },
}

/// Why the driver was not told to send an attempt.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) enum Held {
    /// It fails at once.
    Failing(FailureKind),
    /// It is never sent.
    ForEver,
    /// It is sent then.
    Until(Timestamp, Box<Attempt>),
}

impl Flight {
    pub(super) fn new(id: AttemptId, url: Arc<Url>, now: Timestamp) -> Self {
        Self {
            bytes: 0,
            id,
            paused: false,
            progress: now,
            retry_after: None,
            special: None,
            stage: Stage::Requesting,
            status: None,
            timings: AttemptTimings::new(now),
            url,
        }
    }

    /// When there was a connection that could carry the request.
    fn ready(&self) -> Option<Timestamp> {
        let t = &self.timings;
        if self.url.scheme() == "https" && !t.reused {
            t.tls_done
        } else {
            t.connected
        }
    }

    /// Whether no good head of it was seen: only then may another race it.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(
            self.stage,
            Stage::Requesting | Stage::Discarding(Next::Race)
        )
    }

    /// Whether it may still bring the response.
    pub(super) fn is_contending(&self) -> bool {
        !matches!(self.stage, Stage::Discarding(_))
    }

    /// A piece of the body came.
    pub(super) fn received(&mut self, bytes: u64, policy: &Policy, now: Timestamp) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.progress = now;
        if let Some((meter, guard)) = self.meter().zip(policy.stall.as_ref()) {
            meter.record_bytes(guard, bytes, now);
        }
    }

    /// The consumer stopped reading, or went on.
    pub(super) fn pause(&mut self, paused: bool, policy: &Policy, now: Timestamp) {
        self.paused = paused;
        if !paused {
            self.progress = now;
        }
        if let Some((meter, guard)) = self.meter().zip(policy.stall.as_ref()) {
            if paused {
                meter.pause(now);
            } else {
                meter.resume(guard, now);
            }
        }
    }

    /// The fault that is made in it on purpose.
    pub(super) fn fault(&self) -> Option<InjectedFault> {
        self.special.as_ref()?.fault
    }

    fn held(&self) -> Option<&Held> {
        self.special.as_ref()?.held.as_ref()
    }

    /// Whether the driver was not told to send it.
    pub(super) fn is_held(&self) -> bool {
        self.held().is_some()
    }

    fn meter(&mut self) -> Option<&mut ThroughputMeter> {
        self.special.as_mut()?.meter.as_mut()
    }

    /// When what was held back comes.
    fn release(&self) -> Option<Timestamp> {
        match self.held() {
            Some(Held::Failing(_)) => Some(self.timings.started),
            Some(Held::Until(at, _)) => Some(*at),
            Some(Held::ForEver) | None => None,
        }
    }

    /// The earliest time at which something happens to it by itself.
    pub(super) fn wake(&self, policy: &Policy, delivery: BodyDelivery) -> Option<NextWake> {
        let timeouts = &policy.timeouts;
        let limit = |limit, from: Timestamp, length: Option<Duration>| {
            length.map(|length| NextWake {
                at: from + length,
                why: WakeReason::Limit(limit),
            })
        };
        let t = &self.timings;
        // Once a streamed response is accepted, how long its consumer takes is the consumer's affair.
        let streaming =
            matches!(self.stage, Stage::Receiving) && delivery == BodyDelivery::Streamed;
        let attempt = if streaming {
            None
        } else {
            limit(TimeLimit::Attempt, t.started, timeouts.attempt)
        };
        let stage = match (&self.stage, self.ready()) {
            (Stage::Requesting, None) if self.is_held() => self.release().map(|at| NextWake {
                at,
                why: WakeReason::Fault,
            }),
            (Stage::Requesting, None) => limit(TimeLimit::Connect, t.started, timeouts.connect),
            (Stage::Requesting, Some(at)) => limit(TimeLimit::FirstByte, at, timeouts.first_byte),
            _ if self.paused => None,
            _ => limit(TimeLimit::IdleRead, self.progress, timeouts.idle_read),
        };
        earlier(earlier(attempt, stage), self.flow(policy))
    }

    /// When the body has come too slowly for too long.
    fn flow(&self, policy: &Policy) -> Option<NextWake> {
        let meter = self.special.as_ref()?.meter.as_ref()?;
        let guard = policy.stall.as_ref().filter(|_| self.status.is_some())?;
        meter.deadline(guard).map(|at| NextWake {
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
