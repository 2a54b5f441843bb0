//! When a token is acquired, refreshed and given up.

mod policy;
#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::model::time::Timestamp;
use crate::model::token::TokenFailure;
use crate::random::{between, mix};

pub use policy::TokenPolicy;

/// The life of one token that many requests share, as a state machine without IO and without the
/// token: it knows only the token's generation, which grows with each new token.
///
/// A request asks for the token by [`request_token`](Self::request_token). The owner then carries out
/// what [`poll`](Self::poll) returns, at most one acquisition at a time, and reports how it ended. A
/// server's refusal of the token is reported by [`reject`](Self::reject).
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Timestamp, TokenAnswer, TokenGrant, TokenPolicy};
///
/// let (mut grant, now) = (TokenGrant::new(TokenPolicy::default(), 7), Timestamp::START);
/// assert_eq!(grant.request_token(now), TokenAnswer::Wait);
/// assert!(grant.poll(now).is_some(), "the first request starts the acquisition");
/// assert!(grant.poll(now).is_none(), "and no other one does");
/// grant.acquired(Some(Duration::from_secs(60)), now);
/// assert_eq!(grant.request_token(now), TokenAnswer::Use { generation: 1 });
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct TokenGrant {
    acquisition: AcquisitionState,
    /// Why no token will be acquired again.
    broken: Option<TokenFailure>,
    /// Acquisitions that failed since the last one that succeeded.
    failures: u16,
    /// Acquisitions that a refused token caused, since a new token last helped.
    forced: u16,
    /// Until then, a refused token causes no acquisition.
    forced_pause: Option<Timestamp>,
    generation: u32,
    /// Whether any server has accepted a token.
    is_proven: bool,
    /// Whether a request needs a token that is not there, or used one that is to be refreshed.
    is_wanted: bool,
    policy: TokenPolicy,
    seed: u64,
    token: Option<CurrentToken>,
}

/// The times of the token in use; `None` if it has no known end.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
struct CurrentToken {
    refresh_at: Option<Timestamp>,
    usable_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
enum AcquisitionState {
    Idle,
    InProgress {
        since: Timestamp,
    },
    /// The last one failed.
    Cooling {
        until: Timestamp,
    },
}

/// The answer to a request that needs the token.
///
/// ```
/// use fetch_proto::{Timestamp, TokenAnswer, TokenGrant, TokenPolicy};
/// let mut grant = TokenGrant::new(TokenPolicy::default(), 7);
/// assert_eq!(grant.request_token(Timestamp::START), TokenAnswer::Wait);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum TokenAnswer {
    /// Send the token of this generation.
    Use {
        /// The generation, from 1.
        generation: u32,
    },
    /// Ask again when an acquisition has ended, or at [`TokenGrant::wake`].
    Wait,
    /// There is no token, and waiting does not help.
    Denied(TokenFailure),
}

/// What follows after a server has refused a token.
///
/// ```
/// use core::time::Duration;
/// use fetch_proto::{Timestamp, TokenGrant, TokenPolicy, TokenRejection};
/// # let (mut grant, now) = (TokenGrant::new(TokenPolicy::default(), 7), Timestamp::START);
/// # let _ = (grant.request_token(now), grant.poll(now));
/// grant.acquired(None, now);
/// assert_eq!(grant.reject(1, now), TokenRejection::SendAgain);
/// assert!(grant.poll(now).is_some(), "it is refreshed");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum TokenRejection {
    /// Send the request again with the token that [`TokenGrant::request_token`] gives.
    SendAgain,
    /// The refusal is the answer: a new token was refused as well, not long ago.
    Final,
}

/// Acquisitions in a row that refused tokens cause before the grant is given up, if no server has
/// accepted any token.
const MAX_USELESS: u16 = 3;

