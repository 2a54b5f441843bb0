//! A response's head: parsed where it was read, and what it says of the body and the connection.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

/// So many fields a head may have.
const MAX_FIELDS: usize = 100;

/// A response's head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) framing: Framing,
    pub(crate) headers: HeaderMap,
    /// Whether the connection may serve another request afterwards.
    pub(crate) keep_alive: bool,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
}

/// How a body ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    Chunked,
    /// With the connection.
    Close,
    Length(u64),
}

/// Why a head cannot be accepted.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is over the limit on bytes or fields.
    TooLarge,
    Syntax(String),
}

/// What must be known of the request, and of what is accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// Whether the response has no body, whatever its head says.
    pub(crate) is_head: bool,
    /// The largest head, in bytes.
    pub(crate) max: usize,
}

impl Expected {
    /// The final head, once it is whole, out of what `came` and the `rest` of what came before. What
    /// stands behind it is then the `rest`.
    pub(super) fn take(self, came: &[u8], rest: &mut BytesMut) -> Result<Option<Head>, Fault> {
        if rest.is_empty() {
            // Nearly always it comes with one read, and nothing is copied but what is kept of it.
            match self.parse(came)? {
                Some((head, length)) if !head.status.is_informational() => {
                    *rest = BytesMut::from(&came[length..]);
                    return Ok(Some(head));
                }
                _ => {}
            }
        } else if !may_end(rest, came) {
            // Parsing anew for each byte that comes would take time without end.
            rest.extend_from_slice(came);
            return self.within_limit(rest.len()).map(|()| None);
        }
        rest.extend_from_slice(came);
        while let Some((head, length)) = self.parse(rest)? {
            rest.advance(length);
            // 101 is final: nobody asked for another protocol.
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    fn within_limit(self, length: usize) -> Result<(), Fault> {
        match length > self.max {
            true => Err(Fault::TooLarge),
            false => Ok(()),
        }
    }

    /// The head that `bytes` begin with, and its length, if it is whole.
    fn parse(self, bytes: &[u8]) -> Result<Option<(Head, usize)>, Fault> {
        let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let status = config.parse_response_with_uninit_headers(&mut parsed, bytes, &mut fields);
        let length = match status {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return self.within_limit(bytes.len()).map(|()| None),
            Err(httparse::Error::TooManyHeaders) => return Err(Fault::TooLarge),
            Err(error) => return Err(Fault::Syntax(error.to_string())),
        };
        self.within_limit(length)?;
        let head = self.read(&parsed, &bytes[..length])?;
        Ok(Some((head, length)))
    }

    fn read(self, parsed: &httparse::Response<'_, '_>, bytes: &[u8]) -> Result<Head, Fault> {
        let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or_else(|| syntax("the status is no number from 100 to 999"))?;
        let version = match parsed.version {
            Some(0) => Version::HTTP_10,
            _ => Version::HTTP_11,
        };
        let headers = headers(parsed.headers, bytes)?;
        let has_none = self.is_head
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let (framing, is_clear) = match has_none {
            true => (Framing::Length(0), true),
            false => framing(&headers, version)?,
        };
        let keep_alive = is_clear && framing != Framing::Close && keeps_alive(&headers, version);
        Ok(Head {
            framing,
            headers,
            keep_alive,
            status,
            version,
        })
    }
}

fn syntax(text: impl Into<String>) -> Fault {
    Fault::Syntax(text.into())
}

/// Whether a head that has come but for its end may end in what comes now.
fn may_end(rest: &[u8], came: &[u8]) -> bool {
    let before = &rest[rest.len().saturating_sub(3)..];
    let seam = came.iter().take(3);
    let seam: Vec<u8> = before.iter().chain(seam).copied().collect();
    let ends = |bytes: &[u8]| {
        memchr::memchr_iter(b'\n', bytes)
            .any(|at| matches!(bytes[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]))
    };
    ends(&seam) || ends(came)
}

/// The fields. Values are parts of one copy of the head.
fn headers(fields: &[httparse::Header<'_>], bytes: &[u8]) -> Result<HeaderMap, Fault> {
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

/// How the body ends, and whether the head is clear about it.
fn framing(headers: &HeaderMap, version: Version) -> Result<(Framing, bool), Fault> {
    if let Some(coding) = headers.get_all(TRANSFER_ENCODING).iter().next_back() {
        if version == Version::HTTP_10 {
            return Err(syntax("Transfer-Encoding in HTTP/1.0"));
        }
        let last = coding.as_bytes().rsplit(|byte| *byte == b',').next();
        let is_chunked =
            last.is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        return Ok(match is_chunked {
            // With a length besides, who is in between may see the end elsewhere.
            true => (Framing::Chunked, !headers.contains_key(CONTENT_LENGTH)),
            false => (Framing::Close, true),
        });
    }
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let said = number(part.trim_ascii());
            let said = said.ok_or_else(|| syntax(format!("Content-Length: {value:?}")))?;
            if length.is_some_and(|length| length != said) {
                return Err(syntax("two different values of Content-Length"));
            }
            length = Some(said);
        }
    }
    Ok((length.map_or(Framing::Close, Framing::Length), true))
}

fn number(digits: &[u8]) -> Option<u64> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| all_digits)?
        .parse()
        .ok()
}

