//! A response of the caller that replaces a failure.

use std::fmt;
use std::sync::Arc;

use super::outcome::Outcome;
use super::response::Response;

/// Computes the response to use where a policy's [`Fallback`](fetch_proto::Fallback) asks for a
/// value.
///
/// ```
/// use fetch_driver::{FallbackValue, Response};
/// use http::StatusCode;
///
/// let constant = FallbackValue::new(|_| Some(Response::new(StatusCode::OK, "[]")));
/// ```
#[derive(Clone)]
pub struct FallbackValue(Arc<ComputeFallback>);

type ComputeFallback = dyn Fn(&Outcome) -> Option<Response> + Send + Sync;

impl FallbackValue {
    /// Calls `compute` with the failed outcome. If it returns `None`, that outcome is not changed.
    ///
    /// ```
    /// let none = fetch_driver::FallbackValue::new(|_| None);
    /// ```
    pub fn new(compute: impl Fn(&Outcome) -> Option<Response> + Send + Sync + 'static) -> Self {
        Self(Arc::new(compute))
    }

    pub(crate) fn compute(&self, outcome: &Outcome) -> Option<Response> {
        (self.0)(outcome)
    }
}

impl fmt::Debug for FallbackValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FallbackValue(..)")
    }
}
