//! A transport over an HTTP client library, and what the library has to provide.

use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fetch_driver::{
    AttemptProgress, BuildError, DEFAULT_EXPECT_TIMEOUT, FailureKind, Http2Mode, IncomingResponse,
    OutgoingRequest, Settings, Transport, TransportError,
};
use futures_lite::AsyncRead;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING,
};
use http::{Method, Response};
use url::{Position, Url};

use super::body::PooledBody;
use super::upload::UploadReader;
use super::{ClientLease, ClientPool};
use crate::coding::{accepted_codings, coded_headers};
use crate::message::{has_body, may_accept_codings, reject_connect};

/// Creates clients of an HTTP library, and sends requests with them.
///
/// A client must send each request once, and must not follow redirects, decode bodies or time out.
/// [`PooledTransport`] does everything that is the same for all libraries.
pub trait ClientFactory: Send + Sync + Sized + 'static {
    /// The library's response body.
    type Body: AsyncRead + Send + 'static;
    /// A client with at most one connection, which carries one request at a time.
    type Client: Send + Sync + Unpin + 'static;
    /// The library's request.
    type Request: Send;

    /// Creates a factory with these settings.
    ///
    /// # Errors
    ///
    /// If the library cannot apply one of them.
    fn from_settings(settings: &Settings) -> Result<Self, BuildError>;

    /// How many connections may be open, including idle ones.
    fn connection_limit(settings: &Settings) -> usize {
        settings.connection_limit()
    }

    /// Runs `task` in the background.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);

    /// Creates a client.
    ///
    /// # Errors
    ///
    /// If the library fails to do so.
    fn create_client(&self) -> Result<Self::Client, TransportError>;

    /// Whether `request` must not be sent over a connection that was used before.
    fn needs_new_connection(request: &OutgoingRequest) -> bool {
        request.fresh_connection || !request.repeatable
    }

    /// Converts a request. Its `body` is `None` if there is nothing to send.
    ///
    /// # Errors
    ///
    /// If the library cannot send such a request.
    fn convert_request(
        &self,
        request: OutgoingRequest,
        body: Option<UploadReader>,
    ) -> Result<Self::Request, TransportError>;

    /// Sends a request to `url`, and returns the response's head with the reader of its body.
    fn send(
        &self,
        lease: &mut ClientLease<Self::Client>,
        url: &Url,
        request: Self::Request,
        progress: &AttemptProgress,
    ) -> impl Future<Output = Result<Response<Self::Body>, TransportError>> + Send;

    /// Rejects a response whose body the library cannot read. Called only if there is a body.
    ///
    /// # Errors
    ///
    /// The reason.
    fn check_body(response: &Response<Self::Body>) -> Result<(), TransportError> {
        let _ = response;
        Ok(())
    }

    /// Converts an error of the body's reader.
    fn convert_body_error(error: io::Error) -> TransportError;
}

/// A [`Transport`] over the clients of a [`ClientFactory`].
pub struct PooledTransport<F: ClientFactory>(Arc<TransportInner<F>>);

struct TransportInner<F: ClientFactory> {
    clients: ClientPool<F::Client>,
    decode: bool,
    factory: F,
    request_codings: bool,
}

impl<F: ClientFactory> PooledTransport<F> {
    /// A transport with these settings.
    ///
    /// # Errors
    ///
    /// If the library cannot apply one of them.
    pub fn new(settings: &Settings) -> Result<Self, BuildError> {
        check_settings(settings)?;
        let factory = F::from_settings(settings)?;
        let limit = F::connection_limit(settings);
        let clients = ClientPool::new(limit, settings.pool.idle_timeout);
        F::spawn(clients.sweep_idle());
        Ok(Self(Arc::new(TransportInner {
            clients,
            decode: settings.decode,
            factory,
            request_codings: settings.decode && settings.request_codings,
        })))
    }
}

impl<F: ClientFactory> fmt::Debug for PooledTransport<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledTransport")
            .field("clients", &self.0.clients)
            .field("decode", &self.0.decode)
            .finish_non_exhaustive()
    }
}

impl<F: ClientFactory> Transport for PooledTransport<F> {
    type Body = PooledBody<F::Client>;

    const SEES_CONNECTION: bool = false;

    fn send(
        &self,
        request: OutgoingRequest,
        progress: AttemptProgress,
    ) -> impl Future<Output = Result<IncomingResponse<Self::Body>, TransportError>> + Send + use<F>
    {
        self.0.clone().send(request, progress)
    }

