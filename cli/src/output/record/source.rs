//! The inputs of a record, and the values from which its fields are computed.

use std::borrow::Cow;
use std::net::SocketAddr;

use fetch_driver::cache::CacheStatus;
use fetch_driver::{MessageSizes, Outcome, Request, Response, Timestamp};
use fetch_proto::{AttemptReport, AttemptTimings};
use http::{HeaderMap, HeaderName, Version, header};
use serde_json::value::RawValue;
use url::Url;

use super::builder::RecordBuilder;
use super::fields::{ErrorMessage, RecordId, seconds};
use super::started_at::StartedAt;
use crate::outcome::error_type::ErrorType;
use crate::outcome::kind::OutcomeKind;
use crate::outcome::recorded_body::RecordedValue;
use crate::outcome::result::FetchResult;
use crate::outcome::row::RowAttachment;
use crate::outcome::saved_body::SavedBody;

/// The result of one line of the list.
#[derive(Clone, Copy)]
pub(crate) enum RecordInput<'a> {
    /// robots.txt forbids the URL, or could not be fetched.
    Disallowed {
        message: &'a str,
        request: &'a Request,
    },
    Fetched(&'a FetchResult<'a>),
    /// The line cannot be fetched.
    Invalid {
        /// The columns of its row.
        carried: Option<&'a RawValue>,
        /// Its text in the list.
        line: &'a [u8],
        message: &'a str,
        seq: u64,
        /// Its URL, or the line of a list of lines. `None` if it cannot be written unchanged, and for
        /// a row whose URL is not known: the text there may be another URL.
        url: Option<&'a str>,
    },
    /// The URL's file existed already.
    Skipped {
        file: &'a str,
        row: Option<&'a RowAttachment>,
        seq: u64,
        url: &'a str,
    },
}

impl<'a> RecordInput<'a> {
    /// The response, also if its body is incomplete.
    pub(in crate::output) fn response(&self) -> Option<&'a Response> {
        match self {
            Self::Fetched(result) => result.outcome.any_response(),
            _ => None,
        }
    }

    /// The outcome, if the URL was fetched.
    pub(in crate::output) fn outcome(&self) -> Option<&'a Outcome> {
        match self {
            Self::Fetched(result) => Some(result.outcome),
            _ => None,
        }
    }

    /// The response's header fields as the server sent them.
    pub(in crate::output) fn headers(&self) -> Option<Cow<'a, HeaderMap>> {
        self.response().map(Response::received_headers)
    }
}

/// The values from which the fields of a record are computed.
pub(in crate::output) struct RecordSource<'a> {
    pub(super) builder: &'a RecordBuilder,
    /// The columns of the row.
    pub(super) carried: Option<&'a RawValue>,
    pub(super) curl_code: u8,
    pub(super) error_type: Option<ErrorType>,
    /// `None` if the URL was not fetched.
    pub(super) fetch: Option<&'a FetchResult<'a>>,
    pub(super) file: Option<&'a str>,
    /// The line of the list, if it is no request.
    invalid_line: Option<&'a [u8]>,
    pub(super) message: Option<ErrorMessage<'a>>,
    pub(super) outcome: OutcomeKind,
    pub(super) row: Option<&'a RowAttachment>,
    pub(super) seq: u64,
    /// `None` if it is not known.
    pub(super) url: Option<&'a str>,
}

