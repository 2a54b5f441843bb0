//! Responses for fetches that failed: an earlier response, or the caller's value.

use std::num::NonZeroUsize;

use fetch_proto::Method;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use lru::LruCache;

use crate::model::fallback_value::FallbackValue;
use crate::model::outcome::{FallbackSource, Outcome};
use crate::model::request::Request;
use crate::model::response::Response;

/// The fallbacks of one driver.
pub(crate) struct Fallbacks {
    /// Successful responses to GET, except those whose bodies were saved elsewhere and those that must
    /// not be stored.
    stale: Option<LruCache<StaleKey, Response>>,
    value: Option<FallbackValue>,
}

/// Everything that identifies a request, so that a response is used only for a repetition of the
/// same request: URL, path as sent, and all header fields, which include the credentials of the
/// URL. The method is always GET.
#[derive(Eq, Hash, PartialEq)]
struct StaleKey {
    fields: Vec<(HeaderName, HeaderValue)>,
    path_as_is: Option<PathAndQuery>,
    url: String,
}

impl StaleKey {
    fn new(request: &Request) -> Self {
        let fields = request.headers.iter();
        let mut fields: Vec<_> = fields.map(|(n, v)| (n.clone(), v.clone())).collect();
        // Stable, because the order of equal names has a meaning.
        fields.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        Self {
            fields,
            path_as_is: request.path_as_is.clone(),
            url: request.url.as_str().to_owned(),
        }
    }
}

/// Whether `Cache-Control` allows to store the response. `private` counts as a refusal, too, because the
/// identity behind a request may be unknown here. A field that cannot be read fails closed.
fn may_store(headers: &HeaderMap) -> bool {
    headers.get_all(header::CACHE_CONTROL).iter().all(|value| {
        value.to_str().is_ok_and(|text| {
            text.split([',', ';', '"']).all(|directive| {
                let name = directive.split('=').next().unwrap_or_default().trim();
                !name.eq_ignore_ascii_case("no-store") && !name.eq_ignore_ascii_case("private")
            })
        })
    })
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
        request: &Request,
        needs_fallback_value: bool,
    ) {
        let is_get = request.method == Method::Get;
        if let (Some(stale), Ok(response), true) = (&mut self.stale, &outcome.result, is_get)
            && response.status.is_success()
            && response.saved.is_none()
        {
            let key = StaleKey::new(request);
            match may_store(&response.headers) {
                true => drop(stale.put(key, response.clone())),
                // A response that may no longer be stored replaces the one before.
                false => drop(stale.pop(&key)),
            }
        }
        if !needs_fallback_value {
            return;
        }
        let stale = self.stale.as_mut().filter(|_| is_get);
        let stale = stale.and_then(|stale| stale.get(&StaleKey::new(request)).cloned());
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

    fn get(url: &str, fields: &[(&'static str, &'static str)]) -> Request {
        let request = Request::get(url).unwrap();
        let add = |request: Request, (name, value): &(&'static str, &'static str)| {
            request.header(name, value).unwrap()
        };
        fields.iter().fold(request, add)
    }

    /// Whether `later`, which fails, gets the response to `first`, which had these header fields.
    fn reused(first: &Request, fields: &[(&'static str, &'static str)], later: &Request) -> bool {
        let mut fallbacks = Fallbacks::new(2, None);
        let mut answered = succeeded("stored");
        if let Ok(response) = &mut answered.result {
            for (name, value) in fields {
                let (name, value) = (*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
                response
                    .headers
                    .append(HeaderName::from_static(name), value);
            }
        }
        fallbacks.apply(&mut answered, first, false);
        let mut outcome = failed();
        fallbacks.apply(&mut outcome, later, true);
        outcome.response().is_some()
    }

    #[test]
    fn a_stored_response_is_used_for_the_same_request_only() {
        let plain = get("http://a.test/", &[]);
        let alice = get(
            "http://a.test/",
            &[("authorization", "alice"), ("accept", "text/html")],
        );
        let same = get(
            "http://a.test/",
            &[("accept", "text/html"), ("authorization", "alice")],
        );
        let bob = get(
            "http://a.test/",
            &[("authorization", "bob"), ("accept", "text/html")],
        );
        let cookie = get("http://a.test/", &[("cookie", "id=alice")]);
        assert!(reused(&plain, &[], &plain) && reused(&alice, &[], &same));
        for (first, later) in [
            (&alice, &bob),
            (&alice, &plain),
            (&plain, &alice),
            (&cookie, &plain),
        ] {
            assert!(!reused(first, &[], later), "{first:?} {later:?}");
        }
        let by_url = |user| get(&format!("http://{user}@a.test/"), &[]);
        assert!(!reused(&by_url("alice:x"), &[], &by_url("bob:y")));
        assert!(!reused(&by_url("alice:x"), &[], &plain));
        assert!(!reused(
            &get("http://a.test/?a", &[]),
            &[],
            &get("http://a.test/?b", &[])
        ));
    }

    #[test]
    fn what_must_not_be_stored_is_not_stored() {
        let request = get("http://a.test/", &[]);
        let control = "cache-control";
        for value in [
            "no-store",
            "max-age=9, No-Store",
            "private",
            "private=\"set-cookie\"",
            "\u{e9}",
        ] {
            assert!(!reused(&request, &[(control, value)], &request), "{value}");
        }
        assert!(!reused(
            &request,
            &[(control, "max-age=9"), (control, "private")],
            &request
        ));
        assert!(reused(
            &request,
            &[(control, "max-age=9, public")],
            &request
        ));
    }

    #[test]
    fn a_response_that_must_not_be_stored_removes_the_one_before() {
        let (mut fallbacks, request) = (Fallbacks::new(2, None), get("http://a.test/", &[]));
        fallbacks.apply(&mut succeeded("stored"), &request, false);
        let mut unstorable = succeeded("secret");
        if let Ok(response) = &mut unstorable.result {
            let value = HeaderValue::from_static("no-store");
            response.headers.insert(header::CACHE_CONTROL, value);
        }
        fallbacks.apply(&mut unstorable, &request, false);
        let mut outcome = failed();
        fallbacks.apply(&mut outcome, &request, true);
        assert_eq!(body(&outcome), None);
    }

    #[test]
    fn a_stored_response_comes_before_the_callers_value() {
        let answer = |_: &Outcome| Some(Response::new(http::StatusCode::OK, "value"));
        let mut fallbacks = Fallbacks::new(1, Some(FallbackValue::new(answer)));
        let mut outcome = failed();
        fallbacks.apply(&mut outcome, &get("http://a.test/", &[]), true);
        assert_eq!(body(&outcome), Some(&b"value"[..]));
        fallbacks.apply(&mut succeeded("stored"), &get("http://a.test/", &[]), false);
        let mut outcome = failed();
        fallbacks.apply(&mut outcome, &get("http://a.test/", &[]), true);
        assert_eq!(body(&outcome), Some(&b"stored"[..]));
        assert_eq!(outcome.fallback, Some(FallbackSource::Stale));
    }

    #[test]
    fn other_methods_and_policies_without_a_fallback_get_no_stored_response() {
        let mut fallbacks = Fallbacks::new(1, None);
        fallbacks.apply(&mut succeeded("stored"), &get("http://a.test/", &[]), false);
        for (method, needs_fallback_value) in [(Method::Post, true), (Method::Get, false)] {
            let mut outcome = failed();
            let request = Request::new(method, "http://a.test/").unwrap();
            fallbacks.apply(&mut outcome, &request, needs_fallback_value);
            assert_eq!((body(&outcome), outcome.fallback), (None, None));
        }
    }
}
