//! One attempt in flight: its stage, its clocks, its limits.

use core::time::Duration;

use crate::id::AttemptId;
use crate::policy::redirect::Hop;
use crate::policy::{Limit, Timeouts};
use crate::request::Delivery;
use crate::time::Timestamp;
use crate::timings::AttemptTimings;
use crate::wake::{Reason, Wake};

/// An attempt that the driver is carrying out.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) bytes: u64,
    pub(super) id: AttemptId,
    pub(super) paused: bool,
    /// When the body last moved, or the consumer came back.
    pub(super) progress: Timestamp,
    pub(super) retry_after: Option<Duration>,
    /// Whether TLS comes between the connection and the request.
    secure: bool,
    pub(super) stage: Stage,
    pub(super) status: Option<u16>,
    pub(super) timings: AttemptTimings,
}

/// How far an attempt has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// No head yet.
    Requesting,
    /// The body is wanted.
    Receiving,
    /// The body is not wanted; what comes after it is decided.
    Discarding(Next),
}

/// What follows an attempt whose response is not wanted.
#[derive(Debug)]
pub(super) enum Next {
    Hop(alloc::boxed::Box<Hop>),
    Retry { until: Timestamp },
}

impl Flight {
    pub(super) fn new(id: AttemptId, secure: bool, now: Timestamp) -> Self {
        Self {
            bytes: 0,
            id,
            paused: false,
            progress: now,
            retry_after: None,
            secure,
            stage: Stage::Requesting,
            status: None,
            timings: AttemptTimings::starting(now),
        }
    }

    /// When there was a connection that could carry the request.
    fn ready(&self) -> Option<Timestamp> {
        let t = &self.timings;
        if self.secure && !t.reused {
            t.tls_done
        } else {
            t.connected
        }
    }

    /// The earliest limit of this attempt.
    pub(super) fn wake(&self, timeouts: &Timeouts, delivery: Delivery) -> Option<Wake> {
        let limit = |limit, from: Timestamp, length: Option<Duration>| {
            length.map(|length| Wake {
                at: from + length,
                why: Reason::Limit(limit),
            })
        };
        let t = &self.timings;
        // Once a streamed response is accepted, how long its consumer takes is the consumer's affair.
        let streaming = matches!(self.stage, Stage::Receiving) && delivery == Delivery::Streamed;
        let attempt = if streaming {
            None
        } else {
            limit(Limit::Attempt, t.started, timeouts.attempt)
        };
        let stage = match (&self.stage, self.ready()) {
            (Stage::Requesting, None) => limit(Limit::Connect, t.started, timeouts.connect),
            (Stage::Requesting, Some(at)) => limit(Limit::FirstByte, at, timeouts.first_byte),
            _ if self.paused => None,
            _ => limit(Limit::IdleRead, self.progress, timeouts.idle_read),
        };
        earlier(attempt, stage)
    }
}

/// The earlier of two wakes.
pub(super) fn earlier(a: Option<Wake>, b: Option<Wake>) -> Option<Wake> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
