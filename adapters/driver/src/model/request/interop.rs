//! Conversions from and to the types of the crate `http`.

use bytes::Bytes;
use http::HeaderMap;

use super::{IntoRequest, Request, RequestContent};
use crate::model::error::{Error, ErrorKind};
use crate::model::response::Response;

/// Method, URI, fields and body are taken over. The version and the extensions are not: which version is
/// spoken is decided with the server.
///
/// ```
/// use fetch_driver::Request;
///
/// let request = http::Request::put("http://a.test/file").header("x-id", "7").body("text")?;
/// let request = Request::try_from(request)?;
/// assert_eq!(request.url().path(), "/file");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If the URI is not an absolute http or https URL.
impl<B: Into<Bytes>> TryFrom<http::Request<B>> for Request {
    type Error = Error;

    fn try_from(request: http::Request<B>) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let body = body.into();
        let (method, url) = (parts.method.as_str().parse(), parts.uri.to_string());
        let method = method.map_err(|error| Error::rejected(ErrorKind::InvalidMethod, &url, error));
        let request = Self::new(method?, url)?;
        let request = request.headers(parts.headers);
        Ok(match body.is_empty() {
            true => request,
            false => request.body(body),
        })
    }
}

impl<B: Into<Bytes>> IntoRequest for http::Request<B> {
    fn into_request(self) -> Result<Request, Error> {
        self.try_into()
    }
}

/// Method, URL, fields and a body that is held in memory. Options of how the request is carried out have no
/// place there. Returns the request if its body is a stream or its URL is not valid as a URI.
///
/// ```
/// use fetch_driver::Request;
///
/// let request = Request::put("http://a.test/file")?.header("x-id", "7")?.body("text");
/// let request = http::Request::try_from(request).expect("the body is no stream");
/// assert_eq!((request.uri().path(), &request.body()[..]), ("/file", &b"text"[..]));
/// # Ok::<(), fetch_driver::Error>(())
/// ```
impl TryFrom<Request> for http::Request<Bytes> {
    type Error = Request;

    fn try_from(request: Request) -> Result<Self, Request> {
        let body = match &request.body {
            RequestContent::Empty => Bytes::new(),
            RequestContent::Bytes(bytes) => bytes.clone(),
            RequestContent::Once(_) | RequestContent::Source(_) => return Err(request),
        };
        let builder = http::Request::builder();
        let builder = builder
            .method(request.method.as_str())
            .uri(request.url.as_str());
        match builder.body(body) {
            Ok(mut converted) => {
                *converted.headers_mut() = request.headers;
                Ok(converted)
            }
            Err(_) => Err(request),
        }
    }
}

/// Status, version, fields and body.
///
/// ```
/// let response = fetch_driver::Response::new(http::StatusCode::OK, "[]");
/// let response = http::Response::from(response);
/// assert_eq!(response.body(), "[]");
/// ```
impl From<Response> for http::Response<Bytes> {
    fn from(response: Response) -> Self {
        let mut converted = Self::new(response.body);
        *converted.status_mut() = response.status;
        *converted.version_mut() = response.version;
        *converted.headers_mut() = response.headers.into_map();
        converted
    }
}

/// The URL of the result is `about:blank`, because `http::Response` has none.
///
/// ```
/// let response = fetch_driver::Response::from(http::Response::new("[]"));
/// assert_eq!((response.status.as_u16(), response.bytes), (200, 2));
/// ```
impl<B: Into<Bytes>> From<http::Response<B>> for Response {
    fn from(response: http::Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        let (version, headers): (_, HeaderMap) = (parts.version, parts.headers);
        Self {
            headers: headers.into(),
            version,
            ..Self::new(parts.status, body)
        }
    }
}
