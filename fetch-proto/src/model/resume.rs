//! Continuing a body that was received in part: positions, validators, and what a head says about them.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

/// How much later than `Last-Modified` the `Date` of a response must be for the date to be a strong
/// validator. RFC 9110, section 8.8.2.2, asks for a second if both come from one clock, which a client
/// cannot know, and otherwise for enough of a difference.
const STRONG_AGE: Duration = Duration::from_secs(60);

/// Where a body continues: after the bytes that the caller has.
///
/// ```
/// use fetch_proto::{ResumePoint, Validator};
///
/// let validator = Validator::strong(Some("\"v1\""), None);
/// let point = ResumePoint::new(1 << 20, validator);
/// assert_eq!(point.range(), "bytes=1048576-");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct ResumePoint {
    /// How many bytes of the body the caller has; the request asks for those from here on.
    pub offset: u64,
    /// What the bytes belong to. Without it the server cannot say whether they still fit: the rest of
    /// a changed body is then appended unnoticed.
    pub validator: Option<Validator>,
}

impl ResumePoint {
    /// The body continues at `offset` if the server still has what `validator` identifies.
    ///
    /// ```
    /// let blind = fetch_proto::ResumePoint::new(100, None);
    /// ```
    #[must_use]
    pub fn new(offset: u64, validator: impl Into<Option<Validator>>) -> Self {
        Self {
            offset,
            validator: validator.into(),
        }
    }

    /// The value of the request's `Range` field. `If-Range` has the validator.
    ///
    /// ```
    /// assert_eq!(fetch_proto::ResumePoint::new(7, None).range(), "bytes=7-");
    /// ```
    #[must_use]
    pub fn range(&self) -> alloc::string::String {
        alloc::format!("bytes={}-", self.offset)
    }
}

/// A strong validator of a representation (RFC 9110, section 8.8): two responses with the same one
/// have the same bytes. `Display` and [`parse`](Self::parse) use the form of the field `If-Range`.
///
/// ```
/// use fetch_proto::Validator;
///
/// let validator = Validator::strong(Some("\"v1\""), None).unwrap();
/// assert_eq!(Validator::parse(&validator.to_string()), Some(validator));
/// assert_eq!(Validator::strong(Some("W/\"v1\""), None), None);
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Validator(Box<str>);

impl Validator {
    /// The strong validator of a response with these fields: the entity tag unless it is weak, and
    /// without a tag the date of `Last-Modified`, if `Date` is at least a minute later.
    /// `last_modified` is that field and by how much `Date` is later.
    ///
    /// ```
    /// use core::time::Duration;
    /// use fetch_proto::Validator;
    ///
    /// let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    /// let strong = |age| Validator::strong(None, Some((modified, Duration::from_secs(age))));
    /// assert_eq!(strong(3600).unwrap().as_str(), modified);
    /// assert_eq!(strong(0), None, "it may have changed again within the second");
    /// ```
    #[must_use]
    pub fn strong(etag: Option<&str>, last_modified: Option<(&str, Duration)>) -> Option<Self> {
        match (etag, last_modified) {
            (Some(etag), _) => is_strong_tag(etag).then(|| Self(etag.into())),
            (None, Some((date, age))) if age >= STRONG_AGE => Some(Self(date.into())),
            (None, _) => None,
        }
    }

    /// A validator from the text of [`as_str`](Self::as_str); `None` if it is empty or a weak entity
    /// tag.
    ///
    /// ```
    /// use fetch_proto::Validator;
    /// assert!(Validator::parse("\"v1\"").is_some());
    /// assert!(Validator::parse("W/\"v1\"").is_none());
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_date = text.as_bytes().first()?.is_ascii_alphabetic() && !text.starts_with("W/");
        (is_date || is_strong_tag(text)).then(|| Self(text.into()))
    }

    /// The value of the request's `If-Range` field.
    ///
    /// ```
    /// let validator = fetch_proto::Validator::parse("\"v1\"").unwrap();
    /// assert_eq!(validator.as_str(), "\"v1\"");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a partial response with these fields has the same validator. A server may leave out
    /// `Last-Modified` in its answer to `If-Range`, but not `ETag` (RFC 9110, section 15.3.7).
    fn matches(&self, head: &RepresentationSummary) -> bool {
        match self.0.starts_with('"') {
            true => head.etag.as_deref() == Some(&*self.0),
            false => {
                let date = head.last_modified.as_deref();
                date.is_none_or(|date| date == &*self.0)
            }
        }
    }
}

