//! A response head: parsed in the read buffer, with its framing and keep-alive.

mod framing;
mod keep_alive;
#[cfg(test)]
mod tests;

use fetch_driver::{Quoted, ResponseHeaders};
use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use fetch_transport_util::{ContentCoding, has_body};
use http::header::TRANSFER_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

pub(super) use self::framing::BodyFraming;
use self::framing::{framing, transfer_codings};
use self::keep_alive::{allows_keep_alive, keep_alive_parameters};
use crate::flood::MAX_INFORMATIONAL;

/// How many fields are parsed without an allocation. The length of the head bounds their number.
const FEW_FIELDS: usize = 100;

/// The size of the largest head whose lines are kept as they are, in bytes: no name in it is too long for a map.
const MAX_LINES: usize = u16::MAX as usize;

#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(super) framing: BodyFraming,
    /// How long the connection may be idle before it must not be used again, by `Keep-Alive`.
    pub(super) idle_limit: Option<Duration>,
    pub(crate) headers: ResponseHeaders,
    /// Whether the connection may serve another request afterwards.
    pub(super) keep_alive: bool,
    /// The codings of the body besides chunked, in the order in which they were applied.
    pub(crate) transfer_codings: Vec<ContentCoding>,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
}

/// Why a head is not accepted.
#[derive(Debug)]
pub(super) enum HeadError {
    /// `Content-Length` is larger than any number.
    BodyTooLarge(String),
    /// A transfer coding that cannot be decoded.
    Coding(String),
    /// Too many informational heads.
    Flood,
    /// It does not begin with a status line of HTTP/1.
    NotHttp(String),
    Syntax(String),
    /// Over the limit on bytes.
    TooLarge,
}

/// Parses the head of one response.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadParser {
    /// Whether `100 Continue` was skipped.
    pub(super) has_continue: bool,
    /// How many informational heads were skipped.
    pub(super) informational: usize,
    /// Whether the request was HEAD: the response has no body, whatever its head says.
    pub(super) is_head_request: bool,
    /// The largest head, in bytes.
    pub(super) max_head: usize,
    /// The size of the heads so far, in bytes.
    pub(super) size: usize,
}

impl HeadParser {
    /// The final head, once it is complete, from the bytes `received` now and those `unread` before.
    /// Bytes after the head stay in `unread`.
    pub(super) fn parse(
        &mut self,
        received: &[u8],
        unread: &mut BytesMut,
    ) -> Result<Option<ResponseHead>, HeadError> {
        if unread.is_empty() {
            // Nearly every head arrives in one read: then only the bytes after it go to `unread`.
            match self.parse_head(received)? {
                Some((head, length)) if !head.status.is_informational() => {
                    self.size += length;
                    *unread = BytesMut::from(&received[length..]);
                    return Ok(Some(head));
                }
                _ => {}
            }
        } else if !may_contain_end(unread, received) {
            // Parsing again for every byte that arrives would take quadratic time.
            unread.extend_from_slice(received);
            return self.check_body_length(unread.len()).map(|()| None);
        }
        unread.extend_from_slice(received);
        while let Some((head, length)) = self.parse_head(unread)? {
            unread.advance(length);
            self.size += length;
            // 101 is final: no request asks for another protocol.
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Some(head));
            }
            self.has_continue |= head.status == StatusCode::CONTINUE;
            self.informational += 1;
            if self.informational > MAX_INFORMATIONAL {
                return Err(HeadError::Flood);
            }
        }
        Ok(None)
    }

    /// The error in an incomplete head. [`parse`](Self::parse) does not look for it after each read.
    pub(super) fn find_error(self, unread: &[u8]) -> Option<HeadError> {
        match unread.is_empty() {
            true => None,
            false => self.parse_head(unread).err(),
        }
    }

    fn check_body_length(self, length: usize) -> Result<(), HeadError> {
        match length > self.max_head {
            true => Err(HeadError::TooLarge),
            false => Ok(()),
        }
    }

    /// The head at the start of `bytes`, and its length, if it is complete.
    fn parse_head(self, bytes: &[u8]) -> Result<Option<(ResponseHead, usize)>, HeadError> {
        let mut few = [const { MaybeUninit::uninit() }; FEW_FIELDS];
        let mut many = Vec::new();
        let mut parsed = httparse::Response::new(&mut []);
        let mut config = httparse::ParserConfig::default();
        config.allow_obsolete_multiline_headers_in_responses(true);
        let mut status = config.parse_response_with_uninit_headers(&mut parsed, bytes, &mut few);
        if status == Err(httparse::Error::TooManyHeaders) {
            let lines = memchr::memchr_iter(b'\n', &bytes[..bytes.len().min(self.max_head)]);
            many.resize(lines.count(), httparse::EMPTY_HEADER);
            parsed = httparse::Response::new(&mut many);
            status = config.parse_response(&mut parsed, bytes);
        }
        let length = match status {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => {
                return self.check_body_length(bytes.len()).map(|()| None);
            }
            Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLarge),
            Err(
                error @ (httparse::Error::NewLine
                | httparse::Error::Status
                | httparse::Error::Version),
            ) => {
                let mut line = bytes
                    .split(|byte| *byte == b'\n')
                    .next()
                    .unwrap_or(bytes)
                    .iter();
                let is_http = bytes.starts_with(b"HTTP/1.");
                return Err(match is_http && line.any(|byte| *byte == 0) {
                    true => HeadError::Syntax("a NUL in the status line".to_owned()),
                    false => HeadError::NotHttp(error.to_string()),
                });
            }
            Err(error) => return Err(HeadError::Syntax(error.to_string())),
        };
        self.check_body_length(length)?;
        let head = self.convert(&parsed, &bytes[..length])?;
        Ok(Some((head, length)))
    }

    fn convert(
        self,
        parsed: &httparse::Response<'_, '_>,
        bytes: &[u8],
    ) -> Result<ResponseHead, HeadError> {
        let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or_else(|| {
            HeadError::NotHttp("the status is no number from 100 to 999".to_owned())
        })?;
        let version = match parsed.version {
            Some(0) => Version::HTTP_10,
            _ => Version::HTTP_11,
        };
        let fields = Fields(parsed.headers);
        let has_body = has_body(self.is_head_request, status);
        let (framing, is_unambiguous) = match has_body {
            true => framing(fields, version)?,
            false => (BodyFraming::Length(0), true),
        };
        let transfer_codings = match has_body && fields.all(TRANSFER_ENCODING).next().is_some() {
            true => transfer_codings(fields)?,
            false => Vec::new(),
        };
        let (idle_limit, is_last) = keep_alive_parameters(fields);
        let keep_alive = is_unambiguous
            && framing != BodyFraming::UntilClose
            && !is_last
            && allows_keep_alive(fields, version);
        Ok(ResponseHead {
            framing,
            idle_limit,
            headers: response_headers(parsed.headers, bytes)?,
            keep_alive,
            transfer_codings,
            status,
            version,
        })
    }
}

