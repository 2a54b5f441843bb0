//! A tunnel through an HTTP proxy, by CONNECT (RFC 9110, section 9.3.6).

use std::{fmt, io};

use fetch_driver::Proxy;
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use http::{HeaderMap, StatusCode};

use super::route::proxy_authorization;
use crate::flood::MAX_INFORMATIONAL;

/// The most fields in the proxy's response.
const MAX_FIELDS: usize = 100;

/// Why the proxy opened no tunnel.
#[derive(Debug)]
pub(crate) enum TunnelError {
    /// The response is not HTTP, or other bytes follow it.
    InvalidResponse(&'static str),
    Io(io::Error),
    Refused(u16),
    TooLong(usize),
    /// The proxy answered 407.
    Unauthorized {
        /// Whether user name and password were sent.
        sent: bool,
    },
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidResponse(what) => write!(f, "{what}: is it an HTTP proxy?"),
            Self::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("it closed the connection without an answer to CONNECT")
            }
            Self::Io(error) => write!(f, "CONNECT failed: {error}"),
            Self::Unauthorized { sent: true } => f.write_str(
                "it did not accept the user name and password (407 Proxy Authentication Required)",
            ),
            Self::Unauthorized { sent: false } => f.write_str(
                "it asks for a user name and password (407 Proxy Authentication Required): write \
                 them as http://user:password@host:port",
            ),
            Self::Refused(status) => {
                let reason = StatusCode::from_u16(*status).ok();
                let reason = reason.and_then(|status| status.canonical_reason());
                let separator = if reason.is_some() { " " } else { "" };
                let reason = reason.unwrap_or_default();
                let meaning = match status {
                    403 => "it does not allow this destination: ",
                    _ => "",
                };
                write!(
                    f,
                    "{meaning}it answered CONNECT with {status}{separator}{reason}"
                )
            }
            Self::TooLong(max) => write!(f, "its answer to CONNECT is over {max} bytes"),
        }
    }
}

impl TunnelError {
    /// Whether the proxy does not accept the credentials.
    pub(crate) fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Unauthorized { .. })
    }

    /// Whether the proxy answered, and so accepted the credentials unless it says otherwise.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether the same request would be refused again: 408, 425, 429 and most 5xx may pass.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Unauthorized { .. } => true,
            Self::Refused(status) => {
                matches!(status, 300..=407 | 409..=424 | 426..=428 | 430..=499 | 501)
            }
            Self::InvalidResponse(_) | Self::Io(_) | Self::TooLong(_) => false,
        }
    }
}

