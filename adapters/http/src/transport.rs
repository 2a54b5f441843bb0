//! The transport: it sends each request over a connection of the connector.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use fetch_driver::{
    AttemptProgress, BuildError, FailureKind, IncomingResponse, OutgoingRequest, ResponseHeaders,
    Settings, Transport, TransportError,
};
use fetch_transport_util::{ContentCoding, coded_headers};
use http::header::CONTENT_ENCODING;
use http::{HeaderValue, Method, StatusCode, Version};

use crate::body::{RawBody, ResponseBody};
use crate::config::HttpConfig;
use crate::connector::Connector;
use crate::connector::open::AcquiredConnection;
use crate::http1;
#[cfg(feature = "http2")]
use crate::http2;
use crate::io::runtime::HttpRuntime;

/// HTTP/1.1 with keep-alive and HTTP/2, on any [`HttpRuntime`].
///
/// It sends each request once: it never retries, follows no redirect and has no timeout for
/// requests. Clones are cheap and share one pool.
///
/// ```
/// # #[cfg(feature = "async-io")] {
/// use std::net::SocketAddr;
/// use std::time::Duration;
///
/// use fetch_driver::{Clock, AttemptProgress, OutgoingRequest, Transport};
/// use fetch_http::{AsyncIoSocket, HttpConfig, HttpRuntime, HttpTransport};
/// use futures_lite::StreamExt;
///
/// #[derive(Clone)]
/// struct Smol;
///
/// impl HttpRuntime for Smol {
///     type Stream = AsyncIoSocket;
///     async fn connect(&self, addr: SocketAddr) -> std::io::Result<AsyncIoSocket> {
///         AsyncIoSocket::connect(addr).await
///     }
///     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
///         smol::spawn(task).detach();
///     }
///     async fn sleep(&self, duration: Duration) {
///         smol::Timer::after(duration).await;
///     }
/// }
///
/// let site = fetch_testbed::Site::start().unwrap();
/// let transport = HttpTransport::new(Smol, HttpConfig::new());
/// let request = OutgoingRequest::new(http::Method::GET, std::sync::Arc::new(site.url("/bytes/3").parse().unwrap()));
/// smol::block_on(async {
///     let response = transport.send(request, AttemptProgress::new(Clock::start())).await.unwrap();
///     assert_eq!(response.status, 200);
///     let chunks: Vec<_> = response.body.map(Result::unwrap).collect().await;
///     assert_eq!(chunks.concat(), [0, 1, 2]);
/// });
/// assert_eq!(transport.open_connections(), 1);
/// # }
/// ```
pub struct HttpTransport<R: HttpRuntime>(Arc<TransportInner<R>>);

struct TransportInner<R> {
    /// The value of `Accept-Encoding`.
    accept: Option<HeaderValue>,
    connector: Connector<R>,
}

/// Status, version and header fields of a response.
type ResponseParts = (StatusCode, Version, ResponseHeaders);

impl<R: HttpRuntime> HttpTransport<R> {
    /// A transport whose connections live on `runtime`.
    ///
    /// ```
    /// # #[cfg(feature = "async-io")] {
    /// # use std::{io, net::SocketAddr, time::Duration};
    /// # #[derive(Clone)] struct Smol;
    /// # impl fetch_http::HttpRuntime for Smol {
    /// #     type Stream = fetch_http::AsyncIoSocket;
    /// #     async fn connect(&self, addr: SocketAddr) -> io::Result<Self::Stream> {
    /// #         fetch_http::AsyncIoSocket::connect(addr).await
    /// #     }
    /// #     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
    /// #         smol::spawn(task).detach();
    /// #     }
    /// #     async fn sleep(&self, duration: Duration) {
    /// #         smol::Timer::after(duration).await;
    /// #     }
    /// # }
    /// use fetch_http::{HttpConfig, HttpTransport};
    ///
    /// let transport = HttpTransport::new(Smol, HttpConfig::new().max_connections(200));
    /// # }
    /// ```
    #[must_use]
    pub fn new(runtime: R, config: HttpConfig) -> Self {
        Self(Arc::new(TransportInner {
            accept: (config.decode && config.request_codings)
                .then(fetch_transport_util::accepted_codings)
                .flatten(),
            connector: Connector::new(runtime, config),
        }))
    }

    /// A transport with the settings of a fetcher: see [`HttpConfig::from_settings`].
    ///
    /// # Errors
    ///
    /// If a setting is invalid, or needs a feature that is not enabled.
    pub fn from_settings(runtime: R, settings: &Settings) -> Result<Self, BuildError> {
        Ok(Self::new(runtime, HttpConfig::from_settings(settings)?))
    }