impl fmt::Display for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_strong_tag(tag: &str) -> bool {
    tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"')
}

/// The parts of a response head on which continuing its body depends. A driver need not report them
/// for bodies that are collected in memory.
///
/// ```
/// use fetch_proto::{ContentRange, RepresentationSummary};
///
/// let mut head = RepresentationSummary::default();
/// head.etag = Some("\"v1\"".into());
/// head.content_range = ContentRange::parse("bytes 100-199/200");
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct RepresentationSummary {
    /// By how much `Date` is later than `Last-Modified`; `None` if either is missing or not a date.
    pub age: Option<Duration>,
    /// The value of `Content-Length`.
    pub content_length: Option<u64>,
    /// The value of `Content-Range`, if it is in bytes and valid.
    pub content_range: Option<ContentRange>,
    /// The value of `ETag`.
    pub etag: Option<Box<str>>,
    /// Whether the body has a content coding, so that positions in the decoded body mean nothing to
    /// the server.
    pub is_encoded: bool,
    /// The value of `Last-Modified`.
    pub last_modified: Option<Box<str>>,
}

impl RepresentationSummary {
    /// The strong validator of the whole representation, if its body can be continued after a break.
    ///
    /// ```
    /// let mut head = fetch_proto::RepresentationSummary::default();
    /// head.etag = Some("\"v1\"".into());
    /// assert!(head.validator().is_some());
    /// head.is_encoded = true;
    /// assert!(head.validator().is_none());
    /// ```
    #[must_use]
    pub fn validator(&self) -> Option<Validator> {
        if self.is_encoded {
            return None;
        }
        let last_modified = self.last_modified.as_deref().zip(self.age);
        Validator::strong(self.etag.as_deref(), last_modified)
    }

    /// Whether a response with the status `status` continues a body at `point`, of which `complete`
    /// is the length, if it is known.
    pub(crate) fn continues(
        &self,
        status: u16,
        point: &ResumePoint,
        complete: Option<u64>,
    ) -> Continuation {
        let found = self.content_range.unwrap_or_default();
        let same = point.validator.as_ref();
        match status {
            206 if self.is_encoded => Continuation::Mismatch,
            206 => {
                let starts = found.range.map(|(first, _)| first) == Some(point.offset);
                let same_length = complete.zip(found.complete).is_none_or(|(a, b)| a == b);
                match starts && same_length && same.is_none_or(|same| same.matches(self)) {
                    true => Continuation::Rest(complete.or(found.complete)),
                    false => Continuation::Mismatch,
                }
            }
            416 => {
                let is_whole = found.complete == Some(point.offset);
                let stated = self.etag.is_some() || self.last_modified.is_some();
                match is_whole && same.is_none_or(|same| !stated || same.matches(self)) {
                    true => Continuation::Nothing,
                    false => Continuation::Mismatch,
                }
            }
            _ => Continuation::Other,
        }
    }
}

/// How a response answers the request for the rest of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Continuation {
    /// It is not the rest of this body: ask for the whole.
    Mismatch,
    /// The body is already complete.
    Nothing,
    /// It is another response, such as the whole body or an error.
    Other,
    /// It is the rest, of a body with this complete length.
    Rest(Option<u64>),
}

/// The value of the field `Content-Range` in bytes.
///
/// ```
/// use fetch_proto::ContentRange;
///
/// let rest = ContentRange::parse("bytes 100-199/200").unwrap();
/// assert_eq!((rest.range, rest.complete), (Some((100, 199)), Some(200)));
/// assert_eq!(ContentRange::parse("bytes */200").unwrap().range, None);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct ContentRange {
    /// The length of the whole body; `None` if the server does not know it.
    pub complete: Option<u64>,
    /// The positions of the first and the last byte of this part; `None` in a 416.
    pub range: Option<(u64, u64)>,
}

impl ContentRange {
    /// Parses the field; `None` if it is not valid (RFC 9110, section 14.4) or not in bytes.
    ///
    /// ```
    /// use fetch_proto::ContentRange;
    /// assert_eq!(ContentRange::parse("bytes 9-1/20"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        let (range, complete) = rest.trim_start().split_once('/')?;
        let complete = match complete {
            "*" => None,
            length => Some(number(length)?),
        };
        let range = match range {
            "*" => None,
            range => {
                let (first, last) = range.split_once('-')?;
                Some((number(first)?, number(last)?))
            }
        };
        let is_valid = match (range, complete) {
            (Some((first, last)), complete) => {
                first <= last && complete.is_none_or(|complete| last < complete)
            }
            (None, complete) => complete.is_some(),
        };
        (unit.eq_ignore_ascii_case("bytes") && is_valid).then_some(Self { complete, range })
    }
}

