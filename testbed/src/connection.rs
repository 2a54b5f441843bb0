//! The requests of a connection: read, answered, counted.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::header::{HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};

use crate::body::{Body, Broken};
use crate::call::{Call, Stop};
use crate::faults::Memory;
use crate::observe::{Gauge, lock};
use crate::server::Shared;
use crate::wire::Control;
use crate::{replies, routes};

const MAX_REQUEST_BODY: usize = 1 << 20;

/// One connection, as its requests see it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) control: Arc<Control>,
    local: SocketAddr,
    served: AtomicU64,
    http2: bool,
    /// The host named last and its counters: nearly every request of a connection names the same.
    host: Mutex<Option<(HeaderValue, Arc<Gauge>)>>,
}

impl Connection {
    pub(crate) fn new(
        shared: Arc<Shared>,
        control: Arc<Control>,
        local: SocketAddr,
        http2: bool,
    ) -> Self {
        Self {
            shared,
            control,
            local,
            served: AtomicU64::new(0),
            http2,
            host: Mutex::new(None),
        }
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.shared.memory
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.shared.tls.is_some() {
            "https"
        } else {
            "http"
        }
    }

    /// Returns the host and port that the request names, or else the address it came to.
    pub(crate) fn authority<'a>(&self, head: &'a Parts) -> Cow<'a, [u8]> {
        if let Some(authority) = head.uri.authority() {
            return authority.as_str().as_bytes().into();
        }
        match head.headers.get(HOST) {
            Some(host) => host.as_bytes().into(),
            None => self.local.to_string().into_bytes().into(),
        }
    }

    fn host(&self, head: &Parts) -> Arc<Gauge> {
        let authority = self.authority(head);
        let mut last = lock(&self.host);
        if let Some((name, gauge)) = &*last
            && name.as_bytes() == &*authority
        {
            return gauge.clone();
        }
        let gauge = self.shared.observer.host(&authority);
        *last = HeaderValue::from_bytes(&authority)
            .ok()
            .map(|name| (name, gauge.clone()));
        gauge
    }

    /// Tells whether this request is the last that the connection may carry.
    fn is_last(&self) -> bool {
        let served = self.served.fetch_add(1, Relaxed) + 1;
        !self.http2
            && self
                .shared
                .keep_alive_requests
                .is_some_and(|limit| served >= limit)
    }
}

/// Reads a request, answers it and counts it.
pub(crate) async fn handle(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Tracked>, Broken> {
    let (head, body) = request.into_parts();
    let mut visit = Visit::new(&connection, &head);
    let body = if body.is_end_stream() {
        Bytes::new()
    } else {
        match Limited::new(body, MAX_REQUEST_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Ok(visit.track(replies::text(413, "a request body is at most 1 MiB\n")));
            }
            Err(_) => return Err(Broken),
        }
    };
    if connection.shared.observer.records() {
        connection.shared.observer.record(&head, &body);
    }
    visit.is_head = head.method == Method::HEAD;
    let call = Call {
        head,
        body,
        connection,
    };
    let response = match routes::answer(&call).await {
        Ok(response) => response,
        Err(Stop::Bad(text)) => replies::text(400, text + "\n"),
        Err(Stop::Broken) => return Err(Broken),
    };
    Ok(visit.track(response))
}

/// Counts a request while it is in flight.
#[derive(Debug)]
struct Visit {
    connection: Arc<Connection>,
    host: Arc<Gauge>,
    is_head: bool,
    is_last: bool,
    is_done: bool,
}

impl Visit {
    fn new(connection: &Arc<Connection>, head: &Parts) -> Self {
        let host = connection.host(head);
        connection.shared.observer.requests.enter();
        host.enter();
        let is_last = connection.is_last();
        Self {
            connection: connection.clone(),
            host,
            is_head: false,
            is_last,
            is_done: false,
        }
    }

    fn track(mut self, response: Response<Body>) -> Response<Tracked> {
        self.is_done = self.is_head;
        response.map(|body| Tracked { body, visit: self })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let control = &self.connection.control;
        let observer = &self.connection.shared.observer;
        if !self.is_done && !control.is_broken() {
            observer.cut_by_peer.fetch_add(1, Relaxed);
        } else if self.is_last {
            control.end_after_flush();
        }
        self.host.leave();
        observer.requests.leave();
    }
}

/// A response body that knows whether it was handed over whole.
#[derive(Debug)]
pub(crate) struct Tracked {
    body: Body,
    visit: Visit,
}

impl hyper::body::Body for Tracked {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.visit.is_done |= frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.visit.is_done |= self.body.is_end_stream();
    }
}
