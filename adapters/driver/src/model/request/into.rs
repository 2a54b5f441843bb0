//! Conversions into a request.

use fetch_proto::Method;
use url::Url;

use super::Request;
use crate::model::error::Error;

/// A URL as text, a parsed URL, or a whole [`Request`].
pub trait IntoRequest {
    /// Converts into a request.
    ///
    /// ```
    /// use fetch_driver::IntoRequest;
    /// assert!("http://a.test/".into_request().is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not an absolute http or https URL.
    fn into_request(self) -> Result<Request, Error>;
}

impl IntoRequest for Request {
    fn into_request(self) -> Result<Request, Error> {
        Ok(self)
    }
}

impl IntoRequest for Result<Request, Error> {
    fn into_request(self) -> Result<Request, Error> {
        self
    }
}

impl IntoRequest for &str {
    fn into_request(self) -> Result<Request, Error> {
        Request::get(self)
    }
}

impl IntoRequest for &String {
    fn into_request(self) -> Result<Request, Error> {
        Request::get(self.as_str())
    }
}

impl IntoRequest for String {
    fn into_request(self) -> Result<Request, Error> {
        Request::get(self)
    }
}

impl IntoRequest for Url {
    fn into_request(self) -> Result<Request, Error> {
        let text = self.as_str().to_owned();
        Request::from_parts(Method::Get, self, text)
    }
}
