//! A stored response.

use bytes::Bytes;
use fetch_proto::cache::{StoredHead, WallTime};
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};

/// A stored response: what the core knows of it, its header fields, and its body, decoded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredResponse {
    /// The body, decoded.
    pub body: Bytes,
    /// The fields `Content-Encoding` and `Content-Length` as received, if the body was decoded.
    pub coded_headers: Option<Box<HeaderMap>>,
    /// What the core decides by.
    pub head: StoredHead,
    /// The header fields, as far as they may be stored.
    pub headers: HeaderMap,
    /// The protocol version.
    pub version: Version,
}

/// The bookkeeping of one stored response in memory, in bytes, besides its fields and its body.
const OVERHEAD: usize = 512;

impl StoredResponse {
    /// How much memory it takes, in bytes, roughly.
    ///
    /// ```
    /// # fn example(response: &fetch_driver::StoredResponse) {
    /// assert!(response.memory() >= response.body.len());
    /// # }
    /// ```
    #[must_use]
    pub fn memory(&self) -> usize {
        let size = |headers: &HeaderMap| -> usize {
            let lines = headers.iter();
            lines
                .map(|(name, value)| name.as_str().len() + value.len() + 96)
                .sum()
        };
        let coded = self.coded_headers.as_deref().map_or(0, size);
        self.body.len() + size(&self.headers) + coded + OVERHEAD
    }

    /// The header fields with which it is served now.
    pub(crate) fn served_headers(&self, now: WallTime) -> HeaderMap {
        let mut headers = self.headers.clone();
        let age = self.head.age(now).as_secs();
        headers.insert(header::AGE, age.into());
        headers
    }

    /// The header fields of a 304 to the caller's condition (RFC 9110, section 15.4.5).
    pub(crate) fn not_modified_headers(&self, now: WallTime) -> HeaderMap {
        let mut headers = self.served_headers(now);
        let of_body: Vec<_> = headers
            .keys()
            .filter(|name| {
                let is_of_body = name.as_str().starts_with("content-");
                is_of_body && *name != header::CONTENT_LOCATION
            })
            .cloned()
            .collect();
        for name in of_body {
            headers.remove(name);
        }
        headers
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.head.status()).unwrap_or_default()
    }

    /// Whether it leads to another URL.
    pub(crate) fn is_redirect(&self) -> bool {
        self.status().is_redirection() && self.headers.contains_key(header::LOCATION)
    }
}

/// A `Date` for a response that has none.
pub(crate) fn date_field(now: WallTime) -> HeaderValue {
    let text = httpdate::fmt_http_date(std::time::UNIX_EPOCH + now.since_1970());
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("0"))
}
