//! What to answer with when all else failed: an earlier response, or the caller's own value.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use fetch_proto::Method;
use lru::LruCache;

use crate::outcome::{FellBack, Outcome, Response};
use crate::settings::Settings;

/// A caller's own answer where a policy's [`Fallback`](fetch_proto::Fallback) asks for a value.
///
/// ```
/// use fetch_driver::{FallbackValue, Response};
/// use http::StatusCode;
///
/// let constant = FallbackValue::new(|_| Some(Response::new(StatusCode::OK, "[]")));
/// ```
#[derive(Clone)]
pub struct FallbackValue(Arc<Answer>);

type Answer = dyn Fn(&Outcome) -> Option<Response> + Send + Sync;

impl FallbackValue {
    /// Asks `answer`, which sees how the fetch ended; with `None` that stays its end.
    ///
    /// ```
    /// let none = fetch_driver::FallbackValue::new(|_| None);
    /// ```
    pub fn new(answer: impl Fn(&Outcome) -> Option<Response> + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }
}

impl fmt::Debug for FallbackValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FallbackValue(..)")
    }
}

/// The last resort of a driver.
pub(crate) struct LastResort {
    /// Good responses to GET whose bodies were not saved elsewhere, by URL.
    stale: Option<LruCache<String, Response>>,
    value: Option<FallbackValue>,
}

impl LastResort {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            stale: NonZeroUsize::new(settings.stale).map(LruCache::new),
            value: settings.fallback_value.clone(),
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
                (own.and_then(|value| (value.0)(outcome)), FellBack::Value)
            }
        };
        if let Some(response) = response {
            outcome.result = Ok(response);
            outcome.fell_back = Some(from);
        }
    }
}
