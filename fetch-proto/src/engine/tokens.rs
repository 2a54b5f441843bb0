//! Tokens: which attempt is sent with which, who waits for one, and when one is acquired.

use core::time::Duration;

use super::state::fetch_slab::ChosenProfile;
use super::state::token_grants::TokenGrants;
use super::{Engine, EngineOutput};
use crate::auth::grant::{TokenAnswer, TokenRejection};
use crate::auth::profile::AuthProfile;
use crate::fetch::Fetch;
use crate::model::event::DecisionEvent;
use crate::model::outcome::FetchError;
use crate::model::time::Timestamp;
use crate::model::token::{TokenFailure, TokenUse};

impl Engine {
    /// The driver has acquired the token that [`EngineOutput::AcquireToken`] asks for. Its lifetime is
    /// that of the token's answer; without one, the token is used until a server refuses it. Fetches
    /// that wait for it are queued.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::{AuthProfile, Engine, EngineConfig, EngineOutput, FetchRequest, Timestamp};
    ///
    /// let now = Timestamp::START;
    /// let profile = AuthProfile::new("api").scope("https://api.test/".parse()?);
    /// let mut engine = Engine::new(EngineConfig::default().auth_profiles([profile]), 7, now);
    /// engine.submit(FetchRequest::get("https://api.test/1".parse()?), now)?;
    /// let EngineOutput::AcquireToken(wanted) = engine.poll(now) else { unreachable!() };
    /// engine.token_acquired(wanted.profile, Some(Duration::from_secs(3600)), now);
    /// let EngineOutput::Start(attempt) = engine.poll(now) else { unreachable!() };
    /// assert_eq!(attempt.token, Some(wanted));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn token_acquired(&mut self, profile: u16, lifetime: Option<Duration>, now: Timestamp) {
        let now = self.clock.advance(now);
        let Some(tokens) = self.tokens.get_mut(profile) else {
            return;
        };
        let before = tokens.grant.generation();
        tokens.grant.acquired(lifetime, now);
        let generation = tokens.grant.generation();
        if generation == before {
            return self.ask_again(profile, now);
        }
        self.stats.tokens_acquired += 1;
        let profiles = &self.config.auth;
        self.outputs.push_event(|| DecisionEvent::TokenAcquired {
            generation,
            lifetime,
            profile: name(profiles, profile),
        });
        self.ask_again(profile, now);
    }

    /// The driver could not acquire the token that [`EngineOutput::AcquireToken`] asks for. After a
    /// failure that may pass, it is asked again after a pause, or after `retry_after` if that is longer.
    ///
    /// ```
    /// use fetch_proto::{AuthProfile, Engine, EngineConfig, EngineOutput, FetchError, FetchRequest, Timestamp, TokenFailure};
    ///
    /// let now = Timestamp::START;
    /// let profile = AuthProfile::new("api").scope("https://api.test/".parse()?);
    /// let mut engine = Engine::new(EngineConfig::default().auth_profiles([profile]), 7, now);
    /// engine.submit(FetchRequest::get("https://api.test/1".parse()?), now)?;
    /// let EngineOutput::AcquireToken(wanted) = engine.poll(now) else { unreachable!() };
    /// engine.token_failed(wanted.profile, TokenFailure::Refused, None, now);
    /// let _event = engine.poll(now);
    /// let EngineOutput::Done(_, outcome) = engine.poll(now) else { unreachable!() };
    /// assert_eq!(outcome.result, Err(FetchError::NoToken(TokenFailure::Refused)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn token_failed(
        &mut self,
        profile: u16,
        failure: TokenFailure,
        retry_after: Option<Duration>,
        now: Timestamp,
    ) {
        let now = self.clock.advance(now);
        if let Some(tokens) = self.tokens.get_mut(profile) {
            tokens.grant.failed(failure, retry_after, now);
            let profile_name = name(&self.config.auth, profile);
            self.outputs
                .push_important_event(DecisionEvent::TokenFailed {
                    failure,
                    profile: profile_name,
                });
            self.ask_again(profile, now);
        }
    }

    /// Whether the fetch has to wait for a token before it may queue or start. If so, it is queued when
    /// the token is there, or has ended because there will be none.
    pub(crate) fn waits_for_token(&mut self, index: u32, now: Timestamp) -> bool {
        let Some(profile) = self.profile_of(index) else {
            return false;
        };
        let Some(tokens) = self.tokens.get_mut(profile) else {
            return false;
        };
        if tokens.grant.is_fresh(now) {
            return self.waits_for_login(index, profile);
        }
        let waits = match tokens.grant.request_token(now) {
            TokenAnswer::Use { .. } => {
                self.start_acquisition(profile, now);
                return self.waits_for_login(index, profile);
            }
            TokenAnswer::Wait => {
                tokens.wait(self.fetches.id(index));
                true
            }
            TokenAnswer::Denied(failure) => {
                if let Some(slot) = self.fetches.get_mut(index) {
                    slot.fetch.reject(FetchError::NoToken(failure), now);
                    self.mark_for_poll(index);
                }
                true
            }
        };
        self.start_acquisition(profile, now);
        waits
    }

    /// The profile that authenticates the fetch since it was queued last.
    pub(super) fn profile_of(&mut self, index: u32) -> Option<u16> {
        if self.config.auth.is_empty() {
            return None;
        }
        let slot = self.fetches.get_mut(index)?;
        if slot.auth == ChosenProfile::UNKNOWN {
            slot.auth = ChosenProfile::new(profile_of(&slot.fetch, &self.config.auth));
        }
        slot.auth.number()
    }

    /// The token for an attempt of the fetch that starts now; `Err` if there is none that may be used.
    pub(crate) fn token_for(&mut self, index: u32, now: Timestamp) -> Result<Option<TokenUse>, ()> {
        let chosen = self.profile_of(index);
        debug_assert_eq!(
            chosen,
            (self.fetches.get(index)).and_then(|slot| profile_of(&slot.fetch, &self.config.auth)),
            "the profile was chosen for another URL"
        );
        let Some(profile) = chosen else {
            return Ok(None);
        };
        let tokens = self.tokens.get(profile).ok_or(())?;
        let generation = tokens.grant.usable_generation(now).ok_or(())?;
        Ok(Some(TokenUse {
            generation,
            profile,
        }))
    }

    /// Reports the first answer to an attempt that was sent with this token. Returns whether its
    /// request may be sent again with another one.
    pub(crate) fn report_token_answer(
        &mut self,
        token: TokenUse,
        status: u16,
        was_refused: bool,
        now: Timestamp,
    ) -> bool {
        let Some(tokens) = self.tokens.get_mut(token.profile) else {
            return false;
        };
        if status != 401 {
            tokens.grant.accept(token.generation, was_refused);
            return false;
        }
        let before = tokens.grant.broken();
        let rejection = tokens.grant.reject(token.generation, now);
        if let Some(failure) = tokens.grant.broken().filter(|_| before.is_none()) {
            let profile = name(&self.config.auth, token.profile);
            let event = DecisionEvent::TokenFailed { failure, profile };
            self.outputs.push_important_event(event);
        }
        self.start_acquisition(token.profile, now);
        rejection == TokenRejection::SendAgain
    }

    /// Ends acquisitions that take too long, and starts those whose pause is over. Returns whether there
    /// was any.
    pub(super) fn start_due_acquisitions(&mut self, now: Timestamp) -> bool {
        let is_due = self.tokens.wake().is_some_and(|wake| wake <= now);
        if is_due {
            for profile in self.tokens.numbers() {
                let tokens = self.tokens.get(profile);
                if tokens.is_some_and(|tokens| tokens.grant.is_overdue(now)) {
                    self.token_failed(profile, TokenFailure::Unavailable, None, now);
                }
                self.start_acquisition(profile, now);
            }
        }
        is_due
    }

    /// Replaces the grants after a change of the profiles. Tokens are acquired again.
    pub(super) fn restart_grants(&mut self, now: Timestamp) {
        let grants = TokenGrants::new(&self.config.auth, self.random.seed());
        let mut before = core::mem::replace(&mut self.tokens, grants);
        for index in self.fetches.indices() {
            if let Some(slot) = self.fetches.get_mut(index) {
                slot.auth = ChosenProfile::UNKNOWN;
            }
        }
        for profile in before.numbers() {
            let waiting = before.get_mut(profile).map(|tokens| tokens.take_waiting());
            for id in waiting.into_iter().flatten() {
                self.requeue_deferred(id, now);
            }
        }
    }

    /// Lets all fetches that wait for the profile's token ask for it again.
    fn ask_again(&mut self, profile: u16, now: Timestamp) {
        let waiting = self.tokens.get_mut(profile).map(|one| one.take_waiting());
        for id in waiting.into_iter().flatten() {
            self.requeue_deferred(id, now);
        }
    }

    fn start_acquisition(&mut self, profile: u16, now: Timestamp) {
        let tokens = self.tokens.get_mut(profile);
        if let Some(generation) = tokens.and_then(|tokens| tokens.grant.poll(now)) {
            let wanted = TokenUse {
                generation,
                profile,
            };
            self.outputs.push(EngineOutput::AcquireToken(wanted));
        }
    }
}

/// The number of the profile that authenticates the next attempt of `fetch`.
fn profile_of(fetch: &Fetch, profiles: &[AuthProfile]) -> Option<u16> {
    let choice = &fetch.policy().auth;
    AuthProfile::choose(profiles, choice, fetch.target(), fetch.sends_credentials())
}

fn name(profiles: &[AuthProfile], number: u16) -> alloc::boxed::Box<str> {
    let profile = profiles.get(usize::from(number));
    profile.map_or("", AuthProfile::name).into()
}
