//! What a fetch in an engine shares with others.

use alloc::boxed::Box;
use core::time::Duration;

use super::guards::Guards;
use super::slab::{Paid, Rare};
use crate::fetch::{Open, World};
use crate::guards::breaker::OnOpen;
use crate::guards::budget::{RetryKind, RetryTokens};
use crate::guards::hedge::Hedge;
use crate::model::time::Timestamp;

/// The state of a fetch's host and of the whole engine, as far as the fetch may ask for it.
pub(super) struct Shared<'a> {
    pub(super) guards: Option<&'a mut Guards>,
    /// Whether one of the fetch's attempts in flight is a breaker's probe.
    pub(super) probes: bool,
    /// The common purse.
    pub(super) tokens: Option<&'a mut RetryTokens>,
    /// Where the fetch keeps what its latest extra attempt cost.
    pub(super) rare: &'a mut Option<Box<Rare>>,
}

impl World for Shared<'_> {
    fn hedge_delay(&mut self, hedge: &Hedge, now: Timestamp) -> Option<Duration> {
        let recent = self
            .guards
            .as_ref()
            .and_then(|guards| guards.recent.as_ref());
        hedge.delay_for(recent, now)
    }

    fn open(&mut self, now: Timestamp) -> Option<Open> {
        let circuit = self.guards.as_ref()?.circuit.as_ref()?;
        let denied = circuit.denial(now)?;
        Some(Open {
            fail_fast: circuit.config().on_open == OnOpen::FailFast,
            until: denied.until,
        })
    }

    fn is_probe(&self) -> bool {
        self.probes
    }

    fn pay(&mut self, kind: RetryKind, now: Timestamp) -> bool {
        let mut host = self
            .guards
            .as_mut()
            .and_then(|guards| guards.tokens.as_mut());
        // Both are asked before either pays, so that a refusal costs nothing.
        let allowed = host
            .as_ref()
            .is_none_or(|tokens| tokens.can_retry(kind, now))
            && self
                .tokens
                .as_ref()
                .is_none_or(|tokens| tokens.can_retry(kind, now));
        if allowed {
            let host = host.as_mut().and_then(|tokens| tokens.try_retry(kind, now));
            let common = self
                .tokens
                .as_mut()
                .and_then(|tokens| tokens.try_retry(kind, now));
            if host.is_some() || common.is_some() {
                self.rare.get_or_insert_default().paid = Paid { common, host };
            }
        }
        allowed
    }
}