fn keeps_alive(headers: &HeaderMap, version: Version) -> bool {
    let says = |option: &[u8]| {
        headers.get_all(CONNECTION).iter().any(|value| {
            let mut options = value.as_bytes().split(|byte| *byte == b',');
            options.any(|said| said.trim_ascii().eq_ignore_ascii_case(option))
        })
    };
    match version {
        Version::HTTP_10 => says(b"keep-alive") && !says(b"close"),
        _ => !says(b"close"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Expected = Expected {
        is_head: false,
        max: 1_000,
    };

    fn head(text: &str) -> Result<Head, Fault> {
        let mut rest = BytesMut::new();
        GET.take(text.as_bytes(), &mut rest)
            .map(|head| head.expect(text))
    }

    #[test]
    fn a_head_is_found_however_it_arrives() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n\
            HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nEmpty:\r\nContent-Length: 3\r\n\r\nabcHTTP";
        for step in 1..=text.len() {
            let (mut rest, mut found) = (BytesMut::new(), None);
            for came in text.chunks(step) {
                match &found {
                    None => found = GET.take(came, &mut rest).unwrap(),
                    Some(_) => rest.extend_from_slice(came),
                }
            }
            let head = found.unwrap();
            let values: Vec<_> = head.headers.get_all("x-a").iter().collect();
            assert_eq!(values, ["1", "2"]);
            assert_eq!(head.headers["empty"], "");
            assert_eq!((head.framing, head.keep_alive), (Framing::Length(3), true));
            assert_eq!(rest, "abcHTTP", "{step}");
        }
    }

    #[test]
    fn framing_and_keep_alive_are_as_the_rfc_says() {
        use Framing::{Chunked, Close, Length};
        for (head_text, framing, keep_alive) in [
            ("HTTP/1.1 200\r\n\r\n", Close, false),
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
                Close,
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
    fn a_response_to_head_has_no_body() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let expected = Expected {
            is_head: true,
            ..GET
        };
        let head = expected.take(text, &mut BytesMut::new()).unwrap().unwrap();
        assert_eq!(head.framing, Framing::Length(0));
    }

    #[test]
    fn heads_that_no_client_should_accept_are_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX : space\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
            "HTTP/1.1 99 OK\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "SSH-2.0\r\n\r\n",
        ] {
            assert!(matches!(head(text), Err(Fault::Syntax(_))), "{text}");
        }
    }

    #[test]
    fn heads_over_the_limit_are_refused_whole_or_not() {
        let (long, many) = ("x".repeat(1_000), "A: b\r\n".repeat(101));
        for fields in [
            format!("X: {long}\r\n\r\n"),
            format!("X: {long}"),
            format!("{many}\r\n"),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}");
            let taken = GET.take(text.as_bytes(), &mut BytesMut::new());
            assert!(matches!(taken, Err(Fault::TooLarge)), "{taken:?}");
            // The same, byte by byte.
            let mut rest = BytesMut::new();
            let mut bytes = text.as_bytes().chunks(1);
            assert!(bytes.any(|byte| GET.take(byte, &mut rest).is_err()));
        }
    }
}
