//! The results of a fetch's redirects: withheld fields, the method, the responses.

use fetch_proto::Method;
use http::HeaderName;

use crate::model::outcome::RedirectResponse;

/// The results of redirects for the outcome of a fetch. Boxed, because most fetches have none.
#[derive(Clone, Debug, Default)]
pub(crate) struct RedirectTrail(Option<Box<Trail>>);

#[derive(Clone, Debug, Default)]
struct Trail {
    /// The method of the last request, if it is not that of the first.
    method: Option<Method>,
    responses: Vec<RedirectResponse>,
    withheld: Vec<HeaderName>,
}

impl RedirectTrail {
    /// Notes the method of a request, and the fields that it lacks.
    pub(crate) fn note_request(
        &mut self,
        method: &Method,
        original: &Method,
        withheld: Vec<HeaderName>,
    ) {
        if method == original && withheld.is_empty() {
            return;
        }
        let trail = self.0.get_or_insert_default();
        trail.method = Some(method.clone());
        for name in withheld {
            if !trail.withheld.contains(&name) {
                trail.withheld.push(name);
            }
        }
    }

    /// Adds a response that redirects.
    pub(crate) fn push(&mut self, response: RedirectResponse) {
        self.0.get_or_insert_default().responses.push(response);
    }

    /// The method of the last request; `None` if it is that of the first.
    pub(crate) fn method(&self) -> Option<&Method> {
        self.0.as_ref()?.method.as_ref()
    }

    /// The responses that redirected, and the names of the fields that were withheld.
    pub(crate) fn take(&mut self) -> (Vec<RedirectResponse>, Vec<HeaderName>) {
        let trail = self.0.take().unwrap_or_default();
        (trail.responses, trail.withheld)
    }
}
