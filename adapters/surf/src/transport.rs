//! Requests over surf.

use std::io;
use std::str::FromStr;

use fetch_driver::{
    AttemptProgress, BuildError, FailureKind, OutgoingRequest, Settings, TransportError,
};
use fetch_transport_util::{ClientFactory, ClientLease, PooledBody, PooledTransport, UploadReader};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Response, StatusCode};
use surf::http as surf_http;
use url::Url;

use crate::client::{SurfClient, SurfClientFactory};
use crate::error;

/// surf as a [`Transport`](fetch_driver::Transport).
///
/// ```
/// let mut settings = fetch_driver::Settings::default();
/// assert!(fetch_surf::SurfTransport::new(&settings).is_ok());
/// settings.route.resolve.push(("a.test".into(), 80, Vec::new()));
/// assert!(fetch_surf::SurfTransport::new(&settings).is_err());
/// ```
pub type SurfTransport = PooledTransport<SurfClientFactory>;

/// The body of a response.
pub type SurfBody = PooledBody<SurfClient>;

impl ClientFactory for SurfClientFactory {
    type Body = surf::Response;
    type Client = SurfClient;
    type Request = surf_http::Request;

    fn from_settings(settings: &Settings) -> Result<Self, BuildError> {
        Self::new(settings)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        async_std::task::spawn(task);
    }

    fn create_client(&self) -> Result<SurfClient, TransportError> {
        Ok(self.create())
    }

    fn convert_request(
        &self,
        request: OutgoingRequest,
        body: Option<UploadReader>,
    ) -> Result<surf_http::Request, TransportError> {
        let name = request.method.as_str();
        let method = surf_http::Method::from_str(name);
        let method =
            method.map_err(|_| unsupported(format!("surf does not know the method {name}")))?;
        let mut converted = surf_http::Request::new(method, (*request.url).clone());
        if let Some(upload) = body {
            let length = upload.length();
            let length = length.and_then(|length| length.try_into().ok());
            converted.set_body(surf_http::Body::from_reader(upload, length));
            // surf adds a content type that the caller has not set.
            converted.remove_header("content-type");
        }
        for (name, value) in &*request.headers {
            let value = value.to_str();
            let value =
                value.map_err(|_| unsupported(format!("surf sends only ASCII in {name}")))?;
            converted.append_header(name.as_str(), value);
        }
        Ok(converted)
    }

    async fn send(
        &self,
        lease: &mut ClientLease<SurfClient>,
        url: &Url,
        request: surf_http::Request,
        _: &AttemptProgress,
    ) -> Result<Response<surf::Response>, TransportError> {
        let (is_https, is_reused) = (url.scheme() == "https", lease.is_reused());
        let response = lease.client().0.send(request).await;
        let response =
            response.map_err(|error| error::convert_send_error(&error, is_https, is_reused))?;
        let status = convert_status(&response)?;
        let headers = convert_headers(&response);
        let connection = headers.get(CONNECTION).and_then(|v| v.to_str().ok());
        if connection.is_some_and(|v| v.to_ascii_lowercase().contains("close")) {
            lease.retire();
        }
        let mut converted = Response::new(response);
        *converted.status_mut() = status;
        *converted.headers_mut() = headers;
        Ok(converted)
    }

    /// Rejects a body that ends with the connection: surf would read nothing of it.
    fn check_body(response: &Response<surf::Response>) -> Result<(), TransportError> {
        let headers = response.headers();
        let coding = headers.get(TRANSFER_ENCODING);
        let is_chunked =
            coding.is_some_and(|v| v.as_bytes().to_ascii_lowercase().ends_with(b"chunked"));
        if is_chunked || headers.contains_key(CONTENT_LENGTH) {
            return Ok(());
        }
        let text = "surf cannot read a body that ends only with the connection";
        Err(unsupported(text))
    }

    fn convert_body_error(error: io::Error) -> TransportError {
        error::convert_body_error(error)
    }
}

fn unsupported(text: impl Into<String>) -> TransportError {
    TransportError::new(FailureKind::Unsupported, text.into())
}

fn convert_status(response: &surf::Response) -> Result<StatusCode, TransportError> {
    let status = u16::from(response.status());
    let status = StatusCode::from_u16(status).ok();
    // surf would treat the final response as that of the next request.
    let is_final = status.filter(|status| !status.is_informational());
    is_final.ok_or_else(|| unsupported("surf cannot read on after an interim response"))
}

/// The header fields, without the `Date` that async-h1 adds, whose value is not valid.
fn convert_headers(response: &surf::Response) -> HeaderMap {
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
