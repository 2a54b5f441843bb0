//! The request of an attempt, before it is sent.

use bytes::Bytes;
use http::{HeaderMap, Method};
use std::sync::Arc;
use url::Url;

use super::AttemptContext;
use crate::model::attachment::Attachment;
use crate::transport::message::{OutgoingRequest, RequestBody};

/// The request of one attempt, before it is sent: what a hook sees and changes. See
/// [`Builder::before_attempt`](crate::Builder::before_attempt).
#[derive(Debug)]
pub struct AttemptRequest {
    pub(crate) context: AttemptContext,
    pub(crate) request: OutgoingRequest,
}

impl AttemptRequest {
    /// The number of the attempt, from 1. A hook that signs requests signs each attempt anew.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().before_attempt(|mut request| async {
    ///     let number = request.attempt().into();
    ///     request.headers_mut().insert("attempt", number);
    ///     Ok(request)
    /// });
    /// ```
    #[must_use]
    pub fn attempt(&self) -> u16 {
        self.context.number
    }

    /// The value that [`Request::attach`](crate::Request::attach) has attached.
    ///
    /// ```
    /// use fetch_driver::AttemptRequest;
    /// fn tenant(request: &AttemptRequest) -> Option<&String> {
    ///     request.attached()?.downcast_ref()
    /// }
    /// ```
    #[must_use]
    pub fn attached(&self) -> Option<&Attachment> {
        self.context.attached.as_ref()
    }

    /// The body, for signatures; `None` if it is produced while it is sent.
    ///
    /// ```
    /// use fetch_driver::AttemptRequest;
    /// fn signed_length(request: &AttemptRequest) -> Option<usize> {
    ///     request.body().map(|body| body.len())
    /// }
    /// ```
    #[must_use]
    pub fn body(&self) -> Option<Bytes> {
        match &self.request.body {
            RequestBody::Bytes(bytes) => Some(bytes.clone()),
            RequestBody::Empty => Some(Bytes::new()),
            RequestBody::Stream { .. } => None,
        }
    }

    /// The header fields, with cookies, tokens and what the fetcher adds, but without those that the
    /// transport sets (`Host`, `Content-Length`, `Transfer-Encoding`, `Connection`).
    ///
    /// ```
    /// use fetch_driver::AttemptRequest;
    /// fn is_authorized(request: &AttemptRequest) -> bool {
    ///     request.headers().contains_key("authorization")
    /// }
    /// ```
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.request.headers
    }

    /// The header fields, to change them for this attempt. A value that is marked as sensitive is not
    /// logged.
    ///
    /// ```
    /// use fetch_driver::{AttemptRequest, http::HeaderValue};
    /// fn add_key(request: &mut AttemptRequest, key: HeaderValue) {
    ///     request.headers_mut().insert("x-api-key", key);
    /// }
    /// ```
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        Arc::make_mut(&mut self.request.headers)
    }

    /// The method.
    ///
    /// ```
    /// use fetch_driver::AttemptRequest;
    /// fn is_upload(request: &AttemptRequest) -> bool {
    ///     request.method() == "PUT"
    /// }
    /// ```
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.request.method
    }

    /// The tag of the request: see [`Request::tag`](crate::Request::tag).
    ///
    /// ```
    /// use fetch_driver::AttemptRequest;
    /// fn line(request: &AttemptRequest) -> u64 {
    ///     request.tag()
    /// }
    /// ```
    #[must_use]
    pub fn tag(&self) -> u64 {
        self.context.tag
    }

    /// The URL of this attempt, which follows redirects and names the endpoint of a balanced target. Look at
    /// its origin before you add a secret.
    ///
    /// ```
    /// use fetch_driver::AttemptRequest;
    /// fn is_ours(request: &AttemptRequest) -> bool {
    ///     request.url().host_str() == Some("api.example")
    /// }
    /// ```
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.request.url
    }
}
