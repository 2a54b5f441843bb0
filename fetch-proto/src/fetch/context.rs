//! The state outside a fetch on which its decisions depend.

use core::time::Duration;

use crate::challenge::answer::ChallengeAnswer;
use crate::guards::budget::RetryKind;
use crate::guards::health::HostHealth;
use crate::guards::hedge::Hedge;
use crate::guards::outage::HostOutage;
use crate::guards::pacing::Refusal;
use crate::model::time::Timestamp;
use crate::model::token::TokenUse;

/// State that a fetch shares with others: its host's guards, and budgets over all hosts.
pub(crate) trait FetchContext {
    /// How long after an attempt's start a hedge may start; `None` if that is not known yet.
    fn hedge_delay(&mut self, hedge: &Hedge, now: Timestamp) -> Option<Duration>;

    /// The state of the host's breaker, if it is open.
    fn open_circuit(&mut self, now: Timestamp) -> Option<OpenCircuit>;

    /// Whether one of the attempts in flight is a probe of the host's half-open breaker.
    fn is_probe(&self) -> bool;

    /// Whether an attempt in flight goes to an endpoint of a balanced target.
    fn is_balanced(&self) -> bool;

    /// Why the paced host refused the request whose response is handled; `None` if it did not.
    fn refusal(&self) -> Option<Refusal>;

    /// Whether the request whose response is handled, a 401, may be sent again with an answer to its
    /// challenge.
    fn can_answer_challenge(&self) -> bool;

    /// Whether the request whose response is handled, a 401, may be sent again with another token.
    fn can_send_again(&self) -> bool;

    /// The token of the attempt that starts.
    fn token(&self) -> Option<TokenUse>;

    /// Takes the answer to the challenge of its target, with which the attempt starts.
    fn take_login(&mut self) -> Option<ChallengeAnswer>;

    /// The state of the host, if fetches wait for hosts that are down.
    fn outage(&mut self) -> Option<OutageView<'_>>;

    /// Charges an extra attempt to the retry budgets. Returns false if they do not allow it.
    fn spend_retry(&mut self, kind: RetryKind, now: Timestamp) -> bool;
}

/// An open breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OpenCircuit {
    /// Whether fetches end instead of waiting for it to close.
    pub(crate) fails_fast: bool,
    /// When it lets a probe through; `None` if it never does.
    pub(crate) until: Option<Timestamp>,
}

/// What a fetch sees of its host's health.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutageView<'a> {
    pub(crate) health: &'a HostHealth,
    /// The current outage.
    pub(crate) outage: Option<HostOutage>,
    /// The longest `Retry-After` that is waited for.
    pub(crate) max_wait: Duration,
}

/// The context of a fetch that runs without an engine: no breaker, no budget.
pub(crate) struct StandaloneContext;

impl FetchContext for StandaloneContext {
    fn hedge_delay(&mut self, hedge: &Hedge, now: Timestamp) -> Option<Duration> {
        hedge.delay_for(None, now)
    }

    fn open_circuit(&mut self, _: Timestamp) -> Option<OpenCircuit> {
        None
    }

    fn is_probe(&self) -> bool {
        false
    }

    fn is_balanced(&self) -> bool {
        false
    }

    fn refusal(&self) -> Option<Refusal> {
        None
    }

    fn can_answer_challenge(&self) -> bool {
        false
    }

    fn can_send_again(&self) -> bool {
        false
    }

    fn take_login(&mut self) -> Option<ChallengeAnswer> {
        None
    }

    fn token(&self) -> Option<TokenUse> {
        None
    }

    fn outage(&mut self) -> Option<OutageView<'_>> {
        None
    }

    fn spend_retry(&mut self, _: RetryKind, _: Timestamp) -> bool {
        true
    }
}
