//! A response head: parsed in the read buffer, with its framing and keep-alive.

use std::mem::MaybeUninit;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use fetch_transport_util::has_body;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

use crate::flood::MAX_INFORMATIONAL;

/// The most fields of a head.
const MAX_FIELDS: usize = 100;

#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(super) framing: BodyFraming,
    /// How long the connection may be idle before it must not be used again, by `Keep-Alive`.
    pub(super) idle_limit: Option<Duration>,
    pub(crate) headers: HeaderMap,
    /// Whether the connection may serve another request afterwards.
    pub(super) keep_alive: bool,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
}

/// How the end of a body is found (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BodyFraming {
    Chunked,
    Length(u64),
    UntilClose,
}

/// Why a head is not accepted.
#[derive(Debug)]
pub(super) enum HeadError {
    /// `Content-Length` is larger than any number.
    BodyTooLarge(String),
    /// Too many informational heads.
    Flood,
    /// It does not begin with a status line of HTTP/1.
    NotHttp(String),
    Syntax(String),
    /// Over the limit on bytes or fields.
    TooLarge,
}

/// Parses the head of one response.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadParser {
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
            self.informational += 1;
            if self.informational > MAX_INFORMATIONAL {
                return Err(HeadError::Flood);
            }
        }
        Ok(None)
    }

    fn check_body_length(self, length: usize) -> Result<(), HeadError> {
        match length > self.max_head {
            true => Err(HeadError::TooLarge),
            false => Ok(()),
        }
    }

    /// The head at the start of `bytes`, and its length, if it is complete.
    fn parse_head(self, bytes: &[u8]) -> Result<Option<(ResponseHead, usize)>, HeadError> {
        let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let status = config.parse_response_with_uninit_headers(&mut parsed, bytes, &mut fields);
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
            ) => return Err(HeadError::NotHttp(error.to_string())),
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
        let headers = headers(parsed.headers, bytes)?;
        let (framing, is_unambiguous) = match has_body(self.is_head_request, status) {
            true => framing(&headers, version)?,
            false => (BodyFraming::Length(0), true),
        };
        let (idle_limit, is_last) = keep_alive_parameters(&headers);
        let keep_alive = is_unambiguous
            && framing != BodyFraming::UntilClose
            && !is_last
            && allows_keep_alive(&headers, version);
        Ok(ResponseHead {
            framing,
            idle_limit,
            headers,
            keep_alive,
            status,
            version,
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

/// The fields. All values share one copy of the head.
fn headers(fields: &[httparse::Header<'_>], bytes: &[u8]) -> Result<HeaderMap, HeadError> {
    let whole = Bytes::copy_from_slice(bytes);
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| syntax(format!("the field name {:?}", field.name)))?;
        let start = field.value.as_ptr().addr() - bytes.as_ptr().addr();
        let value = match field.value.is_empty() {
            true => HeaderValue::from_static(""),
            false => HeaderValue::from_maybe_shared(whole.slice(start..start + field.value.len()))
                .map_err(|_| syntax(format!("the value of {name}")))?,
        };
        headers.append(name, value);
    }
    Ok(headers)
}

/// How the body ends, and whether the head is unambiguous about it.
fn framing(headers: &HeaderMap, version: Version) -> Result<(BodyFraming, bool), HeadError> {
    if let Some(coding) = headers.get_all(TRANSFER_ENCODING).iter().next_back() {
        if version == Version::HTTP_10 {
            return Err(syntax("Transfer-Encoding in HTTP/1.0"));
        }
        let last = coding.as_bytes().rsplit(|byte| *byte == b',').next();
        let is_chunked =
            last.is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        return Ok(match is_chunked {
            // If there is a length, too, an intermediary may use it instead (request smuggling).
            true => (BodyFraming::Chunked, !headers.contains_key(CONTENT_LENGTH)),
            false => (BodyFraming::UntilClose, true),
        });
    }
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let parsed = parse_number(part.trim_ascii());
            let parsed = parsed.ok_or_else(|| invalid_length(part.trim_ascii()))?;
            if length.is_some_and(|length| length != parsed) {
                return Err(syntax("two different values of Content-Length"));
            }
            length = Some(parsed);
        }
    }
    let framing = length.map_or(BodyFraming::UntilClose, BodyFraming::Length);
    Ok((framing, true))
}

