//! Requests over isahc.

use std::io;
use std::sync::Arc;

use fetch_driver::{
    AttemptPhase, AttemptProgress, BuildError, ConnectionInfo, FailureKind, OutgoingRequest,
    Settings, Timestamp, TransportError,
};
use fetch_transport_util::{
    ClientFactory, ClientLease, PooledBody, PooledTransport, UploadReader, expects_body,
};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Request, Response, StatusCode};
use isahc::{AsyncBody, ResponseExt};
use url::{Position, Url};

use crate::client::{IsahcClient, IsahcClientFactory};
use crate::descriptors;
use crate::error;

/// isahc as a [`Transport`](fetch_driver::Transport).
///
/// ```
/// let mut settings = fetch_driver::Settings::default();
/// assert!(fetch_isahc::IsahcTransport::new(&settings).is_ok());
/// settings.route.resolve.push(("a.test".into(), 80, Vec::new()));
/// assert!(fetch_isahc::IsahcTransport::new(&settings).is_err());
/// ```
pub type IsahcTransport = PooledTransport<IsahcClientFactory>;

/// The body of a response.
pub type IsahcBody = PooledBody<IsahcClient>;

impl ClientFactory for IsahcClientFactory {
    type Body = AsyncBody;
    type Client = IsahcClient;
    type Request = Request<AsyncBody>;

    fn from_settings(settings: &Settings) -> Result<Self, BuildError> {
        Self::new(settings)
    }

    fn connection_limit(settings: &Settings) -> usize {
        descriptors::connection_limit(settings)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    fn create_client(&self) -> Result<IsahcClient, TransportError> {
        self.create()
    }

    fn needs_new_connection(request: &OutgoingRequest) -> bool {
        // If a pooled connection turns out to be closed, curl itself sends the request again.
        let is_repeatable = request.method.is_idempotent() && request.body.length() == Some(0);
        request.fresh_connection || !request.repeatable || !is_repeatable
    }

    fn convert_request(
        &self,
        request: OutgoingRequest,
        body: Option<UploadReader>,
    ) -> Result<Request<AsyncBody>, TransportError> {
        let mut headers = Arc::unwrap_or_clone(request.headers);
        let length = body.as_ref().map_or(Some(0), UploadReader::length);
        if length == Some(0) && expects_body(&request.method) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let body = match (body, length) {
            (None, _) => AsyncBody::empty(),
            (Some(upload), Some(length)) => AsyncBody::from_reader_sized(upload, length),
            (Some(upload), None) => AsyncBody::from_reader(upload),
        };
        let without_fragment = &request.url[..Position::AfterQuery];
        let builder = Request::builder()
            .method(request.method)
            .uri(without_fragment);
        let builder = self.routes.apply(&request.url, builder);
        let converted = builder.and_then(|builder| builder.body(body));
        let mut converted =
            converted.map_err(|e| TransportError::new(FailureKind::Unsupported, e))?;
        *converted.headers_mut() = headers;
        Ok(converted)
    }

    async fn send(
        &self,
        lease: &mut ClientLease<IsahcClient>,
        url: &Url,
        request: Request<AsyncBody>,
        progress: &AttemptProgress,
    ) -> Result<Response<AsyncBody>, TransportError> {
        let started = progress.clock().now();
        let dropped = || TransportError::new(FailureKind::Dropped, "its client was dropped");
        let client = lease.client().get().ok_or_else(dropped)?;
        let response = client.send_async(request).await;
        let response =
            response.map_err(|error| error::convert_send_error(&error, self.routes.proxy(url)))?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let origin = &url[..Position::BeforePath];
            let text = format!("{origin} switched to another protocol");
            return Err(TransportError::new(FailureKind::Protocol, text));
        }
        let is_reused = lease.client().replace_local_addr(response.local_addr());
        report_connection(progress, started, &response, is_reused);
        Ok(response)
    }

    fn convert_body_error(error: io::Error) -> TransportError {
        error::convert_body_error(error)
    }
}

/// Reports the phases that curl measured. They are available only with the response's head.
fn report_connection(
    progress: &AttemptProgress,
    started: Timestamp,
    response: &Response<AsyncBody>,
    is_reused: bool,
) {
    if let Some(metrics) = response.metrics().filter(|_| !is_reused) {
        let phases = [
            (AttemptPhase::Resolved, metrics.name_lookup_time()),
            (AttemptPhase::Connected, metrics.connect_time()),
            (AttemptPhase::TlsDone, metrics.secure_connect_time()),
        ];
        for (phase, after) in phases {
            if !after.is_zero() {
                progress.mark_at(phase, started + after);
            }
        }
    }
    let remote = response.remote_addr();
    progress.mark_connected(ConnectionInfo::new(remote, is_reused));
}