impl TokenGrant {
    /// A grant without a token. The spread of refreshes is drawn from `seed`.
    ///
    /// ```
    /// use fetch_proto::{TokenGrant, TokenPolicy};
    /// assert_eq!(TokenGrant::new(TokenPolicy::default(), 7).generation(), 0);
    /// ```
    #[must_use]
    pub const fn new(policy: TokenPolicy, seed: u64) -> Self {
        Self {
            acquisition: AcquisitionState::Idle,
            broken: None,
            failures: 0,
            forced: 0,
            forced_pause: None,
            generation: 0,
            is_proven: false,
            is_wanted: false,
            policy,
            seed,
            token: None,
        }
    }

    /// The generation of the latest token; 0 before the first.
    ///
    /// ```
    /// use fetch_proto::{TokenGrant, TokenPolicy};
    /// assert_eq!(TokenGrant::new(TokenPolicy::default(), 7).generation(), 0);
    /// ```
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Why no token will be acquired again, if so.
    ///
    /// ```
    /// use fetch_proto::{TokenGrant, TokenPolicy};
    /// assert_eq!(TokenGrant::new(TokenPolicy::default(), 7).broken(), None);
    /// ```
    #[must_use]
    pub const fn broken(&self) -> Option<TokenFailure> {
        self.broken
    }

    /// Answers a request that needs the token. If there is none, or if it is to be refreshed, the next
    /// [`poll`](Self::poll) starts an acquisition.
    ///
    /// ```
    /// use fetch_proto::{Timestamp, TokenAnswer, TokenGrant, TokenPolicy};
    /// let mut grant = TokenGrant::new(TokenPolicy::default(), 7);
    /// assert_eq!(grant.request_token(Timestamp::START), TokenAnswer::Wait);
    /// ```
    pub fn request_token(&mut self, now: Timestamp) -> TokenAnswer {
        if let Some(token) = self.usable_token(now) {
            self.is_wanted |= token.refresh_at.is_some_and(|at| at <= now);
            let generation = self.generation;
            return TokenAnswer::Use { generation };
        }
        if let Some(failure) = self.broken {
            return TokenAnswer::Denied(failure);
        }
        if self.failures >= self.policy.max_failures && self.is_cooling(now) {
            return TokenAnswer::Denied(TokenFailure::Unavailable);
        }
        self.is_wanted = true;
        TokenAnswer::Wait
    }

    /// The generation of the token that may be sent now, if there is one.
    ///
    /// ```
    /// use fetch_proto::{Timestamp, TokenGrant, TokenPolicy};
    /// let grant = TokenGrant::new(TokenPolicy::default(), 7);
    /// assert_eq!(grant.usable_generation(Timestamp::START), None);
    /// ```
    #[must_use]
    pub fn usable_generation(&self, now: Timestamp) -> Option<u32> {
        self.usable_token(now).map(|_| self.generation)
    }

