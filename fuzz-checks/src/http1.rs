//! Responses of HTTP/1.1: head, framing, chunked coding.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use fetch_driver::FailureKind;
use fetch_http::{HttpConfig, HttpTransport};
use futures_io::{AsyncRead, AsyncWrite};
use http::Method;
use http_body_util::{BodyExt, Empty};
use hyper::rt::{Read, ReadBufCursor, Write};

use crate::peer::{Answer, Script, ScriptRuntime, ScriptedStream, exchange};

const URL: &str = "http://192.0.2.1/";

/// A response that the second connection of a check gets.
const NEXT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext";

/// The first byte chooses the method and how the bytes arrive; the others are what the server sends.
///
/// - However the bytes are split, the response is the same.
/// - Where hyper reads a whole response, too, it has the same status and body.
/// - No byte after a response becomes part of the next one.
/// - The exchange ends, in a number of turns that its bytes explain.
pub fn check_http1(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else {
        return;
    };
    let method = match choice & 0x10 {
        0 => Method::GET,
        _ => Method::HEAD,
    };
    let whole = fetch(Script::new(bytes), &method, true);
    let pieces = fetch(Script::new(bytes).in_pieces(*choice), &method, false);
    assert_eq!(whole, pieces, "the response depends on how it arrives");
    let Ok(answer) = whole else {
        return;
    };
    assert!(answer.body.len() <= bytes.len());
    if answer.is_complete()
        && let Some((status, body)) = fetch_by_hyper(bytes, &method)
    {
        assert_eq!((answer.status.as_u16(), answer.body), (status, body));
    }
}

fn fetch(script: Script, method: &Method, is_whole: bool) -> Result<Answer, FailureKind> {
    let runtime = ScriptRuntime::new([script, Script::new(NEXT)]);
    let transport = HttpTransport::new(runtime.clone(), HttpConfig::new().decode(false));
    let first = runtime.run(exchange(&transport, method.clone(), URL, u64::MAX));
    if is_whole {
        // Either more bytes or the end of the connection has arrived: it serves no other request.
        let next = runtime.run(exchange(&transport, Method::GET, URL, u64::MAX));
        assert_eq!(next.map(|next| next.body), Ok(b"next".to_vec()));
        assert_eq!(runtime.connects(), 2);
    }
    first
}

/// Status and body, if hyper reads a whole response.
fn fetch_by_hyper(bytes: &[u8], method: &Method) -> Option<(u16, Vec<u8>)> {
    let script = Script::new(bytes);
    let runtime = ScriptRuntime::new([script.clone()]);
    runtime.run(async {
        let stream = HyperStream(ScriptedStream::new(script));
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(1 << 20)
            .handshake(stream)
            .await
            .ok()?;
        let request = http::Request::builder()
            .method(method)
            .uri("/")
            .header("host", "a");
        let request = request.body(Empty::<Bytes>::new()).ok()?;
        let read = async {
            let response = sender.send_request(request).await.ok()?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.ok()?;
            Some((status, body.to_bytes().to_vec()))
        };
        let connection = async {
            // Its end or its error ends the response, too.
            drop(connection.await);
            std::future::pending().await
        };
        futures_lite::future::or(read, connection).await
    })
}

struct HyperStream(ScriptedStream);

impl Read for HyperStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut scratch = [0; 4096];
        let room = buf.remaining().min(scratch.len());
        let polled = Pin::new(&mut self.0).poll_read(cx, &mut scratch[..room]);
        polled.map_ok(|length| buf.put_slice(&scratch[..length]))
    }
}

impl Write for HyperStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
