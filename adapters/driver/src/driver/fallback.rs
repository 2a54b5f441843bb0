//! What to answer with when all else failed: an earlier response, or the caller's own value.

use std::num::NonZeroUsize;

use fetch_proto::Method;
use lru::LruCache;

use crate::model::fallback_value::FallbackValue;
use crate::model::outcome::{FellBack, Outcome, Response};

/// The last resort of a driver.
pub(crate) struct LastResort {
    /// Good responses to GET whose bodies were not saved elsewhere, by URL.
    stale: Option<LruCache<String, Response>>,
    value: Option<FallbackValue>,
}

impl LastResort {
    pub(crate) fn new(stale: usize, value: Option<FallbackValue>) -> Self {
        Self {
            stale: NonZeroUsize::new(stale).map(LruCache::new),
            value,
        }
    }

    /// Keeps a good response for later; puts an earlier one, or the caller's value, in the place of
    /// a bad end that asks for it.
    pub(crate) fn apply(&mut self, outcome: &mut Outcome, method: &Method, wants_value: bool) {
        let get = *method == Method::Get;
        if let (Some(stale), Ok(response), true) = (&mut self.stale, &outcome.result, get)
            && response.status.is_success()
            && response.saved.is_none()
        {
            stale.put(outcome.url.clone(), response.clone());
        }
        if !wants_value {
            return;
        }
        let stale = self.stale.as_mut().filter(|_| get);
        let stale = stale.and_then(|stale| stale.get(&outcome.url).cloned());
        let (response, from) = match stale {
            Some(response) => (Some(response), FellBack::Stale),
            None => {
                let own = self.value.as_ref();
                (own.and_then(|value| value.answer(outcome)), FellBack::Value)
            }
        };
        if let Some(response) = response {
            outcome.result = Ok(response);
            outcome.fell_back = Some(from);
        }
    }
}
