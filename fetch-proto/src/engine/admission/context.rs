//! Gives a fetch access to the guards of its host and to the retry budgets.

use alloc::boxed::Box;
use core::time::Duration;

use crate::challenge::answer::ChallengeAnswer;
use crate::engine::limits::host_guards::HostGuards;
use crate::engine::limits::retry_budget::SharedRetryBudget;
use crate::engine::state::fetch_slab::{
    AttemptPermit, ColdState, FetchSlot, NO_ENDPOINT, RetryCosts,
};
use crate::engine::state::host_table::HostTable;
use crate::fetch::Fetch;
use crate::fetch::context::{FetchContext, OpenCircuit, OutageView};
use crate::guards::breaker::{BreakerCall, OnOpen};
use crate::guards::budget::{RetryKind, RetryTokens};
use crate::guards::hedge::Hedge;
use crate::guards::outage::OutageWait;
use crate::guards::pacing::Refusal;
use crate::inline_vec::InlineVec;
use crate::model::time::Timestamp;
use crate::model::token::TokenUse;

/// The guards of a fetch's host and the budget over all hosts.
pub(crate) struct EngineContext<'a> {
    /// Stores the costs of the fetch's latest retry or hedge.
    cold: &'a mut Option<Box<ColdState>>,
    /// Whether the request whose response is handled may be sent again with an answer to its challenge.
    pub(crate) can_answer_challenge: bool,
    /// Whether the request whose response is handled may be sent again with another token.
    pub(crate) can_send_again: bool,
    guards: Option<&'a mut HostGuards>,
    /// Of its attempts in flight.
    permits: &'a InlineVec<AttemptPermit>,
    /// The answer to the challenge of its target, with which the attempt starts.
    pub(crate) login: Option<ChallengeAnswer>,
    /// Why the paced host refused the request, if it did.
    pub(crate) refusal: Option<Refusal>,
    max_wait: Option<Duration>,
    /// The token of the attempt that starts.
    pub(crate) token: Option<TokenUse>,
    tokens: Option<&'a mut RetryTokens>,
}

/// The fetch in `slot`, and the context for its decisions.
pub(crate) fn with_context<'a>(
    slot: &'a mut FetchSlot,
    hosts: &'a mut HostTable,
    budget: &'a mut SharedRetryBudget,
    outages: Option<OutageWait>,
) -> (&'a mut Fetch, EngineContext<'a>) {
    let context = EngineContext {
        can_answer_challenge: false,
        can_send_again: false,
        guards: hosts.guards_mut(slot.host),
        permits: &slot.permits,
        login: None,
        refusal: None,
        max_wait: outages.map(|wait| wait.max),
        token: None,
        tokens: budget.tokens_mut(),
        cold: &mut slot.cold,
    };
    (&mut slot.fetch, context)
}

impl FetchContext for EngineContext<'_> {
    fn hedge_delay(&mut self, hedge: &Hedge, now: Timestamp) -> Option<Duration> {
        let guards = self.guards.as_ref();
        let latency = guards.and_then(|guards| guards.latency.as_ref());
        hedge.delay_for(latency, now)
    }

    fn open_circuit(&mut self, now: Timestamp) -> Option<OpenCircuit> {
        let guards = self.guards.as_ref()?;
        let is_given_up = guards.is_given_up();
        let circuit = guards.circuit.as_ref()?;
        let denied = circuit.denial(now)?;
        Some(OpenCircuit {
            fails_fast: circuit.config().on_open == OnOpen::FailFast || is_given_up,
            until: denied.until,
        })
    }

    fn is_probe(&self) -> bool {
        let calls = self.permits.iter().filter_map(|permit| permit.call);
        calls.into_iter().any(BreakerCall::is_probe)
    }

    fn is_balanced(&self) -> bool {
        let mut permits = self.permits.iter();
        permits.any(|permit| permit.endpoint != NO_ENDPOINT)
    }

    fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    fn can_answer_challenge(&self) -> bool {
        self.can_answer_challenge
    }

    fn can_send_again(&self) -> bool {
        self.can_send_again
    }

    fn take_login(&mut self) -> Option<ChallengeAnswer> {
        self.login.take()
    }

    fn token(&self) -> Option<TokenUse> {
        self.token
    }

    fn outage(&mut self) -> Option<OutageView<'_>> {
        let (max_wait, guards) = self.max_wait.zip(self.guards.as_ref())?;
        Some(OutageView {
            health: &guards.health,
            outage: guards.outage,
            max_wait,
        })
    }

    fn spend_retry(&mut self, kind: RetryKind, now: Timestamp) -> bool {
        let guards = self.guards.as_mut();
        let mut host = guards.and_then(|guards| guards.retry_tokens.as_mut());
        // Both budgets are checked before either is charged, so a refusal costs nothing.
        let allowed = host.as_ref().is_none_or(|host| host.can_retry(kind, now))
            && self
                .tokens
                .as_ref()
                .is_none_or(|tokens| tokens.can_retry(kind, now));
        if allowed {
            let host = host.as_mut().and_then(|host| host.try_retry(kind, now));
            let all_hosts = self
                .tokens
                .as_mut()
                .and_then(|tokens| tokens.try_retry(kind, now));
            if host.is_some() || all_hosts.is_some() {
                self.cold.get_or_insert_default().retry_costs = RetryCosts { all_hosts, host };
            }
        }
        allowed
    }
}