/// The fields of a head, as parsed.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    /// All values of a field.
    fn all(self, name: HeaderName) -> impl DoubleEndedIterator<Item = Cow<'a, [u8]>> {
        let of_name =
            move |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name.as_str());
        let values = self.0.iter().filter(of_name).map(|field| field.value);
        values.map(|value| match value.contains(&b'\n') {
            true => Cow::Owned(unfold(value)),
            false => Cow::Borrowed(value),
        })
    }
}

fn syntax(text: impl Into<String>) -> HeadError {
    HeadError::Syntax(text.into())
}

/// Whether the head at the start of `unread` may end in the bytes `received` now.
fn may_contain_end(unread: &[u8], received: &[u8]) -> bool {
    let before = &unread[unread.len().saturating_sub(3)..];
    let seam = received.iter().take(3);
    let seam: Vec<u8> = before.iter().chain(seam).copied().collect();
    let has_end = |bytes: &[u8]| {
        memchr::memchr_iter(b'\n', bytes)
            .any(|at| matches!(bytes[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]))
    };
    has_end(&seam) || has_end(received)
}

/// The fields, as lines that become a map when it is asked for; at once, if they may not fit into a map or a
/// value is folded.
fn response_headers(
    fields: &[httparse::Header<'_>],
    bytes: &[u8],
) -> Result<ResponseHeaders, HeadError> {
    // The status line, a line for each field, and an empty one.
    let has_folds = memchr::memchr_iter(b'\n', bytes).count() != fields.len() + 2;
    if has_folds || fields.len() > FEW_FIELDS || bytes.len() > MAX_LINES {
        return field_map(fields).map(ResponseHeaders::from);
    }
    let first_line = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
    let lines = Bytes::copy_from_slice(&bytes[first_line..]);
    Ok(ResponseHeaders::from_lines(lines))
}

fn field_map(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, HeadError> {
    let mut headers =
        HeaderMap::try_with_capacity(fields.len()).map_err(|_| HeadError::TooLarge)?;
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| syntax(format!("the field name {}", Quoted(field.name))))?;
        let value = HeaderValue::from_bytes(&unfold(field.value))
            .map_err(|_| syntax(format!("the value of {name}")))?;
        let appended = headers.try_append(name, value);
        appended.map_err(|_| HeadError::TooLarge)?;
    }
    Ok(headers)
}

/// A value of several lines as one: a space for each line break and the white space around it (RFC
/// 9112, section 5.2).
fn unfold(value: &[u8]) -> Vec<u8> {
    let mut lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut joined = lines.next().unwrap_or_default().to_vec();
    for line in lines {
        joined.push(b' ');
        joined.extend_from_slice(line);
    }
    joined.trim_ascii().to_vec()
}

fn parse_number(digits: &[u8]) -> Option<u64> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| all_digits)?
        .parse()
        .ok()
}
