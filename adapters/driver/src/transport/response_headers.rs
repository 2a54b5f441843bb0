//! The header fields of a response, parsed into a map when somebody looks at it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The header fields of a response. It is used like the [`HeaderMap`] to which it dereferences.
///
/// Most fields are never looked at, and a map takes longer to build than the rest of a head to parse. So
/// a transport may give the lines of the head ([`from_lines`](Self::from_lines)); they become a map when
/// it is asked for, once.
///
/// ```
/// use fetch_driver::ResponseHeaders;
///
/// let headers = ResponseHeaders::from_lines("Server: nginx\r\nETag: \"1\"\r\n".into());
/// assert_eq!(headers.get("server").unwrap(), "nginx");
/// assert_eq!(headers.len(), 2);
/// ```
#[derive(Clone, Default)]
pub struct ResponseHeaders {
    /// As received. Empty if the map was changed, or was there first.
    lines: Bytes,
    map: OnceLock<Box<HeaderMap>>,
    /// A bit for each name in `lines`.
    names: u64,
}

impl ResponseHeaders {
    /// The fields in these lines, `name: value`, up to an empty one. The caller has checked them: a name is a
    /// token, a value has no control characters and is not folded. Other lines are left out of the map.
    ///
    /// ```
    /// let headers = fetch_driver::ResponseHeaders::from_lines("a: 1\na: 2\n\nb: 3".into());
    /// assert_eq!(headers.get_all("a").iter().count(), 2);
    /// assert!(!headers.contains_key("b"));
    /// ```
    #[must_use]
    pub fn from_lines(lines: Bytes) -> Self {
        let names = FieldLines(&lines).fold(0, |bits, (name, _)| bits | name_bit(name));
        Self {
            lines,
            map: OnceLock::new(),
            names,
        }
    }

    /// The first value of a field, without building the map.
    ///
    /// ```
    /// use fetch_driver::ResponseHeaders;
    /// use fetch_driver::http::header;
    ///
    /// let headers = ResponseHeaders::from_lines("Content-Type: text/html\r\n".into());
    /// assert_eq!(headers.first_value(&header::CONTENT_TYPE), Some(&b"text/html"[..]));
    /// assert_eq!(headers.first_value(&header::LOCATION), None);
    /// ```
    #[must_use]
    pub fn first_value(&self, name: &HeaderName) -> Option<&[u8]> {
        if let Some(map) = self.map.get() {
            return map.get(name).map(HeaderValue::as_bytes);
        }
        let wanted = name.as_str().as_bytes();
        if self.names & name_bit(wanted) == 0 {
            return None;
        }
        let mut fields = FieldLines(&self.lines);
        let found = fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value)
    }

    /// Whether there may be a field of one of these names, in lower case. If not, there is none.
    pub(crate) fn may_contain_any(&self, names: &[&str]) -> bool {
        let bits = names
            .iter()
            .fold(0, |bits, name| bits | name_bit(name.as_bytes()));
        match self.map.get() {
            Some(map) => !map.is_empty(),
            None => self.names & bits != 0,
        }
    }

    /// The fields as a map.
    ///
    /// ```
    /// let headers = fetch_driver::ResponseHeaders::from_lines("a: 1\r\n".into());
    /// assert_eq!(headers.into_map()["a"], "1");
    /// ```
    #[must_use]
    pub fn into_map(mut self) -> HeaderMap {
        match self.map.take() {
            Some(map) => *map,
            None => parse(&self.lines),
        }
    }
}

impl Deref for ResponseHeaders {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        self.map.get_or_init(|| Box::new(parse(&self.lines)))
    }
}

impl DerefMut for ResponseHeaders {
    fn deref_mut(&mut self) -> &mut HeaderMap {
        let lines = std::mem::take(&mut self.lines);
        if self.map.get().is_none() {
            self.map = OnceLock::from(Box::new(parse(&lines)));
        }
        self.map.get_mut().expect("the map was set above")
    }
}

impl From<HeaderMap> for ResponseHeaders {
    fn from(map: HeaderMap) -> Self {
        Self {
            lines: Bytes::new(),
            map: OnceLock::from(Box::new(map)),
            names: 0,
        }
    }
}

