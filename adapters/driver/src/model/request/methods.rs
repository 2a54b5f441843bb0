//! Requests by method.

use fetch_proto::Method;

use super::Request;
use crate::model::error::Error;

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

    /// A HEAD of `url`, whose response has no body.
    ///
    /// ```
    /// let request = fetch_driver::Request::head("http://a.test/")?;
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not an absolute http or https URL.
    pub fn head(url: impl Into<String>) -> Result<Self, Error> {
        Self::new(Method::Head, url)
    }

    /// A POST to `url`. It is retried only if it was not sent, or if it is declared
    /// [idempotent](Self::idempotent).
    ///
    /// ```
    /// let request = fetch_driver::Request::post("http://a.test/")?.body("a=b");
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not an absolute http or https URL.
    pub fn post(url: impl Into<String>) -> Result<Self, Error> {
        Self::new(Method::Post, url)
    }

    /// A PUT to `url`.
    ///
    /// ```
    /// let request = fetch_driver::Request::put("http://a.test/file")?.body("text");
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not an absolute http or https URL.
    pub fn put(url: impl Into<String>) -> Result<Self, Error> {
        Self::new(Method::Put, url)
    }

    /// A PATCH of `url`. It is retried only if it was not sent, or if it is declared
    /// [idempotent](Self::idempotent).
    ///
    /// ```
    /// let request = fetch_driver::Request::patch("http://a.test/item/7")?.body(r#"{"open":true}"#);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not an absolute http or https URL.
    pub fn patch(url: impl Into<String>) -> Result<Self, Error> {
        Self::new(Method::Patch, url)
    }

    /// A DELETE of `url`.
    ///
    /// ```
    /// let request = fetch_driver::Request::delete("http://a.test/item/7")?;
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not an absolute http or https URL.
    pub fn delete(url: impl Into<String>) -> Result<Self, Error> {
        Self::new(Method::Delete, url)
    }
}