impl<'a> RecordSource<'a> {
    pub(super) fn new(builder: &'a RecordBuilder, input: &RecordInput<'a>) -> Self {
        let unfetched = |outcome, seq, url, row: Option<&'a RowAttachment>| Self {
            builder,
            carried: row.and_then(|row| row.carried.as_deref()),
            curl_code: 0,
            error_type: None,
            fetch: None,
            file: None,
            invalid_line: None,
            message: None,
            outcome,
            row,
            seq,
            url,
        };
        match *input {
            RecordInput::Fetched(fetch) => {
                let (outcome, saved) = (fetch.outcome, fetch.saved);
                let error = outcome.error().map(|error| match error.detail() {
                    Some(why) if fetch.class.kind == OutcomeKind::Robots => ErrorMessage::Text(why),
                    _ => ErrorMessage::Error(error),
                });
                Self {
                    curl_code: fetch.class.curl_code,
                    error_type: ErrorType::of(fetch),
                    fetch: Some(fetch),
                    file: saved.and_then(|saved| saved.file.as_deref()),
                    message: error.or_else(|| fetch.save_error().map(ErrorMessage::Text)),
                    ..unfetched(
                        fetch.class.kind,
                        outcome.tag,
                        Some(&*outcome.url),
                        RowAttachment::of(outcome),
                    )
                }
            }
            RecordInput::Disallowed { message, request } => Self {
                // Access denied: curl does not read robots.txt.
                curl_code: 9,
                error_type: Some(ErrorType::Name("robots")),
                message: Some(ErrorMessage::Text(message)),
                ..unfetched(
                    OutcomeKind::Robots,
                    request.tag_value(),
                    Some(request.text()),
                    RowAttachment::of_request(request),
                )
            },
            RecordInput::Invalid {
                carried,
                line,
                message,
                seq,
                url,
            } => Self {
                carried,
                invalid_line: Some(line),
                curl_code: url.map_or(3, invalid_url_code),
                error_type: Some(ErrorType::Name("invalid_url")),
                message: Some(ErrorMessage::Text(message)),
                ..unfetched(OutcomeKind::Invalid, seq, url, None)
            },
            RecordInput::Skipped {
                file,
                row,
                seq,
                url,
            } => Self {
                file: Some(file),
                ..unfetched(OutcomeKind::Skipped, seq, Some(url), row)
            },
        }
    }

    /// A value of the outcome; the default if the URL was not fetched.
    pub(super) fn fetched<T: Default>(&self, value: impl FnOnce(&'a Outcome) -> T) -> T {
        self.fetch
            .map_or_else(T::default, |fetch| value(fetch.outcome))
    }

    /// A number of bytes of its messages.
    pub(super) fn message_size(&self, size: impl FnOnce(MessageSizes) -> u64) -> Option<u64> {
        Some(size(self.fetch?.outcome.sizes))
    }

    pub(super) fn attempts(&self) -> &'a [AttemptReport] {
        self.fetch.map_or(&[], |fetch| &fetch.outcome.attempts)
    }

    pub(super) fn last(&self) -> Option<&'a AttemptReport> {
        self.attempts().last()
    }

    /// The response of which the last attempt brought the rest.
    fn resumed(&self) -> Option<&'a Response> {
        self.fetch?.outcome.resumed_from?;
        self.response()
    }

    /// The decoded bytes of the last response; of the whole one, if it came in several parts.
    pub(super) fn size_delivered(&self) -> u64 {
        let whole = self.resumed().or_else(|| self.cached_response());
        let whole = whole.map(|response| response.bytes);
        whole.unwrap_or_else(|| self.last().map_or(0, |last| last.bytes))
    }

    /// The body, if records have bodies.
    pub(super) fn body(&self) -> Option<Option<&'a RecordedValue>> {
        let recorded = || self.saved()?.recorded.as_ref()?.value.as_ref();
        self.builder.bodies.then(recorded)
    }

    /// Why the body is not recorded as it should be.
    pub(super) fn body_error(&self) -> Option<&'a str> {
        self.saved()?.recorded.as_ref()?.error.as_deref()
    }

    /// The digest that identifies the line or the request, or the row's own id.
    pub(super) fn id(&self) -> RecordId<'a> {
        match self.invalid_line {
            Some(line) => self.builder.id_of_line(line),
            None => self.builder.id(self.url.unwrap_or_default(), self.row),
        }
    }

    pub(super) fn method(&self) -> &'a str {
        let method = self.row.map(|row| row.method.as_str());
        method.unwrap_or(&self.builder.method)
    }

    /// The name of the profile that authenticates its last URL.
    pub(super) fn auth(&self) -> Option<&'a str> {
        self.fetch?.outcome.auth.as_deref()
    }

    /// What the cache did, if there is one.
    pub(super) fn cache(&self) -> Option<CacheStatus> {
        self.response()?.cache_status()
    }

    /// The status of the last response. One from the cache has no attempt.
    pub(super) fn response_code(&self) -> Option<u16> {
        let stored = || {
            self.cached_response()
                .map(|response| response.status.as_u16())
        };
        stored().or_else(|| self.last()?.status)
    }

    /// The URL of the last request, or of the response from the cache.
    pub(super) fn effective_url(&self) -> Option<&'a Url> {
        let stored = || self.cached_response().map(|response| &*response.url);
        self.last().map(|last| &*last.url).or_else(stored)
    }

    /// The response, if it is from the cache.
    fn cached_response(&self) -> Option<&'a Response> {
        let response = self.response()?;
        let has_age = response.cache_status()?.age.is_some();
        (has_age || self.attempts().is_empty()).then_some(response)
    }

    pub(super) fn response(&self) -> Option<&'a Response> {
        self.fetch?.outcome.any_response()
    }

    pub(super) fn content_type(&self) -> Option<&'a str> {
        let field = self
            .response()?
            .headers
            .first_value(&header::CONTENT_TYPE)?;
        str::from_utf8(field).ok().filter(|text| text.is_ascii())
    }

    /// The response's header fields, if records have them.
    pub(super) fn recorded_headers(&self) -> Option<Cow<'a, HeaderMap>> {
        let response = self.response().filter(|_| self.builder.headers)?;
        Some(response.received_headers())
    }

    /// The fields that a redirect did not take to another origin, if there are any.
    pub(super) fn withheld(&self) -> Option<&'a [HeaderName]> {
        let names = self.fetch?.outcome.withheld.as_slice();
        (!names.is_empty()).then_some(names)
    }

    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.fetch?.outcome.connection.as_ref()?.remote
    }

    pub(super) fn saved(&self) -> Option<&'a SavedBody> {
        self.fetch?.saved
    }

    /// When the first attempt started.
    pub(super) fn started(&self) -> Option<Timestamp> {
        self.fetch?.outcome.timings.started
    }

    pub(super) fn started_at(&self) -> Option<StartedAt> {
        let started = self.started()?;
        Some(StartedAt(self.builder.epoch + started.since_start()))
    }

    /// From the first attempt's start to this moment of the last attempt.
    pub(super) fn time_until(
        &self,
        moment: impl FnOnce(&AttemptTimings) -> Option<Timestamp>,
    ) -> Option<f64> {
        let at = moment(&self.last()?.timings)?;
        Some(seconds(at.saturating_since(self.started()?)))
    }

    pub(super) fn time_total(&self) -> Option<f64> {
        self.started()?;
        Some(self.fetched(|outcome| seconds(outcome.duration())))
    }
}

/// curl's code for a URL that it does not accept, or whose scheme it does not know.
fn invalid_url_code(text: &str) -> u8 {
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
    match Url::parse(text) {
        Ok(url) if text.contains("://") && !is_http(&url) => 1,
        _ => 3,
    }
}

/// Whether the attempt opened a connection. An attempt on a pooled one resolves no name.
pub(super) fn is_new_connection(attempt: &AttemptReport) -> bool {
    attempt.timings.resolved.is_some() && attempt.timings.connected.is_some()
}

pub(super) fn http_version(version: Version) -> Option<&'static str> {
    Some(match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => return None,
    })
}