impl From<ResponseHeaders> for HeaderMap {
    fn from(headers: ResponseHeaders) -> Self {
        headers.into_map()
    }
}

impl<'a> IntoIterator for &'a ResponseHeaders {
    type Item = (&'a HeaderName, &'a HeaderValue);
    type IntoIter = http::header::Iter<'a, HeaderValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for ResponseHeaders {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for ResponseHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The names and values of field lines, up to an empty line. Skips lines without a colon.
struct FieldLines<'a>(&'a [u8]);

impl<'a> Iterator for FieldLines<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let end = memchr::memchr(b'\n', self.0).unwrap_or(self.0.len());
            let line = &self.0[..end];
            self.0 = self.0.get(end + 1..).unwrap_or_default();
            if matches!(line, [] | [b'\r']) {
                return None;
            }
            if let Some(colon) = memchr::memchr(b':', line) {
                return Some((&line[..colon], line[colon + 1..].trim_ascii()));
            }
        }
    }
}

/// One of 64 bits for a name in any case. Different names may have the same one.
fn name_bit(name: &[u8]) -> u64 {
    let (Some(first), Some(last)) = (name.first(), name.last()) else {
        return 0;
    };
    let hash = name.len() + usize::from(first | 0x20) * 21 + usize::from(last | 0x20) * 19;
    1 << (hash % 64)
}

/// The map of checked field lines. All values share their memory.
fn parse(lines: &Bytes) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in FieldLines(lines) {
        let value = match value.is_empty() {
            true => Ok(HeaderValue::from_static("")),
            false => HeaderValue::from_maybe_shared(lines.slice_ref(value)),
        };
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            // A map of so many fields that no more fit has enough.
            let _ = map.try_append(name, value);
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use http::header;
    use proptest::prelude::*;

    use super::*;

    fn field_lines() -> impl Strategy<Value = String> {
        let name = "[A-Za-z-]{1,9}|etag|location|retry-after";
        let lines = prop::collection::vec((name, "[ -~]{0,9}", "\r\n|\n"), 0..9);
        lines.prop_map(|lines| {
            let lines = lines
                .iter()
                .map(|(name, value, end)| format!("{name}:{value}{end}"));
            lines.collect()
        })
    }

    proptest! {
        #[test]
        fn a_value_is_the_same_with_and_without_the_map(lines in field_lines()) {
            let headers = ResponseHeaders::from_lines(lines.into());
            let names = [header::ETAG, header::LOCATION, header::RETRY_AFTER];
            for name in names.iter().chain(headers.clone().keys()) {
                let from_map = headers.clone().get(name).map(|value| value.as_bytes().to_vec());
                prop_assert_eq!(headers.first_value(name), from_map.as_deref());
                prop_assert!(from_map.is_none() || headers.may_contain_any(&[name.as_str()]));
            }
        }
    }

    #[test]
    fn a_changed_map_replaces_the_lines() {
        let mut headers = ResponseHeaders::from_lines("a: 1\r\nlocation: /x\r\n".into());
        headers.remove(header::LOCATION);
        headers.insert("etag", HeaderValue::from_static("new"));
        assert_eq!(headers.first_value(&header::LOCATION), None);
        assert_eq!(headers.first_value(&header::ETAG), Some(&b"new"[..]));
        assert_eq!(headers.into_map().len(), 2);
    }

    #[test]
    fn fields_that_decide_are_not_taken_for_common_others() {
        let common = "server: a\ndate: b\ncontent-type: c\ncontent-length: 1\nlast-modified: d\n\
                      etag: e\nconnection: keep-alive\naccept-ranges: bytes\ncache-control: no-cache\n\
                      vary: f\nx-request-id: g\nkeep-alive: timeout=5\nserver-timing: h\nage: 1\n";
        let headers = ResponseHeaders::from_lines(common.into());
        let decisive = [
            "location",
            "retry-after",
            "content-encoding",
            "ratelimit",
            "ratelimit-remaining",
            "x-ratelimit-remaining",
            "set-cookie",
            "strict-transport-security",
        ];
        for name in decisive {
            assert!(!headers.may_contain_any(&[name]), "{name}");
        }
    }
}
