//! One attempt over isahc.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fetch_client::{Leases, Reading, Upload, has_body, prepare, target};
use fetch_driver::{
    AttemptPhase, AttemptProgress, BuildError, ConnectionInfo, FailureKind, IncomingResponse,
    OutgoingRequest, Settings, Timestamp, Transport, TransportError,
};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, StatusCode};
use isahc::{AsyncBody, ResponseExt};

use crate::client::{Client, Options};
use crate::descriptors;
use crate::error::{told_of_body, told_on_the_way};
use crate::route::Routes;

/// isahc as a [`Transport`].
///
/// ```
/// let settings = fetch_driver::Settings::default();
/// let transport = fetch_isahc::IsahcTransport::new(&settings)?;
/// # Ok::<(), fetch_isahc::BuildError>(())
/// ```
#[derive(Debug)]
pub struct IsahcTransport(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    decode: bool,
    leases: Leases<Client>,
    options: Options,
}

/// The body of a response.
pub type ResponseBody = Reading<Client>;

impl IsahcTransport {
    /// A transport as `settings` ask for it.
    ///
    /// # Errors
    ///
    /// If isahc cannot obey one of them.
    ///
    /// ```
    /// let mut settings = fetch_driver::Settings::default();
    /// settings.route.resolve.push(("a.test".into(), 80, Vec::new()));
    /// assert!(fetch_isahc::IsahcTransport::new(&settings).is_err());
    /// ```
    pub fn new(settings: &Settings) -> Result<Self, BuildError> {
        let options = Options::new(settings)?;
        let leases = Leases::new(descriptors::limit(settings), settings.pool.idle_timeout);
        smol::spawn(leases.sweeper()).detach();
        Ok(Self(Arc::new(Inner {
            decode: settings.decode,
            leases,
            options,
        })))
    }
}

impl Transport for IsahcTransport {
    type Body = ResponseBody;

    const SEES_CONNECTION: bool = false;

    fn send(
        &self,
        request: OutgoingRequest,
        progress: AttemptProgress,
    ) -> impl Future<Output = Result<IncomingResponse<ResponseBody>, TransportError>> + Send + use<>
    {
        self.0.clone().send(request, progress)
    }

    fn close(&self) {
        self.0.leases.clear();
    }
}

impl Inner {
    async fn send(
        self: Arc<Self>,
        mut outgoing: OutgoingRequest,
        progress: AttemptProgress,
    ) -> Result<IncomingResponse<ResponseBody>, TransportError> {
        let began = progress.clock().now();
        prepare(&mut outgoing, self.decode)?;
        let (url, max) = (outgoing.url.clone(), outgoing.max_body);
        let (_, origin) = target(&url);
        // curl would send these again by itself, should a kept connection turn out to be closed.
        let once = !outgoing.method.is_idempotent() || outgoing.body.length() != Some(0);
        let fresh = once || outgoing.fresh_connection;
        let make = || self.options.client();
        let lease = self.leases.lease(origin, fresh, make).await?;
        let gone = || TransportError::new(FailureKind::Dropped, "its client was dropped");
        let client = lease.client().get().ok_or_else(gone)?;
        let method = outgoing.method.clone();
        let (request, failed) = request(outgoing, &self.options.routes)?;
        let response = client.send_async(request).await;
        let response = response.map_err(|error| match failed {
            Some(failed) if failed.load(Ordering::SeqCst) => {
                TransportError::new(FailureKind::RequestBody, error)
            }
            _ => told_on_the_way(&error, self.options.routes.proxy(&url)),
        })?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let text = format!("{origin} switched to another protocol");
            return Err(TransportError::new(FailureKind::Protocol, text));
        }
        let reused = lease.client().same_as_last(response.local_addr());
        tell(&progress, began, &response, reused);
        let (mut head, body) = response.into_parts();
        let body = if has_body(&method, head.status) {
            let how = (self.decode, max);
            Reading::new(body, &mut head.headers, how, progress, lease, told_of_body)?
        } else {
            Reading::empty(progress, lease, told_of_body)
        };
        Ok(IncomingResponse::new(
            head.status,
            head.version,
            head.headers,
            body,
        ))
    }
}

/// The request as isahc wants it, and what tells whether its body failed.
fn request(
    outgoing: OutgoingRequest,
    routes: &Routes,
) -> Result<(Request<AsyncBody>, Option<Arc<AtomicBool>>), TransportError> {
    let length = outgoing.body.length();
    let (body, failed) = match Upload::new(outgoing.body) {
        None => (AsyncBody::empty(), None),
        Some((upload, failed)) => {
            let body = match length {
                Some(length) => AsyncBody::from_reader_sized(upload, length),
                None => AsyncBody::from_reader(upload),
            };
            (body, Some(failed))
        }
    };
    let mut headers = Arc::unwrap_or_clone(outgoing.headers);
    let expects = [Method::POST, Method::PUT, Method::PATCH].contains(&outgoing.method);
    if expects && length == Some(0) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let (target, _) = target(&outgoing.url);
    let request = Request::builder().method(outgoing.method).uri(target);
    let request = routes.apply(&outgoing.url, request);
    let request = request.and_then(|request| request.body(body));
    let mut request = request.map_err(|e| TransportError::new(FailureKind::Unsupported, e))?;
    *request.headers_mut() = headers;
    Ok((request, failed))
}

/// Reports what curl has seen of the connection, now that the head is there.
fn tell(
    progress: &AttemptProgress,
    began: Timestamp,
    response: &http::Response<AsyncBody>,
    reused: bool,
) {
    if let Some(metrics) = response.metrics().filter(|_| !reused) {
        let steps = [
            (AttemptPhase::Resolved, metrics.name_lookup_time()),
            (AttemptPhase::Connected, metrics.connect_time()),
            (AttemptPhase::TlsDone, metrics.secure_connect_time()),
        ];
        for (phase, after) in steps {
            if !after.is_zero() {
                progress.mark_at(phase, began + after);
            }
        }
    }
    let remote = response.remote_addr();
    progress.mark_connected(ConnectionInfo::new(remote, reused));
}