    fn close(&self) {
        self.0.clients.close_idle();
    }
}

impl<F: ClientFactory> TransportInner<F> {
    async fn send(
        self: Arc<Self>,
        mut request: OutgoingRequest,
        progress: AttemptProgress,
    ) -> Result<IncomingResponse<PooledBody<F::Client>>, TransportError> {
        prepare_request(&mut request, self.request_codings)?;
        let (url, max) = (request.url.clone(), request.max_body);
        let is_head = request.method == Method::HEAD;
        let needs_new = F::needs_new_connection(&request);
        let upload = UploadReader::new(mem::take(&mut request.body));
        let upload_failed = upload.as_ref().map(UploadReader::failed);
        let request = self.factory.convert_request(request, upload)?;
        let origin = &url[..Position::BeforePath];
        let create = || self.factory.create_client();
        let mut lease = self.clients.acquire(origin, needs_new, create).await?;
        let response = self.factory.send(&mut lease, &url, request, &progress);
        let response = response.await.map_err(|error| match upload_failed {
            Some(failed) if failed.load(Ordering::SeqCst) => {
                error.with_kind(FailureKind::RequestBody)
            }
            _ => error,
        })?;
        let convert_error = F::convert_body_error;
        if !has_body(is_head, response.status()) {
            // The reader is dropped first: it may still hold the client's connection.
            let (head, _) = response.into_parts();
            let body = PooledBody::empty(progress, lease, convert_error);
            let (status, version) = (head.status, head.version);
            return Ok(IncomingResponse::new(status, version, head.headers, body));
        }
        F::check_body(&response)?;
        let (mut head, reader) = response.into_parts();
        let limits = (self.decode, max);
        let headers = &mut head.headers;
        let coded = coded_headers(headers);
        let body = PooledBody::new(reader, headers, limits, progress, lease, convert_error)?;
        let (status, version) = (head.status, head.version);
        let coded = coded.filter(|_| !head.headers.contains_key(CONTENT_ENCODING));
        Ok(IncomingResponse::new(status, version, head.headers, body).decoded(coded))
    }
}

/// Removes the header fields that the client sets, and requests the codings of this build if
/// `request_codings`.
fn prepare_request(
    request: &mut OutgoingRequest,
    request_codings: bool,
) -> Result<(), TransportError> {
    reject_connect(&request.method)?;
    let headers = Arc::make_mut(&mut request.headers);
    for name in [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    if request_codings
        && may_accept_codings(headers)
        && let Some(codings) = accepted_codings()
    {
        headers.insert(ACCEPT_ENCODING, codings);
    }
    Ok(())
}

/// Rejects settings that no such library supports: prior knowledge of HTTP/2, and a timeout that
/// starts when the connection is open, because the library does not report that in time.
fn check_settings(settings: &Settings) -> Result<(), BuildError> {
    if settings.http2 == Http2Mode::PriorKnowledge {
        let reason =
            "this adapter's client speaks HTTP/1.1 only: take the adapter for smol or tokio";
        return Err(BuildError::new("http2", reason));
    }
    if settings.expect_timeout != DEFAULT_EXPECT_TIMEOUT {
        let reason = "this client has its own limit: take the adapter for smol or tokio";
        return Err(BuildError::new("expect_timeout", reason));
    }
    if settings.has_first_byte_timeout() {
        let reason = "this client does not tell when it is connected, from where `first_byte` runs: \
                      limit the `attempt` instead";
        return Err(BuildError::new("timeouts", reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_own_fields_are_removed_and_connect_is_rejected() {
        let url: Arc<Url> = Arc::new("http://a.test/".parse().unwrap());
        let mut request = OutgoingRequest::new(Method::GET, url.clone());
        let headers = Arc::make_mut(&mut request.headers);
        for name in [CONNECTION, HOST] {
            headers.insert(name, http::HeaderValue::from_static("x"));
        }
        prepare_request(&mut request, false).unwrap();
        assert!(request.headers.is_empty());
        let mut request = OutgoingRequest::new(Method::CONNECT, url);
        assert!(prepare_request(&mut request, false).is_err());
    }

    #[test]
    fn prior_knowledge_of_http2_is_rejected() {
        let mut settings = Settings::default();
        assert!(check_settings(&settings).is_ok());
        settings.http2 = Http2Mode::PriorKnowledge;
        assert!(check_settings(&settings).is_err());
    }
}
