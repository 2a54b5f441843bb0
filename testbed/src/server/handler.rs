//! Handles the requests of a connection: reads, answers and counts them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};

use crate::connection::SiteConnection;
use crate::endpoints::body::{ConnectionBroken, ResponseBody};
use crate::endpoints::request::{EndpointError, EndpointRequest};
use crate::endpoints::{self, responses};
use crate::state::observer::ActivityGauge;

const MAX_REQUEST_BODY: usize = 1 << 20;

/// Reads, answers and counts one request.
pub(crate) async fn handle(
    connection: Arc<SiteConnection>,
    request: Request<Incoming>,
) -> Result<Response<TrackedBody>, ConnectionBroken> {
    let (head, body) = request.into_parts();
    let mut guard = RequestGuard::new(&connection, &head);
    let body = if body.is_end_stream() {
        Bytes::new()
    } else {
        match Limited::new(body, MAX_REQUEST_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Ok(guard.track(responses::text(413, "a request body is at most 1 MiB\n")));
            }
            Err(_) => return Err(ConnectionBroken),
        }
    };
    if connection.state.observer.is_recording() {
        connection.state.observer.record(&head, &body);
    }
    guard.is_head = head.method == Method::HEAD;
    let request = EndpointRequest {
        head,
        body,
        connection,
    };
    let response = match endpoints::answer(&request).await {
        Ok(response) => response,
        Err(EndpointError::BadRequest(text)) => responses::text(400, text + "\n"),
        Err(EndpointError::ConnectionBroken) => return Err(ConnectionBroken),
    };
    Ok(guard.track(response))
}

/// Counts a request as in flight until it is dropped.
#[derive(Debug)]
struct RequestGuard {
    connection: Arc<SiteConnection>,
    host: Arc<ActivityGauge>,
    is_head: bool,
    is_last: bool,
    is_complete: bool,
}

impl RequestGuard {
    fn new(connection: &Arc<SiteConnection>, head: &Parts) -> Self {
        let host = connection.host_gauge(head);
        connection.state.observer.requests.enter();
        host.enter();
        let is_last = connection.count_request();
        Self {
            connection: connection.clone(),
            host,
            is_head: false,
            is_last,
            is_complete: false,
        }
    }

    fn track(mut self, response: Response<ResponseBody>) -> Response<TrackedBody> {
        self.is_complete = self.is_head;
        response.map(|body| TrackedBody { body, guard: self })
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let control = &self.connection.control;
        let observer = &self.connection.state.observer;
        if !self.is_complete && !control.is_broken() {
            observer.cut_by_peer.fetch_add(1, Relaxed);
        } else if self.is_last {
            control.end_after_flush();
        }
        self.host.leave();
        observer.requests.leave();
    }
}

/// A response body that records whether all of it was handed to HTTP.
#[derive(Debug)]
pub(crate) struct TrackedBody {
    body: ResponseBody,
    guard: RequestGuard,
}

impl hyper::body::Body for TrackedBody {
    type Data = Bytes;
    type Error = ConnectionBroken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionBroken>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.guard.is_complete |= frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        self.guard.is_complete |= self.body.is_end_stream();
    }
}
