//! One request and the head of its response.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use fetch_driver::{
    AttemptPhase, AttemptProgress, FailureKind, FailureReason, OutgoingRequest, TransportError,
};
use http::{HeaderValue, Method, StatusCode};

use super::body::H1Body;
use super::connection::H1Connection;
use super::expect::ContinueTimer;
use super::head::{HeadError, HeadParser, ResponseHead};
use super::request;
use super::upload::{Upload, UploadError};
use crate::error::{describe, is_tls_error, tls_session_error};
use crate::pool::ConnectionPool;
use fetch_transport_util::BodyStreamError;

/// Sends `outgoing` over `conn` and waits for the head of the response. Dropping the future closes
/// the connection.
///
/// `accept` is sent as `Accept-Encoding` if the request has none. `reused` is true if the
/// connection served another request before. With a timer the body waits for `100 Continue`, until the
/// timer ends.
pub(crate) async fn exchange(
    mut conn: Box<H1Connection>,
    mut outgoing: OutgoingRequest,
    accept: Option<&HeaderValue>,
    (reused, timer): (bool, Option<ContinueTimer>),
    max_head: usize,
    (progress, pool): (AttemptProgress, &Arc<ConnectionPool>),
) -> Result<(ResponseHead, H1Body), TransportError> {
    let parser = HeadParser {
        has_continue: false,
        informational: 0,
        is_head_request: outgoing.method == Method::HEAD,
        max_head,
        size: 0,
    };
    // A request that must not be repeated gets a new connection. If the server has reset it since, as
    // one does that shuts down, the request was not sent yet.
    if !outgoing.repeatable && conn.stream.has_input() {
        return Err(closed_before_sending(&conn));
    }
    let body = std::mem::take(&mut outgoing.body);
    let upload = Upload::new(body, timer.is_some(), |out, body| {
        request::write(out, &outgoing, body.length(), &conn.origin, accept)
    })?;
    progress.set_request_head(upload.head_size());
    let mut exchange = H1Exchange {
        conn,
        progress,
        parser,
        received_any: false,
        reused,
        sent_any: false,
        timer,
        upload,
        write_error: None,
    };
    let head = poll_fn(|cx| exchange.poll(cx)).await?;
    let H1Exchange {
        conn,
        progress,
        upload,
        write_error,
        ..
    } = exchange;
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        let text = format!("{} switched to another protocol", conn.origin.key());
        return Err(TransportError::new(FailureKind::Protocol, text));
    }
    // After a write error the request stays incomplete, and so it does if the server has answered
    // without permission for the body.
    let is_sending = write_error.is_none() && !upload.is_waiting();
    let keep_alive = head.keep_alive && is_sending;
    let upload = (is_sending && !upload.is_done()).then(|| Box::new(upload));
    let framing = (head.framing, keep_alive, head.idle_limit);
    let body = H1Body::new(conn, framing, upload, progress, pool.clone());
    Ok((head, body))
}

/// The server closed a new connection before any byte of the request was written.
fn closed_before_sending(conn: &H1Connection) -> TransportError {
    let origin = conn.origin.key();
    let text = format!("{origin} closed the connection before the request was sent");
    TransportError::new(FailureKind::Connect, text)
}

struct H1Exchange {
    conn: Box<H1Connection>,
    progress: AttemptProgress,
    parser: HeadParser,
    /// Whether any byte of a response arrived.
    received_any: bool,
    reused: bool,
    /// Whether any byte of the request was written.
    sent_any: bool,
    /// While the body waits for `100 Continue`.
    timer: Option<ContinueTimer>,
    upload: Upload,
    /// Why writing stopped. The server may still have answered.
    write_error: Option<io::Error>,
}

