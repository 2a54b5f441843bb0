//! Responses for fetches that failed: an earlier response, or the caller's value.

use std::num::NonZeroUsize;

use fetch_proto::Method;
use lru::LruCache;

use crate::model::fallback_value::FallbackValue;
use crate::model::outcome::{FallbackSource, Outcome, Response};

/// The fallbacks of one driver.
pub(crate) struct Fallbacks {
    /// Successful responses to GET by URL, except those whose bodies were saved elsewhere.
    stale: Option<LruCache<String, Response>>,
    value: Option<FallbackValue>,
}

impl Fallbacks {
    pub(crate) fn new(stale: usize, value: Option<FallbackValue>) -> Self {
        Self {
            stale: NonZeroUsize::new(stale).map(LruCache::new),
            value,
        }
    }

    /// Stores a successful response for later. If the fetch failed and its policy `needs_fallback_value`,
    /// replaces the result by a stored response or the caller's value.
    pub(crate) fn apply(
        &mut self,
        outcome: &mut Outcome,
        method: &Method,
        needs_fallback_value: bool,
    ) {
        let is_get = *method == Method::Get;
        if let (Some(stale), Ok(response), true) = (&mut self.stale, &outcome.result, is_get)
            && response.status.is_success()
            && response.saved.is_none()
        {
            stale.put(outcome.url.clone(), response.clone());
        }
        if !needs_fallback_value {
            return;
        }
        let stale = self.stale.as_mut().filter(|_| is_get);
        let stale = stale.and_then(|stale| stale.get(&outcome.url).cloned());
        let (response, source) = match stale {
            Some(response) => (Some(response), FallbackSource::Stale),
            None => {
                let value = self.value.as_ref();
                let response = value.and_then(|value| value.compute(outcome));
                (response, FallbackSource::Value)
            }
        };
        if let Some(response) = response {
            outcome.result = Ok(response);
            outcome.fallback = Some(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::outcomes::sender::rejected_outcome;
    use crate::model::error::{Error, ErrorKind};

    fn failed() -> Outcome {
        let url = "http://a.test/".to_owned();
        rejected_outcome(Error::rejected(ErrorKind::Stopped, &url, "failed"), url, 0)
    }

    fn succeeded(body: &'static str) -> Outcome {
        let mut outcome = failed();
        outcome.result = Ok(Response::new(http::StatusCode::OK, body));
        outcome
    }

    fn body(outcome: &Outcome) -> Option<&[u8]> {
        outcome.response().map(|response| &response.body[..])
    }

    #[test]
    fn a_stored_response_comes_before_the_callers_value() {
        let answer = |_: &Outcome| Some(Response::new(http::StatusCode::OK, "value"));
        let mut fallbacks = Fallbacks::new(1, Some(FallbackValue::new(answer)));
        let mut outcome = failed();
        fallbacks.apply(&mut outcome, &Method::Get, true);
        assert_eq!(body(&outcome), Some(&b"value"[..]));
        fallbacks.apply(&mut succeeded("stored"), &Method::Get, false);
        let mut outcome = failed();
        fallbacks.apply(&mut outcome, &Method::Get, true);
        assert_eq!(body(&outcome), Some(&b"stored"[..]));
        assert_eq!(outcome.fallback, Some(FallbackSource::Stale));
    }

    #[test]
    fn other_methods_and_policies_without_a_fallback_get_no_stored_response() {
        let mut fallbacks = Fallbacks::new(1, None);
        fallbacks.apply(&mut succeeded("stored"), &Method::Get, false);
        for (method, needs_fallback_value) in [(Method::Post, true), (Method::Get, false)] {
            let mut outcome = failed();
            fallbacks.apply(&mut outcome, &method, needs_fallback_value);
            assert_eq!((body(&outcome), outcome.fallback), (None, None));
        }
    }
}
