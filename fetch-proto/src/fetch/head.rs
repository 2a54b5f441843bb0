//! What a response's head leads to: its body is wanted, or a redirect, a retry, a fallback.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::flight::{Next, Stage};
use super::outbox::Word;
use super::{Fetch, World, push};
use crate::fetch::request::RequestBodyKind;
use crate::model::attempt::HeadSummary;
use crate::model::event::DecisionEvent;
use crate::model::failure::{FailureCause, FailureKind, RedirectError};
use crate::model::fault::InjectedFault;
use crate::model::id::AttemptId;
use crate::model::outcome::{AttemptEnd, FetchError};
use crate::model::time::Timestamp;
use crate::policy::RetryClass;
use crate::policy::redirect::{RedirectHop, hop, is_redirect};

impl Fetch {
    pub(super) fn on_head(
        &mut self,
        id: AttemptId,
        head: &HeadSummary,
        now: Timestamp,
        world: &mut dyn World,
    ) {
        let Some(flight) = self.flight_mut(id) else {
            return;
        };
        flight.timings.head = Some(now);
        flight.progress = now;
        if flight.fault() == Some(InjectedFault::Reset) {
            self.drop_flight(id);
            return self.on_end(id, Err(FailureKind::Io), now, world);
        }
        flight.status = Some(head.status);
        flight.retry_after = head.retry_after;
        push(&mut self.events, || DecisionEvent::HeadReceived {
            attempt: id.number,
            status: head.status,
        });
        let next = match self.judge(id, head, now, world) {
            Ok(next) => next,
            Err(error) => {
                self.abandon_others(id, now);
                self.abort(id, AttemptEnd::Redirected, now);
                return self.finish_or_fall_back(FetchError::Redirect(error), now);
            }
        };
        if !matches!(next, Some(Next::Race)) {
            self.abandon_others(id, now);
        }
        let Some(flight) = self.flight_mut(id) else {
            return;
        };
        let word = match next {
            Some(next) => {
                flight.stage = Stage::Discarding(next);
                Word::Discard(id)
            }
            None => {
                flight.stage = Stage::Receiving;
                Word::Accept(id)
            }
        };
        self.outbox.push(word);
    }

    /// What follows a response with this head: `None` if it is the one.
    fn judge(
        &mut self,
        id: AttemptId,
        head: &HeadSummary,
        now: Timestamp,
        world: &mut dyn World,
    ) -> Result<Option<Next>, RedirectError> {
        let status = head.status;
        if let Some(location) = head.location.as_deref()
            && is_redirect(status)
            && self.policy.redirects.max > 0
        {
            return self
                .redirect(status, location)
                .map(|hop| Some(Next::Hop(Box::new(hop))));
        }
        let cause = FailureCause::Status(status);
        if self.policy.class(cause) == RetryClass::Forbidden {
            return Ok(None);
        }
        if self.has_rival(id) {
            // A server that asks for a rest is not asked by further hedges meanwhile.
            self.lost_a_race(head.retry_after.is_none(), now);
            return Ok(Some(Next::Race));
        }
        let asked = head.retry_after.or(head.pause);
        Ok(match self.plan(cause, asked, now, world) {
            Ok(plan) => {
                self.announce(cause, plan);
                Some(Next::Retry {
                    until: now + plan.delay,
                })
            }
            Err(why) => {
                self.give_up(cause, why);
                self.may_fall_back(now).then_some(Next::Fallback)
            }
        })
    }

    fn redirect(&mut self, status: u16, location: &str) -> Result<RedirectHop, RedirectError> {
        let rules = self.policy.redirects;
        let hop = hop(
            status,
            location,
            &self.url,
            &self.method,
            self.send_body,
            rules,
        )?;
        if self.redirects >= rules.max {
            return Err(RedirectError::TooMany);
        }
        if hop.send_body && self.body == RequestBodyKind::Once {
            return Err(RedirectError::BodyNotReplayable);
        }
        let credentials_dropped = hop.cross_origin && self.send_credentials;
        push(&mut self.events, || DecisionEvent::Redirecting {
            credentials_dropped,
            status,
            to: Arc::new(hop.url.clone()),
        });
        Ok(hop)
    }
}
