//! One request, and how it is carried out.

mod authentication;
mod content;
pub(crate) mod credentials;
mod interop;
mod into;
#[cfg(feature = "json")]
mod json;
mod methods;
mod parse;
mod path;
mod response;

use std::sync::Arc;

use bytes::Bytes;
use fetch_proto::{Method, Policy, PolicyPatch, Quoted, ResumePoint};
use futures_core::Stream;
use futures_lite::StreamExt;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use crate::fields::redact::RedactedUrl;
use crate::model::attachment::Attachment;
use crate::model::error::{Error, ErrorKind};
use crate::model::redirect_check::RedirectCheck;
use crate::model::save::BodySink;
use crate::transport::message::BodyStream;
use content::BodyFactory;
pub use content::BodySource;
pub(crate) use content::RequestContent;
pub use into::IntoRequest;
pub use response::BodyRetention;

/// One request: a URL, a method, header fields, a body, and options of how it is carried out.
///
/// ```
/// use fetch_driver::Request;
///
/// let request = Request::get("https://a.test/items")?
///     .header("accept", "application/json")?
///     .tag(42);
/// # Ok::<(), fetch_driver::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) attached: Option<Attachment>,
    pub(crate) body: RequestContent,
    pub(crate) body_retention: BodyRetention,
    pub(crate) headers: HeaderMap,
    pub(crate) idempotent: bool,
    /// Whether the outcome has the responses that redirected.
    pub(crate) keep_redirects: bool,
    pub(crate) method: Method,
    /// The URL's path and query as given, if they are sent unchanged.
    pub(crate) path_as_is: Option<PathAndQuery>,
    pub(crate) patch: Option<Arc<PolicyPatch>>,
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) priority: i8,
    /// Decides about the URLs to which redirects lead.
    pub(crate) redirect_check: Option<Arc<dyn RedirectCheck>>,
    pub(crate) resume_from: Option<Arc<ResumePoint>>,
    pub(crate) save: Option<Arc<dyn BodySink>>,
    /// Whether bodies of statuses of 400 and above are not waited for.
    pub(crate) skip_error_bodies: bool,
    pub(crate) tag: u64,
    pub(crate) text: String,
    /// Whether `text` is exactly as given. A URL with a user name or a password is redacted.
    text_is_original: bool,
    pub(crate) url: Arc<Url>,
}

impl Request {
    /// A request with any method.
    ///
    /// ```
    /// use fetch_driver::{Method, Request};
    /// let request = Request::new(Method::Put, "http://a.test/")?.body("text");
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not an absolute http or https URL.
    pub fn new(method: Method, url: impl Into<String>) -> Result<Self, Error> {
        let text = url.into();
        let invalid = |why: &str| Error::rejected(ErrorKind::InvalidUrl, &text, why);
        let url = parse::parse(&text).map_err(|error| invalid(&error.to_string()))?;
        Self::from_parts(method, url, text)
    }

    fn from_parts(method: Method, mut url: Url, text: String) -> Result<Self, Error> {
        let invalid =
            |text: &str, why: &str| Err(Error::rejected(ErrorKind::InvalidUrl, text, why));
        if !matches!(url.scheme(), "http" | "https") {
            return invalid(&text, "the scheme is neither http nor https");
        }
        if url.host_str().is_none_or(str::is_empty) {
            return invalid(&text, "there is no host");
        }
        let mut headers = HeaderMap::new();
        let mut text = text;
        let text_is_original = url.username().is_empty() && url.password().is_none();
        if !text_is_original {
            let password = url.password().unwrap_or_default();
            let value = credentials::basic_credentials(url.username(), password);
            headers.insert(header::AUTHORIZATION, value);
            text = RedactedUrl(&url).to_string();
            // Cannot fail, because the URL has a host.
            let _ = url.set_username("");
            let _ = url.set_password(None);
        }
        Ok(Self {
            attached: None,
            body: RequestContent::Empty,
            body_retention: BodyRetention::Collect,
            headers,
            idempotent: false,
            keep_redirects: false,
            method,
            path_as_is: None,
            patch: None,
            policy: None,
            priority: 0,
            redirect_check: None,
            resume_from: None,
            save: None,
            skip_error_bodies: false,
            tag: 0,
            text,
            text_is_original,
            url: Arc::new(url),
        })
    }

