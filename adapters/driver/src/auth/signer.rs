//! What authenticates a request by what it is, and not by one value for all.

use std::fmt;

use fetch_proto::ChallengeAnswer;
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// Computes the fields that authenticate a request: a signature, or the answer to a challenge. It is
/// called for each attempt, by the driver, so it must not block.
///
/// ```
/// use fetch_driver::http::{HeaderName, HeaderValue, header};
/// use fetch_driver::{AccessToken, RequestSigner, RequestToSign};
///
/// struct ByPath;
///
/// impl RequestSigner for ByPath {
///     fn sign(&self, request: &RequestToSign<'_>) -> Vec<(HeaderName, HeaderValue)> {
///         let value = HeaderValue::try_from(format!("Path {}", request.target));
///         value.into_iter().map(|value| (header::AUTHORIZATION, value)).collect()
///     }
/// }
///
/// let token = AccessToken::signer(ByPath);
/// ```
pub trait RequestSigner: Send + Sync + 'static {
    /// The fields to set; none if the request is to be sent as it is.
    fn sign(&self, request: &RequestToSign<'_>) -> Vec<(HeaderName, HeaderValue)>;
}

/// A request as it will be sent.
#[non_exhaustive]
pub struct RequestToSign<'a> {
    /// The body; `None` if it is a stream.
    pub body: Option<&'a [u8]>,
    /// The header fields, without those that the transport sets, such as `Host`.
    pub headers: &'a HeaderMap,
    /// How the challenge of the server is answered, if the profile is a login and the server has sent
    /// one.
    pub login: Option<&'a ChallengeAnswer>,
    /// The method.
    pub method: &'a http::Method,
    /// Path and query as they are sent.
    pub target: &'a str,
    /// The URL.
    pub url: &'a Url,
}

impl<'a> RequestToSign<'a> {
    /// A GET without a body and without header fields.
    ///
    /// ```
    /// use fetch_driver::RequestToSign;
    /// let url = "http://a.test/x?y".parse()?;
    /// assert_eq!(RequestToSign::get(&url, &Default::default()).target, "/x?y");
    /// # Ok::<(), url::ParseError>(())
    /// ```
    #[must_use]
    pub fn get(url: &'a Url, headers: &'a HeaderMap) -> Self {
        Self {
            body: Some(b""),
            headers,
            login: None,
            method: &http::Method::GET,
            target: &url[url::Position::BeforePath..url::Position::AfterQuery],
            url,
        }
    }
}

impl fmt::Debug for RequestToSign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RequestToSign");
        shown.field("method", self.method);
        shown.field("target", &self.target).finish_non_exhaustive()
    }
}
