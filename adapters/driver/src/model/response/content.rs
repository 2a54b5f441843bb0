//! What a response's status and body mean.

use std::borrow::Cow;
#[cfg(feature = "json")]
use std::sync::Arc;

use bytes::Bytes;
#[cfg(feature = "charset")]
use http::HeaderValue;
use http::header;

use super::Response;
use crate::model::error::{Error, ErrorKind};

impl Response {
    /// The response, or an error if its status is 400 or above. The error has the response, with its body:
    /// see [`Error::partial_response`].
    ///
    /// ```
    /// use fetch_driver::Response;
    /// use http::StatusCode;
    ///
    /// let error = Response::new(StatusCode::NOT_FOUND, "no such item").error_for_status().unwrap_err();
    /// assert!(error.is_status());
    /// assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
    /// assert_eq!(error.partial_response().unwrap().text(), "no such item");
    /// assert!(Response::new(StatusCode::OK, "").error_for_status().is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// If the status is 400 or above.
    pub fn error_for_status(self) -> Result<Self, Error> {
        let status = self.status;
        match status.is_client_error() || status.is_server_error() {
            true => Err(Error::of_response(
                ErrorKind::Status(status),
                self,
                None,
                None,
            )),
            false => Ok(self),
        }
    }

    /// The body as it is, without a copy.
    ///
    /// ```
    /// let response = fetch_driver::Response::new(http::StatusCode::OK, "[]");
    /// assert_eq!(response.into_bytes(), "[]");
    /// ```
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.body
    }

    /// The body as text. It is decoded by the `charset` of `Content-Type` with the feature `charset`, and as
    /// UTF-8 otherwise or if that is missing or unknown. What is not valid becomes U+FFFD. A byte order mark
    /// is removed.
    ///
    /// ```
    /// let response = fetch_driver::Response::new(http::StatusCode::OK, "café");
    /// assert_eq!(response.text(), "café");
    /// ```
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        #[cfg(feature = "charset")]
        {
            let label = self.headers.get(header::CONTENT_TYPE).and_then(charset);
            let encoding =
                label.and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()));
            encoding.unwrap_or(encoding_rs::UTF_8).decode(&self.body).0
        }
        #[cfg(not(feature = "charset"))]
        {
            const MARK: &[u8] = "\u{feff}".as_bytes();
            String::from_utf8_lossy(self.body.strip_prefix(MARK).unwrap_or(&self.body))
        }
    }

    /// The body, parsed as JSON.
    ///
    /// ```
    /// let response = fetch_driver::Response::new(http::StatusCode::OK, "[1, 2]");
    /// let numbers: Vec<u32> = response.json()?;
    /// assert_eq!(numbers, [1, 2]);
    /// # Ok::<(), fetch_driver::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the body is not JSON of this type. The error has the URL and the position, and its source is that
    /// of `serde_json`.
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let detail = Some(format!("no JSON of the wanted type: {error}"));
            let source = Some(Arc::new(error) as _);
            Error::of_response(ErrorKind::InvalidBody, self.clone(), detail, source)
        })
    }

    /// The length that the server announced in `Content-Length`: that of the body as it was sent, before
    /// decoding. `None` if there is none, or if it is no number. [`bytes`](field@Self::bytes) is the length of
    /// the body that was received.
    ///
    /// ```
    /// let response = fetch_driver::Response::new(http::StatusCode::OK, "[]");
    /// assert_eq!(response.content_length(), None);
    /// ```
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        let coded = self.coded_headers.as_deref();
        let field = coded.and_then(|coded| coded.get(header::CONTENT_LENGTH));
        let field = field.or_else(|| self.headers.get(header::CONTENT_LENGTH))?;
        field.to_str().ok()?.parse().ok()
    }
}

/// The parameter `charset` of a media type (RFC 9110, 8.3.2).
#[cfg(feature = "charset")]
fn charset(content_type: &HeaderValue) -> Option<&str> {
    let parameters = content_type.to_str().ok()?.split(';').skip(1);
    let mut pairs = parameters.filter_map(|parameter| parameter.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim().trim_matches('"'))
}

#[cfg(all(test, feature = "charset"))]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn text_is_decoded_by_the_charset_of_the_content_type() {
        let cases: [(Option<&'static str>, &'static [u8], &str); 8] = [
            (None, "é".as_bytes(), "é"),
            (None, b"\xe9", "\u{fffd}"),
            (None, b"\xef\xbb\xbfa", "a"),
            (Some("text/html; charset=ISO-8859-1"), b"\xe9", "é"),
            (
                Some("text/html;a=b; Charset=\"Shift_JIS\""),
                b"\x82\xa0",
                "あ",
            ),
            (Some("text/html; charset=unknown"), "é".as_bytes(), "é"),
            (Some("text/html; charset=utf-16le"), b"a\0", "a"),
            (Some("text/html; charset"), "é".as_bytes(), "é"),
        ];
        for (content_type, body, text) in cases {
            let mut response = Response::new(StatusCode::OK, body);
            if let Some(content_type) = content_type {
                let value = HeaderValue::from_static(content_type);
                response.headers.insert(header::CONTENT_TYPE, value);
            }
            assert_eq!(response.text(), text, "{content_type:?}");
        }
    }
}
