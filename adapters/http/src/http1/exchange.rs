//! One request and the head of its response.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use fetch_driver::{Failure, Marks, Outgoing, Phase, TransportError};
use http::{HeaderValue, Method, StatusCode};

use super::body::Body;
use super::conn::Conn;
use super::head::{Expected, Fault, Head};
use super::request;
use super::upload::{Failed, Upload};
use crate::error::{inside_tls, is_tls_io, told};
use crate::pool::Pool;

/// Sends `outgoing` over `conn`, on which nobody else sends, and waits for the head of the response.
/// Dropping the future closes the connection.
///
/// `accept` is sent as `Accept-Encoding` if the request has none; `reused` is whether the connection
/// served another request before.
pub(crate) async fn exchange(
    conn: Box<Conn>,
    mut outgoing: Outgoing,
    accept: Option<&HeaderValue>,
    reused: bool,
    max_head: usize,
    (marks, pool): (Marks, &Arc<Pool>),
) -> Result<(Head, Body), TransportError> {
    let expected = Expected {
        is_head: outgoing.method == Method::HEAD,
        max: max_head,
    };
    let body = std::mem::take(&mut outgoing.body);
    let upload = Upload::new(body, |out, body| {
        request::write(out, &outgoing, body.length(), &conn.origin, accept)
    })?;
    let mut exchange = Exchange {
        conn,
        got_any: false,
        marks,
        max_head,
        reused,
        sent_any: false,
        upload,
        write_error: None,
    };
    let head = poll_fn(|cx| exchange.poll(cx, expected)).await?;
    let Exchange {
        conn,
        marks,
        upload,
        write_error,
        ..
    } = exchange;
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        let text = format!("{} switched to another protocol", conn.origin.key());
        return Err(TransportError::new(Failure::Protocol, text));
    }
    // What could not be written all will not be.
    let keep_alive = head.keep_alive && write_error.is_none();
    let upload = (write_error.is_none() && !upload.is_done()).then(|| Box::new(upload));
    let body = Body::new(
        conn,
        (head.framing, keep_alive),
        upload,
        marks,
        pool.clone(),
    );
    Ok((head, body))
}

struct Exchange {
    conn: Box<Conn>,
    /// Whether any byte of a response came.
    got_any: bool,
    marks: Marks,
    max_head: usize,
    reused: bool,
    /// Whether any byte of the request was written.
    sent_any: bool,
    upload: Upload,
    /// Why no more is written. The server may have answered nevertheless.
    write_error: Option<io::Error>,
}

impl Exchange {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        expected: Expected,
    ) -> Poll<Result<Head, TransportError>> {
        if let Err(error) = self.write(cx) {
            let text = format!("sending the body to {}", self.conn.origin.key());
            return Poll::Ready(Err(told(Failure::RequestBody, text, error)));
        }
        let got_any = &mut self.got_any;
        loop {
            let polled = self.conn.poll_read(cx, |came, rest| {
                *got_any |= !came.is_empty();
                (!came.is_empty()).then(|| expected.take(came, rest))
            });
            let read = match polled {
                Poll::Ready(read) => read,
                Poll::Pending => return Poll::Pending,
            };
            let taken = match read {
                Ok(Some(taken)) => taken,
                Ok(None) => return Poll::Ready(Err(self.broken(None))),
                Err(error) => return Poll::Ready(Err(self.broken(Some(error)))),
            };
            match taken {
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Ok(None) => {}
                Err(fault) => return Poll::Ready(Err(self.refused(fault))),
            }
        }
    }

    /// Writes what can be written of the request.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if self.upload.is_done() || self.write_error.is_some() {
            return Ok(());
        }
        let sent_any = &mut self.sent_any;
        match self
            .upload
            .poll(&mut *self.conn.stream, cx, || *sent_any = true)
        {
            Poll::Ready(Ok(())) => self.marks.mark(Phase::Sent),
            Poll::Ready(Err(Failed::Io(error))) => self.write_error = Some(error),
            Poll::Ready(Err(Failed::Body(error))) => return Err(error),
            Poll::Pending => {}
        }
        Ok(())
    }

    /// What it means that the connection ended, with this error if any, before the head was whole.
    fn broken(&mut self, read_error: Option<io::Error>) -> TransportError {
        let origin = self.conn.origin.key();
        let error = read_error.or_else(|| self.write_error.take());
        if let Some(error) = error.as_ref().filter(|error| is_tls_io(error)) {
            return inside_tls(error, origin);
        }
        let (kind, text) = match (&error, self.got_any) {
            (_, false) if self.reused => {
                let text = format!("{origin} had closed the idle connection");
                (
                    Failure::Stale {
                        sent: self.sent_any,
                    },
                    text,
                )
            }
            (Some(_), _) => {
                let text = format!("before the head of the response of {origin} was complete");
                (Failure::Io, text)
            }
            (None, true) => {
                let text = format!("{origin} closed it inside the response's head");
                (Failure::Io, text)
            }
            (None, false) => {
                let text = format!("{origin} closed it before the first byte");
                (Failure::EmptyReply, text)
            }
        };
        match error {
            Some(error) => told(kind, text, error),
            None => TransportError::new(kind, text),
        }
    }

    fn refused(&self, fault: Fault) -> TransportError {
        let (origin, max_head) = (self.conn.origin.key(), self.max_head);
        match fault {
            Fault::TooLarge => TransportError::new(
                Failure::Protocol,
                format!("the response's head from {origin} is over {max_head} bytes or 100 fields"),
            ),
            Fault::Syntax(what) => {
                let text = format!("the response's head from {origin} cannot be read");
                told(Failure::Protocol, text, what)
            }
        }
    }
}
