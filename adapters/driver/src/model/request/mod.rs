//! What a caller asks for.

mod into;
mod parse;
mod path;

use std::any::Any;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use fetch_proto::{Method, Policy};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use crate::fields::redact::Redacted;
use crate::model::error::{Error, ErrorKind};
use crate::model::save::SaveBody;
use crate::transport::message::{BodyStream, RequestBody};
pub use into::IntoRequest;

/// One request: a URL, a method, header fields, a body, and how it is to be carried out.
///
/// ```
/// use fetch_driver::Request;
///
/// let request = Request::get("https://a.test/items")?
///     .header("accept", "application/json")?
///     .tag(42);
/// # Ok::<(), fetch_driver::Error>(())
/// ```
#[derive(Debug)]
pub struct Request {
    pub(crate) attached: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) body: RequestBody,
    pub(crate) headers: HeaderMap,
    pub(crate) idempotent: bool,
    pub(crate) priority: i8,
    pub(crate) keep: Keep,
    pub(crate) method: Method,
    /// The URL's path and query as they were given, if these are to be sent.
    pub(crate) path_as_is: Option<PathAndQuery>,
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) save: Option<Arc<dyn SaveBody>>,
    pub(crate) tag: u64,
    pub(crate) text: String,
    /// Whether the text is what was given: without its user name it is written anew.
    text_is_kept: bool,
    pub(crate) url: Arc<Url>,
}

/// What becomes of a response's body.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Keep {
    /// It is collected into the [`Response`](crate::Response).
    #[default]
    Body,
    /// It is read to its end, counted and dropped: memory stays small.
    Nothing,
}

impl Request {
    /// A GET of `url`.
    ///
    /// User name and password in the URL become an `Authorization` field.
    ///
    /// ```
    /// let request = fetch_driver::Request::get("http://a.test/")?;
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not an absolute http or https URL.
    pub fn get(url: impl Into<String>) -> Result<Self, Error> {
        Self::new(Method::Get, url)
    }