/// The error of a length that is not a 64-bit number.
fn invalid_length(text: &[u8]) -> HeadError {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = format!("Content-Length: {}", text.escape_ascii());
    match is_number {
        true => HeadError::BodyTooLarge(text),
        false => HeadError::Syntax(text),
    }
}

fn parse_number(digits: &[u8]) -> Option<u64> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| all_digits)?
        .parse()
        .ok()
}

fn allows_keep_alive(headers: &HeaderMap, version: Version) -> bool {
    let has_option = |wanted: &[u8]| {
        headers.get_all(CONNECTION).iter().any(|value| {
            let mut options = value.as_bytes().split(|byte| *byte == b',');
            options.any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted))
        })
    };
    match version {
        Version::HTTP_10 => has_option(b"keep-alive") && !has_option(b"close"),
        _ => !has_option(b"close"),
    }
}

/// How much earlier than the server's limit an idle connection is given up, at most: a request must
/// arrive before the server closes the connection.
const MAX_IDLE_MARGIN: Duration = Duration::from_secs(1);

/// The idle limit in `Keep-Alive: timeout=5, max=100`, less a margin, and whether the connection
/// takes no more requests (RFC 2068, section 19.7.1.1).
fn keep_alive_parameters(headers: &HeaderMap) -> (Option<Duration>, bool) {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    let (mut idle_limit, mut is_last) = (None, false);
    for value in headers.get_all(KEEP_ALIVE) {
        for parameter in value.as_bytes().split(|byte| *byte == b',') {
            let mut parts = parameter.splitn(2, |byte| *byte == b'=');
            let name = parts.next().unwrap_or_default().trim_ascii();
            let number = parts.next().unwrap_or_default().trim_ascii();
            let number = number.strip_prefix(b"\"").unwrap_or(number);
            let number = parse_number(number.strip_suffix(b"\"").unwrap_or(number));
            if name.eq_ignore_ascii_case(b"timeout") {
                let limit = number.map(Duration::from_secs);
                let limit = limit.map(|limit| limit - MAX_IDLE_MARGIN.min(limit / 2));
                idle_limit = limit.or(idle_limit);
            } else if name.eq_ignore_ascii_case(b"max") {
                is_last |= number == Some(0);
            }
        }
    }
    // A limit of zero allows no request after this one.
    (idle_limit, is_last || idle_limit == Some(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_alive_limits_the_idle_time_with_a_margin() {
        let parameters = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("keep-alive", HeaderValue::from_static(value));
            keep_alive_parameters(&headers)
        };
        let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
        for (value, limit, is_last) in [
            ("timeout=5", seconds(4.0), false),
            ("timeout=5, max=100", seconds(4.0), false),
            ("max=0, Timeout = \"75\"", seconds(74.0), true),
            ("timeout=1", seconds(0.5), false),
            ("timeout=2", seconds(1.0), false),
            ("timeout=0", seconds(0.0), true),
            ("timeout=x, max=-1, 300", None, false),
            ("timeout=18446744073709551616", None, false),
        ] {
            assert_eq!(parameters(value), (limit, is_last), "{value}");
        }
        assert_eq!(keep_alive_parameters(&HeaderMap::new()), (None, false));
    }

    const GET: HeadParser = HeadParser {
        informational: 0,
        is_head_request: false,
        max_head: 1_000,
        size: 0,
    };

    fn head(text: &str) -> Result<ResponseHead, HeadError> {
        let mut unread = BytesMut::new();
        { GET }
            .parse(text.as_bytes(), &mut unread)
            .map(|head| head.expect(text))
    }

    #[test]
    fn a_head_is_parsed_for_every_split_of_the_input() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n\
            HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nEmpty:\r\nContent-Length: 3\r\n\r\nabcHTTP";
        for step in 1..=text.len() {
            let (mut unread, mut found) = (BytesMut::new(), None);
            for received in text.chunks(step) {
                match &found {
                    None => found = { GET }.parse(received, &mut unread).unwrap(),
                    Some(_) => unread.extend_from_slice(received),
                }
            }
            let head = found.unwrap();
            let values: Vec<_> = head.headers.get_all("x-a").iter().collect();
            assert_eq!(values, ["1", "2"]);
            assert_eq!(head.headers["empty"], "");
            assert_eq!(
                (head.framing, head.keep_alive),
                (BodyFraming::Length(3), true)
            );
            assert_eq!(unread, "abcHTTP", "{step}");
        }
    }

    #[test]
    fn framing_and_keep_alive_follow_rfc_9112() {
        use BodyFraming::{Chunked, Length, UntilClose};
        for (head_text, framing, keep_alive) in [
            ("HTTP/1.1 200\r\n\r\n", UntilClose, false),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
                Length(5),
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x, Close\r\n\r\n",
                Length(5),
                false,
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
                Length(5),
                false,
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n",
                Length(5),
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n",
                Chunked,
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
                Chunked,
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
                UntilClose,
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                Chunked,
                false,
            ),
            (
                "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n",
                Length(0),
                true,
            ),
            (
                "HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n",
                Length(0),
                true,
            ),
        ] {
            let head = head(head_text).unwrap();
            assert_eq!(
                (head.framing, head.keep_alive),
                (framing, keep_alive),
                "{head_text}"
            );
        }
    }

    #[test]
    fn endless_informational_heads_are_a_flood() {
        let one = b"HTTP/1.1 103 Early\r\n\r\n";
        for at_once in [1, 7, 1_000] {
            let (mut parser, mut unread) = (GET, BytesMut::new());
            let mut heads = 0;
            let error = loop {
                heads += at_once;
                if let Err(error) = parser.parse(&one.repeat(at_once), &mut unread) {
                    break error;
                }
            };
            assert!(matches!(error, HeadError::Flood), "{error:?}");
            assert!((256..=1_000).contains(&heads));
        }
    }

    #[test]
    fn a_response_to_head_has_no_body() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let mut parser = HeadParser {
            is_head_request: true,
            ..GET
        };
        let head = parser.parse(text, &mut BytesMut::new()).unwrap().unwrap();
        assert_eq!(head.framing, BodyFraming::Length(0));
    }

    #[test]
    fn invalid_heads_are_rejected() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX : space\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        ] {
            assert!(matches!(head(text), Err(HeadError::Syntax(_))), "{text}");
        }
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n";
        assert!(matches!(head(text), Err(HeadError::BodyTooLarge(_))));
    }

    #[test]
    fn what_does_not_begin_with_a_status_line_is_not_http() {
        for text in [
            "HTTP/1.1 99 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "SSH-2.0\r\n\r\n",
        ] {
            assert!(matches!(head(text), Err(HeadError::NotHttp(_))), "{text}");
        }
    }

    #[test]
    fn heads_over_the_limit_are_rejected_whole_or_in_pieces() {
        let (long, many) = ("x".repeat(1_000), "A: b\r\n".repeat(101));
        for fields in [
            format!("X: {long}\r\n\r\n"),
            format!("X: {long}"),
            format!("{many}\r\n"),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}");
            let parsed = { GET }.parse(text.as_bytes(), &mut BytesMut::new());
            assert!(matches!(parsed, Err(HeadError::TooLarge)), "{parsed:?}");
            // The same, byte by byte.
            let mut unread = BytesMut::new();
            let mut bytes = text.as_bytes().chunks(1);
            assert!(bytes.any(|byte| { GET }.parse(byte, &mut unread).is_err()));
        }
    }
}