impl std::error::Error for TunnelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Opens a tunnel to `authority` over `stream`, which is connected to `proxy`. `headers` are sent to it.
pub(crate) async fn open_tunnel<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    proxy: &Proxy,
    authority: &str,
    headers: &HeaderMap,
    max_head: usize,
) -> Result<(), TunnelError> {
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    let authorization = proxy_authorization(proxy);
    if let Some(value) = &authorization {
        head.extend_from_slice(b"Proxy-Authorization: ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    stream.write_all(&head).await.map_err(TunnelError::Io)?;
    stream.flush().await.map_err(TunnelError::Io)?;
    match read_status(stream, max_head).await? {
        200..=299 => Ok(()),
        407 => Err(TunnelError::Unauthorized {
            sent: authorization.is_some(),
        }),
        status => Err(TunnelError::Refused(status)),
    }
}

/// Reads the final status of the response.
async fn read_status<S: AsyncRead + Unpin>(stream: &mut S, max: usize) -> Result<u16, TunnelError> {
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    let mut informational = 0;
    loop {
        while let Some((status, length)) = parse_head(&head)? {
            let rest = head.split_off(length);
            head = rest;
            if (100..200).contains(&status) {
                informational += 1;
                if informational > MAX_INFORMATIONAL {
                    return Err(TunnelError::InvalidResponse(
                        "it sends informational responses (1xx) without a final one",
                    ));
                }
                continue;
            }
            // In TLS and HTTP the client speaks first, so these bytes are not from the server.
            if !head.is_empty() && (200..300).contains(&status) {
                return Err(TunnelError::InvalidResponse(
                    "it sent more than it was asked for",
                ));
            }
            return Ok(status);
        }
        if head.len() > max {
            return Err(TunnelError::TooLong(max));
        }
        match stream.read(&mut buffer).await.map_err(TunnelError::Io)? {
            0 => return Err(TunnelError::Io(io::ErrorKind::UnexpectedEof.into())),
            n => head.extend_from_slice(&buffer[..n]),
        }
    }
}

/// The status and the length of a complete head.
fn parse_head(head: &[u8]) -> Result<Option<(u16, usize)>, TunnelError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(head) {
        Ok(httparse::Status::Complete(length)) => Ok(response.code.map(|code| (code, length))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(TunnelError::InvalidResponse(
            "its answer to CONNECT is not HTTP",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures_lite::future::block_on;

    use super::*;

    /// Answers in pieces of one size, and records writes.
    struct ScriptedStream {
        answer: Vec<u8>,
        piece: usize,
        written: Vec<u8>,
    }

    impl AsyncRead for ScriptedStream {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let n = self.piece.min(buf.len()).min(self.answer.len());
            let rest = self.answer.split_off(n);
            buf[..n].copy_from_slice(&self.answer);
            self.answer = rest;
            Poll::Ready(Ok(n))
        }
    }

    impl AsyncWrite for ScriptedStream {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.written.extend_from_slice(buf);
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn connect(proxy: &str, answer: &str, piece: usize) -> (Result<(), String>, String) {
        let mut stream = ScriptedStream {
            answer: answer.into(),
            piece,
            written: Vec::new(),
        };
        let proxy = Proxy::parse(proxy).unwrap();
        let mut headers = HeaderMap::new();
        if proxy.credentials().is_some() {
            headers.insert("x-proxy", http::HeaderValue::from_static("1"));
        }
        let opened = open_tunnel(&mut stream, &proxy, "a.test:443", &headers, 4096);
        let result = block_on(opened);
        let written = String::from_utf8(stream.written).unwrap();
        (result.map_err(|error| error.to_string()), written)
    }

    #[test]
    fn the_request_is_exact() {
        let answer = "HTTP/1.1 200 OK\r\n\r\n";
        let (result, written) = connect("http://p.test", answer, 99);
        assert_eq!(result, Ok(()));
        let bare = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n";
        assert_eq!(written, format!("{bare}\r\n"));
        let (_, written) = connect("http://u:p@p.test", answer, 99);
        let credentials = "Proxy-Authorization: Basic dTpw\r\n";
        assert_eq!(written, format!("{bare}{credentials}x-proxy: 1\r\n\r\n"));
    }

    #[test]
    fn responses_are_parsed_for_every_split() {
        let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(9_000));
        let informational = "HTTP/1.1 100 \r\n\r\n".repeat(300);
        let table = [
            ("HTTP/1.0 200 Connection established\r\n\r\n", ""),
            ("HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n", ""),
            ("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", ""),
            (
                "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
                "403 Forbidden",
            ),
            ("HTTP/1.1 599 Odd\r\n\r\n", "CONNECT with 599"),
            ("HTTP/1.1 407 Auth\r\n\r\n", "did not accept"),
            ("HTTP/1.1 200 OK\r\n\r\nSSH-2.0", "more than"),
            ("SSH-2.0-x\r\n", "not HTTP"),
            ("HTTP/1.1 200 O", "closed"),
            ("", "closed"),
            (&long, "over 4096 bytes"),
            (&informational, "without a final one"),
        ];
        for (answer, expected) in table {
            for piece in [1, 7, 2048] {
                let (result, _) = connect("http://u:hush@p.test", answer, piece);
                let text = result.err().unwrap_or_default();
                // Bytes after the response are only noticed if they arrive with it.
                if piece < 2048 && expected == "more than" {
                    continue;
                }
                assert_eq!(text.is_empty(), expected.is_empty(), "{answer:?}: {text}");
                assert!(text.contains(expected) && !text.contains("hush"), "{text}");
            }
        }
    }

    #[test]
    fn a_status_that_will_not_change_is_final() {
        for (status, is_final) in [(403, true), (404, true), (429, false), (503, false)] {
            assert_eq!(
                TunnelError::Refused(status).is_final(),
                is_final,
                "{status}"
            );
        }
        assert!(TunnelError::Unauthorized { sent: true }.is_final());
    }

    #[test]
    fn a_missing_password_and_a_refused_one_have_different_errors() {
        let (result, _) = connect("http://p.test", "HTTP/1.1 407 Auth\r\n\r\n", 99);
        assert!(result.unwrap_err().contains("asks for a user name"));
    }
}