/// Digits only: `parse` alone would take a sign.
fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(etag: Option<&str>, content_range: &str) -> RepresentationSummary {
        RepresentationSummary {
            content_range: ContentRange::parse(content_range),
            etag: etag.map(Into::into),
            ..RepresentationSummary::default()
        }
    }

    fn point(offset: u64) -> ResumePoint {
        ResumePoint::new(offset, Validator::parse("\"v1\""))
    }

    #[test]
    fn content_ranges_that_are_not_valid_are_refused() {
        for text in [
            "",
            "bytes",
            "bytes 1-2",
            "bytes 2-1/9",
            "bytes 0-9/9",
            "bytes */*",
            "bytes -1-2/9",
            "bytes +1-2/9",
            "bytes 1-/9",
            "items 1-2/9",
            "bytes 1-2/18446744073709551616",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
        let open = ContentRange::parse("BYTES 1-2/*").unwrap();
        assert_eq!((open.range, open.complete), (Some((1, 2)), None));
    }

    #[test]
    fn only_the_rest_of_the_same_body_continues_it() {
        use Continuation::{Mismatch, Nothing, Other, Rest};
        let same = Some("\"v1\"");
        for (status, head, complete, expected) in [
            (206, head(same, "bytes 5-9/10"), Some(10), Rest(Some(10))),
            (206, head(same, "bytes 5-9/10"), None, Rest(Some(10))),
            (206, head(same, "bytes 5-9/*"), Some(10), Rest(Some(10))),
            (206, head(same, "bytes 5-7/10"), Some(10), Rest(Some(10))),
            (206, head(same, "bytes 4-9/10"), Some(10), Mismatch),
            (206, head(same, "bytes 6-9/10"), Some(10), Mismatch),
            (206, head(same, "bytes 5-10/11"), Some(10), Mismatch),
            (
                206,
                head(Some("\"v2\""), "bytes 5-9/10"),
                Some(10),
                Mismatch,
            ),
            (206, head(None, "bytes 5-9/10"), Some(10), Mismatch),
            (206, head(same, ""), Some(10), Mismatch),
            (416, head(None, "bytes */5"), None, Nothing),
            (416, head(same, "bytes */5"), Some(5), Nothing),
            (416, head(Some("\"v2\""), "bytes */5"), None, Mismatch),
            (416, head(None, "bytes */4"), None, Mismatch),
            (416, head(None, ""), None, Mismatch),
            (200, head(same, ""), Some(10), Other),
            (503, head(None, ""), Some(10), Other),
        ] {
            let found = head.continues(status, &point(5), complete);
            assert_eq!(found, expected, "{status} {head:?}");
        }
        let encoded = RepresentationSummary {
            is_encoded: true,
            ..head(same, "bytes 5-9/10")
        };
        assert_eq!(encoded.continues(206, &point(5), None), Mismatch);
    }

    #[test]
    fn a_date_may_be_missing_in_the_rest_but_not_differ() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let point = ResumePoint::new(5, Validator::parse(date));
        let with = |modified: Option<&str>| RepresentationSummary {
            last_modified: modified.map(Into::into),
            ..head(None, "bytes 5-9/10")
        };
        for (modified, expected) in [
            (None, Continuation::Rest(Some(10))),
            (Some(date), Continuation::Rest(Some(10))),
            (
                Some("Mon, 07 Nov 1994 08:49:37 GMT"),
                Continuation::Mismatch,
            ),
        ] {
            assert_eq!(with(modified).continues(206, &point, None), expected);
        }
    }

    #[test]
    fn a_weak_tag_hides_the_date() {
        let date = Some(("Sun, 06 Nov 1994 08:49:37 GMT", Duration::from_secs(3600)));
        assert_eq!(Validator::strong(Some("W/\"v1\""), date), None);
        assert!(Validator::strong(None, date).is_some());
        assert_eq!(Validator::parse(""), None);
        assert_eq!(Validator::parse("\""), None);
    }
}
