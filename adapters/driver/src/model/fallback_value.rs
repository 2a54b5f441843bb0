//! A caller's own answer where all else failed.

use std::fmt;
use std::sync::Arc;

use super::outcome::{Outcome, Response};

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

    /// The response to answer with, if there is one.
    pub(crate) fn answer(&self, outcome: &Outcome) -> Option<Response> {
        (self.0)(outcome)
    }
}

impl fmt::Debug for FallbackValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FallbackValue(..)")
    }
}