impl H1Exchange {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, TransportError>> {
        if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(cx).is_ready()
        {
            self.stop_waiting();
        }
        loop {
            if let Err(error) = self.write(cx) {
                let text = format!("sending the request body to {}", self.conn.origin.key());
                return Poll::Ready(Err(describe(FailureKind::RequestBody, text, error)));
            }
            let (parser, received_any) = (&mut self.parser, &mut self.received_any);
            let polled = self.conn.poll_read(cx, |received, unread| {
                *received_any |= !received.is_empty();
                (!received.is_empty()).then(|| parser.parse(received, unread))
            });
            let read = match polled {
                Poll::Ready(read) => read,
                Poll::Pending => return Poll::Pending,
            };
            let parsed = match read {
                Ok(Some(parsed)) => parsed,
                Ok(None) => {
                    let error = match self.parser.find_error(&self.conn.unread) {
                        Some(error) => self.invalid_head(error),
                        None => self.connection_error(None),
                    };
                    return Poll::Ready(Err(error));
                }
                Err(error) => return Poll::Ready(Err(self.connection_error(Some(error)))),
            };
            if let Some(trial) = self.conn.trial.take() {
                trial.succeed();
            }
            match parsed {
                Ok(Some(head)) => {
                    self.progress.set_response_head(self.parser.size);
                    return Poll::Ready(Ok(head));
                }
                Ok(None) if self.parser.has_continue => self.stop_waiting(),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(self.invalid_head(error))),
            }
        }
    }

    /// Lets the body follow the head.
    fn stop_waiting(&mut self) {
        self.timer = None;
        self.upload.stop_waiting();
    }

    /// Writes as much of the request as the stream takes. The error is that of the caller's body.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), BodyStreamError> {
        if self.upload.is_done() || self.write_error.is_some() {
            return Ok(());
        }
        let (sent_any, progress) = (&mut self.sent_any, &self.progress);
        let on_write = |bytes| {
            *sent_any = true;
            progress.add_sent(bytes);
        };
        match self.upload.poll(&mut *self.conn.stream, cx, on_write) {
            Poll::Ready(Ok(())) => self.progress.mark(AttemptPhase::Sent),
            Poll::Ready(Err(UploadError::Io(error))) => self.write_error = Some(error),
            Poll::Ready(Err(UploadError::Body(error))) => return Err(error),
            Poll::Pending => {}
        }
        Ok(())
    }

    /// The connection ended before the head was complete, with this error if there was one.
    fn connection_error(&mut self, read_error: Option<io::Error>) -> TransportError {
        let origin = self.conn.origin.key();
        let error = read_error.or_else(|| self.write_error.take());
        if let Some(error) = error.as_ref().filter(|error| is_tls_error(error)) {
            return tls_session_error(error, origin);
        }
        let sent = self.sent_any;
        // An informational response is no answer.
        let has_status_line = self.conn.unread.contains(&b'\n');
        let (kind, text) = match (&error, self.received_any) {
            (_, false) if !sent && !self.reused => {
                return closed_before_sending(&self.conn);
            }
            (_, false) if self.reused => (
                FailureKind::Stale { sent },
                format!("{origin} had closed the idle connection"),
            ),
            (Some(_), _) => (
                FailureKind::Io,
                format!("before the response head from {origin} was complete"),
            ),
            (None, true) => (
                FailureKind::Io,
                format!("{origin} closed the connection inside the response head"),
            ),
            (None, false) => (
                FailureKind::EmptyReply,
                format!("{origin} closed the connection before the first byte"),
            ),
        };
        match error {
            Some(error) => describe(kind, text, error),
            None => TransportError::new(kind, text).with_reason(match has_status_line {
                true => FailureReason::Incomplete,
                false => FailureReason::NoStatusLine,
            }),
        }
    }

    fn invalid_head(&self, error: HeadError) -> TransportError {
        let (origin, max_head) = (self.conn.origin.key(), self.parser.max_head);
        match error {
            HeadError::BodyTooLarge(what) => {
                let text = format!("{origin} announces a body that is larger than any limit");
                describe(FailureKind::BodyTooLarge, text, what)
            }
            HeadError::Flood => TransportError::new(
                FailureKind::Protocol,
                format!("{origin} sends informational responses (1xx) without a final one"),
            ),
            HeadError::TooLarge => TransportError::new(
                FailureKind::Protocol,
                format!("the response head from {origin} is over {max_head} bytes"),
            )
            .with_reason(FailureReason::HeadTooLarge),
            HeadError::NotHttp(what) => {
                let text = format!("invalid response head from {origin}");
                describe(FailureKind::Protocol, text, what).with_reason(FailureReason::NotHttp)
            }
            HeadError::Coding(what) => TransportError::new(
                FailureKind::Decode,
                format!("the response from {origin} has {what}"),
            ),
            HeadError::Syntax(what) => {
                let text = format!("invalid response head from {origin}");
                describe(FailureKind::Protocol, text, what)
            }
        }
    }
}
