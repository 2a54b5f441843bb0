//! Responses that replace failures.

use crate::model::fallback_value::FallbackValue;

/// Responses that replace failures, where a policy's [`Fallback`](fetch_proto::Fallback) asks for a
/// value: an earlier response to the same request, or else the caller's value.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FallbackSettings {
    /// How many successful responses to GET are stored for this, least recently used first out.
    /// Default 0. Each may be as large as the largest body.
    ///
    /// A stored response is used only for a request with the same URL, user and password included, and
    /// the same header fields. A response with `Cache-Control: no-store` or `private` is not stored.
    pub stale: usize,
    /// The caller's value. Default: none.
    pub value: Option<FallbackValue>,
}
