//! Bodies and queries from values of serde.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;

use super::Request;
use crate::model::error::{Error, ErrorKind};

impl Request {
    /// Sets the value as the body, in JSON. `Content-Type` is `application/json` unless it was given.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use fetch_driver::Request;
    ///
    /// let order = BTreeMap::from([("amount", 3)]);
    /// let request = Request::post("http://a.test/orders")?.json(&order)?;
    /// assert_eq!(request.headers_ref()["content-type"], "application/json");
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the value cannot be written as JSON, such as a map whose keys are no strings.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        match serde_json::to_vec(value) {
            Ok(body) => Ok(self.typed_body(body.into(), "application/json")),
            Err(error) => Err(self.unserialized("the JSON body", &error)),
        }
    }

    /// Sets the fields of the value as the body, as HTML forms do. `Content-Type` is
    /// `application/x-www-form-urlencoded` unless it was given.
    ///
    /// ```
    /// use fetch_driver::Request;
    ///
    /// let request = Request::post("http://a.test/login")?.form(&[("name", "a b"), ("page", "2")])?;
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the value is not a structure, a map, or a list of pairs, of plain values.
    pub fn form(self, value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        match serde_urlencoded::to_string(value) {
            Ok(body) => Ok(self.typed_body(body.into(), "application/x-www-form-urlencoded")),
            Err(error) => Err(self.unserialized("the form", &error)),
        }
    }

    /// Adds the fields of the value to the query of the URL.
    ///
    /// ```
    /// use fetch_driver::Request;
    ///
    /// let request = Request::get("http://a.test/search?lang=en")?.query(&[("q", "a b"), ("page", "2")])?;
    /// assert_eq!(request.url().as_str(), "http://a.test/search?lang=en&q=a+b&page=2");
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the value is not a structure, a map, or a list of pairs, of plain values.
    pub fn query(self, value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let added = match serde_urlencoded::to_string(value) {
            Ok(added) => added,
            Err(error) => return Err(self.unserialized("the query", &error)),
        };
        if added.is_empty() {
            return Ok(self);
        }
        let mut url = (*self.url).clone();
        let query = match url.query() {
            None | Some("") => added,
            Some(before) => format!("{before}&{added}"),
        };
        url.set_query(Some(&query));
        Ok(self.with_url(url))
    }

    fn typed_body(mut self, body: Bytes, media_type: &'static str) -> Self {
        const NAME: HeaderName = header::CONTENT_TYPE;
        let value = HeaderValue::from_static(media_type);
        self.headers.entry(NAME).or_insert(value);
        self.body(body)
    }

    fn unserialized(&self, what: &str, error: &dyn std::error::Error) -> Error {
        let why = format_args!("{what} cannot be written: {error}");
        Error::rejected(ErrorKind::InvalidBody, &self.text, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_that_was_given_stays() {
        let request = Request::post("http://a.test/").unwrap();
        let request = request.header("content-type", "application/ld+json");
        let request = request.unwrap().json(&[1, 2]).unwrap();
        let types: Vec<_> = request
            .headers_ref()
            .get_all("content-type")
            .iter()
            .collect();
        assert_eq!(types, ["application/ld+json"]);
    }

    #[test]
    fn what_cannot_be_written_is_refused_with_the_url() {
        let nested = std::collections::BTreeMap::from([("a", [1, 2])]);
        let request = Request::get("http://a.test/").unwrap();
        let error = request.query(&nested).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidBody);
        assert!(error.to_string().contains("http://a.test/: "), "{error}");
    }

    #[test]
    fn a_query_keeps_credentials_and_fragment_out_of_sight() {
        let request = Request::get("http://me:secret@a.test/?x=1#part").unwrap();
        let request = request.query(&[("y", "2")]).unwrap();
        assert_eq!(request.url().as_str(), "http://a.test/?x=1&y=2#part");
        assert!(request.text().contains("x=1&y=2"), "{}", request.text());
        assert!(!request.text().contains("secret"), "{}", request.text());
    }
}
