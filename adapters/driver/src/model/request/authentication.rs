//! Credentials that do not expire.

use http::{HeaderValue, header};

use super::{Request, credentials};
use crate::model::error::{Error, ErrorKind};

impl Request {
    /// Sends user name and password by the scheme Basic (RFC 7617). They replace those of the URL, and
    /// stay with its origin when a redirect leads to another.
    ///
    /// ```
    /// use fetch_driver::Request;
    /// let request = Request::get("http://a.test/")?.basic_auth("alice", Some("secret"));
    /// assert_eq!(request.headers_ref()["authorization"], "Basic YWxpY2U6c2VjcmV0");
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    #[must_use]
    pub fn basic_auth(mut self, user: &str, password: Option<&str>) -> Self {
        let value = credentials::basic(user.as_bytes(), password.unwrap_or_default().as_bytes());
        self.headers.insert(header::AUTHORIZATION, value);
        self
    }

    /// Sends a token by the scheme Bearer (RFC 6750). It replaces the credentials of the URL, and stays
    /// with its origin when a redirect leads to another.
    ///
    /// ```
    /// use fetch_driver::Request;
    /// let request = Request::get("http://a.test/")?.bearer_auth("abc")?;
    /// assert_eq!(request.headers_ref()["authorization"], "Bearer abc");
    /// assert!(!format!("{request:?}").contains("abc"));
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the token is not valid in a header field. The error does not show it.
    pub fn bearer_auth(mut self, token: &str) -> Result<Self, Error> {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| {
            let why = "the bearer token has a character that is not valid in a header field";
            Error::rejected(ErrorKind::InvalidHeader, &self.text, why)
        })?;
        value.set_sensitive(true);
        self.headers.insert(header::AUTHORIZATION, value);
        Ok(self)
    }
}
