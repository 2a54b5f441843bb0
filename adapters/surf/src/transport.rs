//! One attempt over surf.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fetch_client::{Leases, Reading, Upload, has_body, prepare, target};
use fetch_driver::{
    AttemptProgress, BuildError, FailureKind, IncomingResponse, OutgoingRequest, Settings,
    Transport, TransportError,
};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{StatusCode, Version};
use surf::http as theirs;

use crate::client::{Client, Options};
use crate::error::{told, told_of_body};

/// surf as a [`Transport`].
///
/// ```
/// let settings = fetch_driver::Settings::default();
/// let transport = async_std::task::block_on(async {
///     fetch_surf::SurfTransport::new(&settings)
/// })?;
/// # Ok::<(), fetch_surf::BuildError>(())
/// ```
#[derive(Debug)]
pub struct SurfTransport(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    decode: bool,
    leases: Leases<Client>,
    options: Options,
}

/// The body of a response.
pub type ResponseBody = Reading<Client>;

impl SurfTransport {
    /// A transport as `settings` ask for it.
    ///
    /// # Errors
    ///
    /// If surf cannot obey one of them.
    ///
    /// ```
    /// let mut settings = fetch_driver::Settings::default();
    /// settings.route.resolve.push(("a.test".into(), 80, Vec::new()));
    /// assert!(fetch_surf::SurfTransport::new(&settings).is_err());
    /// ```
    pub fn new(settings: &Settings) -> Result<Self, BuildError> {
        let options = Options::new(settings)?;
        let leases = Leases::new(settings.connection_limit(), settings.pool.idle_timeout);
        async_std::task::spawn(leases.sweeper());
        Ok(Self(Arc::new(Inner {
            decode: settings.decode,
            leases,
            options,
        })))
    }
}

impl Transport for SurfTransport {
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
        prepare(&mut outgoing, self.decode)?;
        let (url, max) = (outgoing.url.clone(), outgoing.max_body);
        let (_, origin) = target(&url);
        let (method, fresh) = (outgoing.method.clone(), outgoing.fresh_connection);
        let (request, failed) = request(outgoing)?;
        let make = || Ok(self.options.client());
        let mut lease = self.leases.lease(origin, fresh, make).await?;
        let (secure, reused) = (url.scheme() == "https", lease.reused());
        let response = lease.client().0.send(request).await;
        let response = response.map_err(|error| match failed {
            Some(failed) if failed.load(Ordering::SeqCst) => {
                TransportError::new(FailureKind::RequestBody, error.to_string())
            }
            _ => told(&error, secure, reused),
        })?;
        let status = status(&response)?;
        let mut headers = headers(&response);
        let closes = headers.get(CONNECTION).and_then(|v| v.to_str().ok());
        if closes.is_some_and(|v| v.to_ascii_lowercase().contains("close")) {
            lease.retire();
        }
        let body = if has_body(&method, status) {
            framed(&headers)?;
            let how = (self.decode, max);
            Reading::new(response, &mut headers, how, progress, lease, told_of_body)?
        } else {
            // Its connection goes back to the client, as nothing follows the head.
            drop(response);
            Reading::empty(progress, lease, told_of_body)
        };
        Ok(IncomingResponse::new(
            status,
            Version::HTTP_11,
            headers,
            body,
        ))
    }
}

fn unsupported(text: impl Into<String>) -> TransportError {
    TransportError::new(FailureKind::Unsupported, text.into())
}

/// The request as surf wants it, and what tells whether its body failed.
fn request(
    outgoing: OutgoingRequest,
) -> Result<(theirs::Request, Option<Arc<AtomicBool>>), TransportError> {
    let name = outgoing.method.as_str();
    let method = theirs::Method::from_str(name);
    let method =
        method.map_err(|_| unsupported(format!("surf does not know the method {name}")))?;
    let mut request = theirs::Request::new(method, (*outgoing.url).clone());
    let length = outgoing.body.length();
    let failed = Upload::new(outgoing.body).map(|(upload, failed)| {
        let length = length.and_then(|length| length.try_into().ok());
        request.set_body(theirs::Body::from_reader(upload, length));
        // surf thinks that it knows a type.
        request.remove_header("content-type");
        failed
    });
    for (name, value) in &*outgoing.headers {
        let value = value.to_str();
        let value = value.map_err(|_| unsupported(format!("surf sends only ASCII in {name}")))?;
        request.append_header(name.as_str(), value);
    }
    Ok((request, failed))
}

fn status(response: &surf::Response) -> Result<StatusCode, TransportError> {
    let status = u16::from(response.status());
    let status = StatusCode::from_u16(status).ok();
    // What follows an interim response would be taken for the next one.
    let last = status.filter(|status| !status.is_informational());
    last.ok_or_else(|| unsupported("surf cannot read on after an interim response"))
}

/// The header fields, without the `Date` that async-h1 makes up in a form no server can send.
fn headers(response: &surf::Response) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in response.iter() {
        for value in values {
            let name = HeaderName::from_str(name.as_str());
            let value = HeaderValue::from_str(value.as_str());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
    }
    headers
}

/// Refuses a body of which surf would read nothing: one that ends with the connection.
fn framed(headers: &HeaderMap) -> Result<(), TransportError> {
    let coded = headers.get(TRANSFER_ENCODING);
    let chunked = coded.is_some_and(|v| v.as_bytes().to_ascii_lowercase().ends_with(b"chunked"));
    if chunked || headers.contains_key(CONTENT_LENGTH) {
        return Ok(());
    }
    Err(unsupported(
        "surf cannot read a body that ends only with the connection",
    ))
}