    /// A request with another method.
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
        let invalid = |why: &str| Error::invalid(ErrorKind::InvalidUrl, &text, why);
        let url = parse::parse(&text).map_err(|error| invalid(&error.to_string()))?;
        Self::from_parts(method, url, text)
    }

    fn from_parts(method: Method, mut url: Url, text: String) -> Result<Self, Error> {
        let invalid = |text: &str, why: &str| Err(Error::invalid(ErrorKind::InvalidUrl, text, why));
        if !matches!(url.scheme(), "http" | "https") {
            return invalid(&text, "the scheme is neither http nor https");
        }
        if url.host_str().is_none_or(str::is_empty) {
            return invalid(&text, "there is no host");
        }
        let mut headers = HeaderMap::new();
        let mut text = text;
        let text_is_kept = url.username().is_empty() && url.password().is_none();
        if !text_is_kept {
            headers.insert(header::AUTHORIZATION, basic(&url));
            text = Redacted(&url).to_string();
            // Cannot fail: the URL has a host.
            let _ = url.set_username("");
            let _ = url.set_password(None);
        }
        Ok(Self {
            attached: None,
            body: RequestBody::Empty,
            headers,
            idempotent: false,
            priority: 0,
            keep: Keep::Body,
            method,
            path_as_is: None,
            policy: None,
            save: None,
            tag: 0,
            text,
            text_is_kept,
            url: Arc::new(url),
        })
    }

    /// Sets the body, which is sent again at each retry.
    ///
    /// ```
    /// use fetch_driver::{Method, Request};
    /// let request = Request::new(Method::Post, "http://a.test/")?.body("a=b");
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = RequestBody::Bytes(body.into());
        self
    }

    /// Sets a body that is sent as it comes, once: such a request is not retried. Its length is
    /// sent where it is known.
    ///
    /// ```
    /// use fetch_driver::{Method, Request};
    /// let chunks = futures_lite::stream::iter([Ok("a".into()), Ok("b".into())]);
    /// let request = Request::new(Method::Put, "http://a.test/")?.body_stream(None, Box::pin(chunks));
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn body_stream(mut self, length: Option<u64>, stream: BodyStream) -> Self {
        self.body = RequestBody::Stream { length, stream };
        self
    }

    /// Adds a header field. `Authorization`, `Cookie` and `Proxy-Authorization`, and any value that
    /// is marked sensitive, do not follow a redirect to another origin.
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
            Error::invalid(
                ErrorKind::InvalidHeader,
                &self.text,
                format_args!("{name:?}: {why}"),
            )
        };
        let field = HeaderName::try_from(name).map_err(|error| invalid(&error))?;
        let value = HeaderValue::try_from(value).map_err(|error| invalid(&error))?;
        self.headers.append(field, value);
        Ok(self)
    }

    /// Adds header fields.
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

    /// Its own header fields: those of all requests come when it is sent.
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

    /// Vouches that sending the request twice does no harm, so that it may be retried whatever its
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

    /// Sets what becomes of the response's body. Default [`Keep::Body`].
    ///
    /// ```
    /// use fetch_driver::{Keep, Request};
    /// let request = Request::get("http://a.test/large")?.keep(Keep::Nothing);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Sets which requests to one host go first: those with the larger number, and of those with the
    /// same the older. Default 0.
    ///
    /// It orders what the fetcher knows of, its [window](crate::Builder::window): a list is read only
    /// so far ahead.
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

    /// Sets the policy for this request alone, whatever the rules say.
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

    /// Has the response's body saved while it comes, in bounded memory, whatever [`Request::keep`]
    /// says. What it was saved as comes back in [`Response::saved`](crate::Response::saved). Default:
    /// nowhere.
    ///
    /// Each response that is accepted begins anew, so that a fetch is still retried when its
    /// connection breaks inside the body. Such a request [shares](crate::Settings::share) no
    /// other's response, and is not what a fallback to an earlier response remembers. A
    /// [streamed](crate::Fetcher::open) response goes to its reader alone.
    ///
    /// ```
    /// use std::sync::Arc;
    /// # use fetch_driver::{Request, ResponseHead, SaveBody, Saving};
    /// # fn example(save: Arc<dyn SaveBody>) -> Result<(), fetch_driver::Error> {
    /// let request = Request::get("http://a.test/film.mp4")?.save(save);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn save(mut self, save: Arc<dyn SaveBody>) -> Self {
        self.save = Some(save);
        self
    }

    /// Attaches something of the caller's own, which comes back in the outcome: what a row of a list
    /// says beside the URL, say. Default: nothing, which costs nothing.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let request = fetch_driver::Request::get("http://a.test/")?.attach(Arc::new("row 7"));
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn attach(mut self, attached: Arc<dyn Any + Send + Sync>) -> Self {
        self.attached = Some(attached);
        self
    }

    /// Sets the caller's own key, which comes back in the outcome. Default: its place in the batch.
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

    /// The URL as it was given, but for its user name and password: what
    /// [`Outcome::url`](crate::Outcome::url) will be.
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

    /// What was attached, if anything was.
    ///
    /// ```
    /// let request = fetch_driver::Request::get("http://a.test")?;
    /// assert!(request.attached().is_none());
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn attached(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.attached.as_ref()
    }

    /// What it was tagged with.
    ///
    /// ```
    /// assert_eq!(fetch_driver::Request::get("http://a.test")?.tag(7).tag_ref(), 7);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn tag_ref(&self) -> u64 {
        self.tag
    }

    /// The URL as it may be shown: without secrets.
    pub(crate) fn shown(&self) -> String {
        Redacted(&self.url).to_string()
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

/// The `Authorization` field for the URL's user name and password (RFC 7617).
fn basic(url: &Url) -> HeaderValue {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let mut pair = decode(url.username());
    pair.push(b':');
    pair.extend(decode(url.password().unwrap_or_default()));
    let text = format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    );
    let mut value = HeaderValue::try_from(text).expect("base64 is valid in a header field");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_the_url_become_a_field_and_are_shown_nowhere() {
        let request = Request::get("http://us%40er:pa%3Ass@a.test/x").unwrap();
        assert_eq!(
            request.headers[header::AUTHORIZATION],
            "Basic dXNAZXI6cGE6c3M="
        );
        assert_eq!(request.url.as_str(), "http://a.test/x");
        let shown = format!("{request:?}");
        assert!(
            !shown.contains("dXNA") && !shown.contains("pa%3A"),
            "{shown}"
        );
    }

    #[test]
    fn what_cannot_be_fetched_is_refused_with_the_reason() {
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
