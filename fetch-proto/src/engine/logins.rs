//! Logins: which attempt is sent with which answer to a challenge, and who waits for the first one.

use alloc::sync::Arc;
use alloc::vec::Vec;

use url::Url;

use super::Engine;
use super::state::fetch_slab::AttemptPermit;
use crate::auth::logins::LoginUse;
use crate::challenge::answer::{ChallengeAnswer, LoginSchemes, ServerAuthentication};
use crate::model::id::FetchId;
use crate::model::time::Timestamp;
use crate::model::token::TokenUse;

impl Engine {
    /// Whether the fetch waits until its host has answered the first request that this login is for. If
    /// so, it is queued then.
    pub(super) fn waits_for_login(&mut self, index: u32, profile: u16) -> bool {
        if self.login_schemes(profile).is_none() {
            return false;
        }
        let Some(slot) = self.fetches.get(index) else {
            return false;
        };
        // The endpoint of a balanced target is not known yet.
        let host = self.hosts.get(slot.host);
        if host.target.is_some() {
            return false;
        }
        let id = self.fetches.id(index);
        let tokens = self.tokens.get_mut(profile);
        tokens.is_some_and(|tokens| tokens.logins.wait(&host.key, id))
    }

    /// What an attempt of the fetch with this token, which `host` serves, is sent with.
    pub(crate) fn login_for(
        &mut self,
        token: Option<TokenUse>,
        (host, url): (u32, &Arc<Url>),
        id: FetchId,
    ) -> Option<(LoginUse, ChallengeAnswer)> {
        let profile = token?.profile;
        self.login_schemes(profile)?;
        let tokens = self.tokens.get_mut(profile)?;
        let origin = &self.hosts.get(host).key;
        tokens.logins.next_answer(origin, url.path(), id)
    }

    /// Reports the first answer to an attempt. Returns whether its request may be sent again with an
    /// answer to the challenges.
    pub(super) fn report_login_answer(
        &mut self,
        permit: AttemptPermit,
        (id, url): (FetchId, &Url),
        (status, fields): (u16, Option<&ServerAuthentication>),
        now: Timestamp,
    ) -> bool {
        let Some(profile) = permit.token().map(|token| token.profile) else {
            return false;
        };
        let (Some(schemes), Some(tokens)) =
            (self.login_schemes(profile), self.tokens.get_mut(profile))
        else {
            return false;
        };
        let origin = &self.hosts.get(permit.host).key;
        let challenges = fields.map_or(&[][..], |fields| &fields.challenges);
        let can_answer = match (status, permit.login) {
            (401, sent) => {
                let (logins, at) = (&mut tokens.logins, (&**origin, url));
                logins.take_challenges(at, sent, challenges, schemes)
            }
            (_, Some(sent)) => {
                let info = fields.and_then(|fields| fields.info.as_deref());
                tokens.logins.accept(origin, sent, info);
                false
            }
            (_, None) => false,
        };
        let waiting = tokens.logins.end_probe(origin, id, true);
        self.requeue(waiting, now);
        can_answer
    }

    /// Takes note that an attempt has ended, or was not started.
    pub(crate) fn end_login_probe(&mut self, permit: AttemptPermit, id: FetchId, now: Timestamp) {
        let Some(profile) = permit.token().map(|token| token.profile) else {
            return;
        };
        if self.login_schemes(profile).is_none() {
            return;
        }
        if let Some(tokens) = self.tokens.get_mut(profile) {
            let origin = &self.hosts.get(permit.host).key;
            let waiting = tokens.logins.end_probe(origin, id, false);
            self.requeue(waiting, now);
        }
    }

    fn requeue(&mut self, waiting: Vec<FetchId>, now: Timestamp) {
        for id in waiting {
            self.requeue_deferred(id, now);
        }
    }

    fn login_schemes(&self, profile: u16) -> Option<LoginSchemes> {
        self.config.auth.get(usize::from(profile))?.login_schemes()
    }
}