    /// How many connections are open, idle or in use.
    ///
    /// ```
    /// # #[cfg(feature = "async-io")] {
    /// # use std::{io, net::SocketAddr, time::Duration};
    /// # #[derive(Clone)] struct Smol;
    /// # impl fetch_http::HttpRuntime for Smol {
    /// #     type Stream = fetch_http::AsyncIoSocket;
    /// #     async fn connect(&self, addr: SocketAddr) -> io::Result<Self::Stream> {
    /// #         fetch_http::AsyncIoSocket::connect(addr).await
    /// #     }
    /// #     fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
    /// #         smol::spawn(task).detach();
    /// #     }
    /// #     async fn sleep(&self, duration: Duration) {
    /// #         smol::Timer::after(duration).await;
    /// #     }
    /// # }
    /// use fetch_http::{HttpConfig, HttpTransport};
    ///
    /// let transport = HttpTransport::new(Smol, HttpConfig::new());
    /// assert_eq!(transport.open_connections(), 0);
    /// # }
    /// ```
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.0.connector.pool().open()
    }
}

impl<R: HttpRuntime> Clone for HttpTransport<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: HttpRuntime> fmt::Debug for HttpTransport<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("config", self.0.connector.config())
            .finish_non_exhaustive()
    }
}

impl<R: HttpRuntime> Transport for HttpTransport<R> {
    const SENDS_PATH_AS_IS: bool = true;

    type Body = ResponseBody;

    fn send(
        &self,
        request: OutgoingRequest,
        progress: AttemptProgress,
    ) -> impl Future<Output = Result<IncomingResponse<ResponseBody>, TransportError>> + Send + use<R>
    {
        self.0.clone().send(request, progress)
    }

    fn run_turn(&self, turn: &mut dyn FnMut()) {
        self.0.connector.pool().run_turn(turn);
    }

    fn close(&self) {
        self.0.connector.pool().close_idle();
    }
}

impl<R: HttpRuntime> TransportInner<R> {
    async fn send(
        self: Arc<Self>,
        request: OutgoingRequest,
        progress: AttemptProgress,
    ) -> Result<IncomingResponse<ResponseBody>, TransportError> {
        let connector = &self.connector;
        let (acquired, reused, settled) = if request.repeatable {
            let (url, fresh) = (&request.url, request.fresh_connection);
            let (acquired, reused) = connector.acquire(url, fresh, &progress).await?;
            (acquired, reused, None)
        } else {
            // A server may close an idle connection while a request is on its way, which then is lost.
            Box::pin(connector.acquire_settled(&request.url, &progress)).await?
        };
        let (is_head, max_body) = (request.method == Method::HEAD, request.max_body);
        let max_head = connector.config().max_head;
        let (parts, transfer, body) = match acquired {
            AcquiredConnection::Exclusive(conn) => {
                let mut request = request;
                let timer = connector.continue_timer(&mut request, &conn);
                let asked = timer.as_ref().map(|_| conn.origin.clone());
                let (accept, ours) = (self.accept.as_ref(), (progress, connector.pool()));
                let sent_at = settled.map(|server| (server, Instant::now()));
                let exchange =
                    http1::exchange(conn, request, accept, (reused, timer), max_head, ours);
                let answer = exchange.await;
                if let Some((server, sent_at)) = sent_at {
                    connector.record_answer(server, sent_at, answer.is_ok());
                }
                let (head, body) = answer?;
                if let Some(origin) = asked
                    && head.status == StatusCode::EXPECTATION_FAILED
                {
                    connector.expect_refusals.add(&origin);
                    let text = format!("{} refuses Expect: 100-continue", origin.key());
                    let others_answered = false;
                    let kind = FailureKind::Unprocessed { others_answered };
                    return Err(TransportError::new(kind, text));
                }
                let parts = (head.status, head.version, head.headers);
                (parts, head.transfer_codings, RawBody::Http1(body))
            }
            #[cfg(feature = "http2")]
            AcquiredConnection::Shared(lease) => {
                let accept = self.accept.clone();
                let exchange = http2::exchange(lease, request, accept, reused, max_head, progress);
                let (head, body) = exchange.await?;
                let parts = (head.status, head.version, head.headers.into());
                (parts, Vec::new(), RawBody::Http2(body))
            }
        };
        self.respond(parts, body, &transfer, is_head, max_body)
    }

    fn respond(
        &self,
        (status, version, mut headers): ResponseParts,
        raw: RawBody,
        transfer: &[ContentCoding],
        is_head: bool,
        max_body: u64,
    ) -> Result<IncomingResponse<ResponseBody>, TransportError> {
        let has_body = !is_head && !raw.is_complete();
        let is_coded = headers.first_value(&CONTENT_ENCODING).is_some();
        let decodes = has_body && is_coded && self.connector.config().decode;
        let coded = decodes.then(|| coded_headers(&headers)).flatten();
        let own = decodes.then(|| &mut *headers);
        let body = match has_body {
            true => ResponseBody::decoded(raw, transfer, own, max_body)?,
            false => ResponseBody::plain(raw),
        };
        let coded = coded.filter(|_| body.is_decoded());
        Ok(IncomingResponse::new(status, version, headers, body).decoded(coded))
    }
}
