//! The response of an attempt, before it is classified.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};
use url::Url;

use super::AttemptContext;
use crate::model::attachment::Attachment;

/// The response of one attempt, whose head has arrived: what a hook sees. See
/// [`Builder::classify`](crate::Builder::classify).
#[derive(Debug)]
#[non_exhaustive]
pub struct AttemptResponse {
    pub(crate) context: AttemptContext,
    /// The first bytes of the decoded body: as many as the hook asks for, or fewer if the body ends or
    /// breaks off before.
    pub first_bytes: Bytes,
    /// The header fields.
    pub headers: HeaderMap,
    /// The status.
    pub status: StatusCode,
    /// The URL of the attempt.
    pub url: Arc<Url>,
    /// The protocol version.
    pub version: Version,
}

impl AttemptResponse {
    /// The number of the attempt, from 1.
    ///
    /// ```
    /// use fetch_driver::AttemptResponse;
    /// fn is_first(response: &AttemptResponse) -> bool {
    ///     response.attempt() == 1
    /// }
    /// ```
    #[must_use]
    pub fn attempt(&self) -> u16 {
        self.context.number
    }

    /// The value that [`Request::attach`](crate::Request::attach) has attached.
    ///
    /// ```
    /// use fetch_driver::AttemptResponse;
    /// fn tenant(response: &AttemptResponse) -> Option<&String> {
    ///     response.attached()?.downcast_ref()
    /// }
    /// ```
    #[must_use]
    pub fn attached(&self) -> Option<&Attachment> {
        self.context.attached.as_ref()
    }

    /// The tag of the request: see [`Request::tag`](crate::Request::tag).
    ///
    /// ```
    /// use fetch_driver::AttemptResponse;
    /// fn line(response: &AttemptResponse) -> u64 {
    ///     response.tag()
    /// }
    /// ```
    #[must_use]
    pub fn tag(&self) -> u64 {
        self.context.tag
    }
}