    /// Whether a request could be sent at once with a token that is not to be refreshed. Changes
    /// nothing.
    ///
    /// ```
    /// use fetch_proto::{Timestamp, TokenGrant, TokenPolicy};
    /// assert!(!TokenGrant::new(TokenPolicy::default(), 7).is_fresh(Timestamp::START));
    /// ```
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        let token = self.usable_token(now);
        token.is_some_and(|token| token.refresh_at.is_none_or(|at| at > now))
    }

    /// Starts an acquisition if one is needed and none is in progress: acquire a token, then report it
    /// by [`acquired`](Self::acquired) or [`failed`](Self::failed). Returns the generation that the new
    /// token will have.
    ///
    /// ```
    /// # use fetch_proto::{Timestamp, TokenGrant, TokenPolicy};
    /// let mut grant = TokenGrant::new(TokenPolicy::default(), 7);
    /// assert_eq!(grant.poll(Timestamp::START), None, "no request needs it");
    /// let _ = grant.request_token(Timestamp::START);
    /// assert_eq!(grant.poll(Timestamp::START), Some(1));
    /// ```
    pub fn poll(&mut self, now: Timestamp) -> Option<u32> {
        let is_possible = match self.acquisition {
            AcquisitionState::Idle => true,
            AcquisitionState::InProgress { .. } => false,
            AcquisitionState::Cooling { until } => until <= now,
        };
        if !self.is_wanted || !is_possible || self.broken.is_some() {
            return None;
        }
        self.is_wanted = false;
        self.acquisition = AcquisitionState::InProgress { since: now };
        Some(self.generation.saturating_add(1))
    }

    /// Whether the acquisition in progress has taken longer than it may. Report it as
    /// [`failed`](Self::failed), and forget it.
    ///
    /// ```
    /// use fetch_proto::{Timestamp, TokenGrant, TokenPolicy};
    /// assert!(!TokenGrant::new(TokenPolicy::default(), 7).is_overdue(Timestamp::MAX));
    /// ```
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let AcquisitionState::InProgress { since } = self.acquisition else {
            return false;
        };
        since + self.policy.time_limit <= now
    }

    /// When to look again: an acquisition is [overdue](Self::is_overdue), or the pause after a failed
    /// one ends and a request waits.
    ///
    /// ```
    /// use fetch_proto::{TokenGrant, TokenPolicy};
    /// assert_eq!(TokenGrant::new(TokenPolicy::default(), 7).wake(), None);
    /// ```
    #[must_use]
    pub fn wake(&self) -> Option<Timestamp> {
        match self.acquisition {
            AcquisitionState::InProgress { since } => Some(since + self.policy.time_limit),
            AcquisitionState::Cooling { until } if self.is_wanted && self.broken.is_none() => {
                Some(until)
            }
            _ => None,
        }
    }

    /// The acquisition succeeded; without a lifetime, the token is used until a server refuses it. The
    /// lifetime counts from the start of the acquisition, because the server may have counted from
    /// then. Ignored if none is in progress.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use fetch_proto::{Timestamp, TokenGrant, TokenPolicy};
    /// # let (mut grant, now) = (TokenGrant::new(TokenPolicy::default(), 7), Timestamp::START);
    /// # let _ = (grant.request_token(now), grant.poll(now));
    /// grant.acquired(Some(Duration::from_secs(3600)), now);
    /// assert!(grant.is_fresh(now + Duration::from_secs(3000)));
    /// assert!(!grant.is_fresh(now + Duration::from_secs(3590)));
    /// ```
    pub fn acquired(&mut self, lifetime: Option<Duration>, now: Timestamp) {
        let AcquisitionState::InProgress { since } = self.acquisition else {
            return;
        };
        let usable_until = lifetime.map(|life| since + self.policy.usable_part(life));
        if usable_until.is_some_and(|until| until <= now) {
            return self.failed(TokenFailure::Unavailable, None, now);
        }
        self.generation = self.generation.saturating_add(1);
        self.acquisition = AcquisitionState::Idle;
        self.failures = 0;
        self.is_wanted = false;
        let refresh_at = lifetime.map(|life| {
            let (earliest, latest) = self.policy.refresh_window(life);
            let draw = mix(self.seed, u64::from(self.generation));
            let nanos = |wait: Duration| u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
            let wait = between(draw, nanos(earliest), nanos(latest));
            since + Duration::from_nanos(wait)
        });
        self.token = Some(CurrentToken {
            refresh_at,
            usable_until,
        });
    }

    /// The acquisition failed. After a failure that may pass, the next one starts after a pause, or
    /// after `retry_after` if that is longer. Ignored if none is in progress.
    ///
    /// ```
    /// # use fetch_proto::{Timestamp, TokenAnswer, TokenFailure, TokenGrant, TokenPolicy};
    /// # let (mut grant, now) = (TokenGrant::new(TokenPolicy::default(), 7), Timestamp::START);
    /// # let _ = (grant.request_token(now), grant.poll(now));
    /// grant.failed(TokenFailure::Refused, None, now);
    /// assert_eq!(grant.request_token(now), TokenAnswer::Denied(TokenFailure::Refused));
    /// ```
    pub fn failed(&mut self, failure: TokenFailure, retry_after: Option<Duration>, now: Timestamp) {
        if !matches!(self.acquisition, AcquisitionState::InProgress { .. }) {
            return;
        }
        if failure.is_final() {
            self.acquisition = AcquisitionState::Idle;
            self.broken = Some(failure);
            return;
        }
        let number = u32::from(self.failures);
        let pause = self.policy.backoff.delay(self.seed, number, Duration::ZERO);
        self.failures = self.failures.saturating_add(1);
        let until = now + retry_after.unwrap_or_default().max(pause);
        self.acquisition = AcquisitionState::Cooling { until };
    }

    /// A server refused the token of this generation by 401. It causes an acquisition only if it is the
    /// latest token and no refusal has caused one not long ago: the pause between two such
    /// acquisitions doubles until one of them helps.
    ///
    /// ```
    /// # use fetch_proto::{Timestamp, TokenGrant, TokenPolicy, TokenRejection};
    /// # let (mut grant, now) = (TokenGrant::new(TokenPolicy::default(), 7), Timestamp::START);
    /// # let _ = (grant.request_token(now), grant.poll(now));
    /// grant.acquired(None, now);
    /// assert_eq!(grant.reject(1, now), TokenRejection::SendAgain);
    /// # let _ = grant.poll(now);
    /// grant.acquired(None, now);
    /// assert_eq!(grant.reject(1, now), TokenRejection::SendAgain, "with the newer one");
    /// assert_eq!(grant.reject(2, now), TokenRejection::Final);
    /// ```
    pub fn reject(&mut self, generation: u32, now: Timestamp) -> TokenRejection {
        if self.policy.is_fixed && self.token.is_some() {
            return TokenRejection::Final;
        }
        if generation != self.generation || self.token.is_none() {
            return match self.broken {
                Some(_) if self.usable_token(now).is_none() => TokenRejection::Final,
                _ => TokenRejection::SendAgain,
            };
        }
        if matches!(self.acquisition, AcquisitionState::InProgress { .. }) {
            self.token = None;
            return TokenRejection::SendAgain; // with the one that is on its way
        }
        if self.broken.is_some() || self.forced_pause.is_some_and(|until| now < until) {
            return TokenRejection::Final;
        }
        if self.forced >= MAX_USELESS && !self.is_proven {
            self.broken = Some(TokenFailure::Useless);
            self.token = None;
            return TokenRejection::Final;
        }
        let number = u32::from(self.forced);
        let pause = self.policy.backoff.ceiling(number);
        self.forced = self.forced.saturating_add(1);
        self.forced_pause = Some(now + pause);
        self.token = None;
        self.is_wanted = true;
        TokenRejection::SendAgain
    }

    /// A server accepted the token of this generation: it answered with another status than 401.
    /// `was_refused` says whether it had refused an older token for the same request.
    ///
    /// ```
    /// # use fetch_proto::{Timestamp, TokenGrant, TokenPolicy, TokenRejection};
    /// # let (mut grant, now) = (TokenGrant::new(TokenPolicy::default(), 7), Timestamp::START);
    /// # let _ = (grant.request_token(now), grant.poll(now));
    /// # grant.acquired(None, now);
    /// # let _ = (grant.reject(1, now), grant.poll(now));
    /// grant.acquired(None, now);
    /// grant.accept(2, true);
    /// assert_eq!(grant.reject(2, now), TokenRejection::SendAgain, "the last refresh helped");
    /// ```
    pub fn accept(&mut self, generation: u32, was_refused: bool) {
        self.is_proven = true;
        if was_refused && generation == self.generation {
            self.forced = 0;
            self.forced_pause = None;
        }
    }

    fn usable_token(&self, now: Timestamp) -> Option<CurrentToken> {
        let is_usable = |token: &CurrentToken| token.usable_until.is_none_or(|until| now < until);
        self.token.filter(is_usable)
    }

    fn is_cooling(&self, now: Timestamp) -> bool {
        matches!(self.acquisition, AcquisitionState::Cooling { until } if now < until)
    }
}