    /// Sets the body, which is sent again with each retry.
    ///
    /// ```
    /// use fetch_driver::{Method, Request};
    /// let request = Request::new(Method::Post, "http://a.test/")?.body("a=b");
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = RequestContent::Bytes(body.into());
        self
    }

    /// Sets a body that is sent while it is produced. It can be sent once only, so such a request is
    /// not retried, and of several clones of it only the first sends the body: the others fail with
    /// [`FailureKind::RequestBody`](crate::FailureKind::RequestBody). A known length is sent as
    /// `Content-Length`. [`body_from`](Self::body_from) sets one that can be sent again.
    ///
    /// ```
    /// use fetch_driver::{Method, Request};
    /// let chunks = futures_lite::stream::iter([Ok("a".into()), Ok("b".into())]);
    /// let request = Request::new(Method::Put, "http://a.test/")?.body_stream(None, Box::pin(chunks));
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn body_stream(mut self, length: Option<u64>, stream: BodyStream) -> Self {
        self.body = RequestContent::once(length, stream);
        self
    }

    /// Sets a body that is produced while it is sent, and again for each retry.
    ///
    /// ```
    /// use std::sync::Arc;
    /// # use fetch_driver::BodySource;
    /// use fetch_driver::{Method, Request};
    /// # fn example(source: Arc<dyn BodySource>) -> Result<(), fetch_driver::Error> {
    /// let request = Request::new(Method::Put, "http://a.test/film.mp4")?.body_source(source);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn body_source(mut self, source: Arc<dyn BodySource>) -> Self {
        self.body = RequestContent::Source(source);
        self
    }

    /// Adds a header field. A redirect takes it to another origin only if it carries no secret: see
    /// [`is_sent_to_other_origins`](fetch_proto::is_sent_to_other_origins) and
    /// [`RedirectPolicy::trusted`](fetch_proto::RedirectPolicy::trusted). A value that is marked
    /// sensitive stays, too. [`Outcome::withheld`](crate::Outcome::withheld) names what was not sent.
    /// `Host` replaces the host of the URL where the transport is this workspace's own.
    ///
    /// ```
    /// let request = fetch_driver::Request::get("http://a.test/")?.header("x-id", "7")?;
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the name or the value is not valid in HTTP.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let invalid = |why: &dyn std::fmt::Display| {
            Error::rejected(
                ErrorKind::InvalidHeader,
                &self.text,
                format_args!("{}: {why}", Quoted(name)),
            )
        };
        let field = HeaderName::try_from(name).map_err(|error| invalid(&error))?;
        let value = HeaderValue::try_from(value).map_err(|error| invalid(&error))?;
        self.headers.append(field, value);
        Ok(self)
    }

    /// Sets a body that `open` produces anew for each attempt, so that it can be retried, hedged and
    /// redirected. The driver calls `open`, so it must not block. A known length is sent as
    /// `Content-Length`, else the body is sent in chunks.
    ///
    /// ```
    /// use fetch_driver::Request;
    /// use futures_lite::stream;
    ///
    /// let lines = || stream::iter((1..=3).map(|n| std::io::Result::Ok(format!("{n}\n").into())));
    /// let request = Request::put("http://a.test/")?.body_from(Some(6), lines);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn body_from<S, E>(
        self,
        length: Option<u64>,
        open: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let open =
            move || -> BodyStream { Box::pin(open().map(|piece| piece.map_err(Into::into))) };
        self.body_source(Arc::new(BodyFactory { length, open }))
    }

    /// Adds header fields. They replace fields of the same names that were added before.
    ///
    /// ```
    /// let request = fetch_driver::Request::get("http://a.test/")?.headers(http::HeaderMap::new());
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The header fields of this request, without those that the fetcher adds to every request.
    ///
    /// ```
    /// let request = fetch_driver::Request::get("http://me:secret@a.test/")?;
    /// assert!(request.headers_ref().contains_key("authorization"));
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn headers_ref(&self) -> &HeaderMap {
        &self.headers
    }

    /// Declares that sending the request twice does no harm, so that it may be retried with any
    /// method.
    ///
    /// ```
    /// use fetch_driver::{Method, Request};
    /// let request = Request::new(Method::Post, "http://a.test/")?.idempotent(true);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    /// Sets the priority among requests to the same host: the larger number goes first, then the
    /// older request. Default 0.
    ///
    /// It orders the requests in the fetcher's [window](crate::Builder::window), which is as far as a
    /// list is read ahead.
    ///
    /// ```
    /// # use fetch_driver::Request;
    /// let request = Request::get("http://a.test/")?.priority(1);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn priority(mut self, priority: i8) -> Self {
        self.priority = priority;
        self
    }

    /// Changes single settings of the policy that the rules choose, or that
    /// [`policy`](Self::policy) sets. Later patches win over earlier ones, and all of them over other
    /// sources: see [`PolicyPatch`].
    ///
    /// ```
    /// use fetch_driver::{PolicyPatch, Request};
    /// let request = Request::get("http://a.test/")?.policy_patch(PolicyPatch::default().attempts(1));
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn policy_patch(mut self, patch: PolicyPatch) -> Self {
        let lower = self.patch.take().map(Arc::unwrap_or_clone);
        self.patch = Some(Arc::new(patch.on_top_of(lower.unwrap_or_default())));
        self
    }

    /// Sets the policy of this request, instead of the one that the rules choose.
    ///
    /// ```
    /// use fetch_driver::{Policy, Request};
    /// let request = Request::get("http://a.test/")?.policy(Policy::default().attempts(1));
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn policy(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.policy = Some(policy.into());
        self
    }

    /// Attaches a value that is returned in the outcome, such as the other columns of a list's row.
    /// Default: none, which costs nothing.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let request = fetch_driver::Request::get("http://a.test/")?.attach(Arc::new("row 7"));
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn attach(mut self, attached: Attachment) -> Self {
        self.attached = Some(attached);
        self
    }

    /// Sets a number that is returned in the outcome. Default, also for 0: the request's position
    /// in the batch, from 0.
    ///
    /// ```
    /// let request = fetch_driver::Request::get("http://a.test/")?.tag(7);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn tag(mut self, tag: u64) -> Self {
        self.tag = tag;
        self
    }

    /// The URL as given. If it has a user name or a password, all its secrets are replaced by
    /// `REDACTED`. The same as [`Outcome::url`](crate::Outcome::url).
    ///
    /// ```
    /// let request = fetch_driver::Request::get("http://A.test")?;
    /// assert_eq!(request.text(), "http://A.test");
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The method.
    ///
    /// ```
    /// use fetch_driver::Method;
    /// assert_eq!(*fetch_driver::Request::get("http://a.test")?.method(), Method::Get);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The attached value, if there is one.
    ///
    /// ```
    /// let request = fetch_driver::Request::get("http://a.test")?;
    /// assert!(request.attached().is_none());
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn attached(&self) -> Option<&Attachment> {
        self.attached.as_ref()
    }

    /// The tag.
    ///
    /// ```
    /// assert_eq!(fetch_driver::Request::get("http://a.test")?.tag(7).tag_value(), 7);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn tag_value(&self) -> u64 {
        self.tag
    }

    /// The same request of another URL, which has no user name and no password.
    #[cfg(feature = "json")]
    fn with_url(mut self, url: Url) -> Self {
        self.text = url.to_string();
        self.path_as_is = None;
        self.url = Arc::new(url);
        self
    }

    /// Whether its URL has a user name or a password.
    pub(crate) fn is_url_login(&self) -> bool {
        !self.text_is_original
    }

    /// The URL.
    ///
    /// ```
    /// let request = fetch_driver::Request::get("http://a.test")?;
    /// assert_eq!(request.url().as_str(), "http://a.test/");
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsupported_url_is_rejected_with_the_reason() {
        for (text, why) in [
            ("x", "relative"),
            ("ftp://a/", "scheme"),
            ("http://", "host"),
        ] {
            let error = Request::get(text).unwrap_err().to_string();
            assert!(error.starts_with(text) && error.contains(why), "{error}");
        }
    }
}
