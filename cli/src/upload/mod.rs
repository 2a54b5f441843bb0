//! Bodies of requests: bytes, files, and forms with files. All can be sent again.

mod field;
mod file;
mod form;

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fetch_driver::{BodySource, Request};
use http::HeaderMap;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, EXPECT, HeaderValue};

use crate::display::plural;
pub(crate) use field::FormField;
use file::UploadFile;
pub(crate) use form::{FormStyle, build as build_form};

/// The largest body, in bytes, that is sent without asking the server, unless it is a file of `-T`.
const MAX_UNASKED_BODY: u64 = 1 << 20;

/// The body of a request.
#[derive(Clone, Debug, Default)]
pub(crate) enum RequestPayload {
    Bytes(Bytes),
    #[default]
    Empty,
    /// Files, and bytes between them.
    Upload(Arc<UploadPayload>),
}

/// A body that is read from files while it is sent.
#[derive(Debug)]
pub(crate) struct UploadPayload {
    body: Arc<dyn BodySource>,
    /// The field `Content-Range`, for a part of a file.
    content_range: Option<HeaderValue>,
    /// The field `Content-Type`, for a form.
    content_type: Option<HeaderValue>,
    /// Identifies the body in record ids, in place of its content, which may be large.
    identity: Bytes,
    /// Appended to URLs that end with a slash, for `--upload-file`.
    name: Option<String>,
}

impl RequestPayload {
    /// The file at `path`, to which `-T` would give this name at a URL that ends with a slash. With an
    /// offset, the rest of the file, and its position.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or has no bytes at the offset.
    pub(crate) fn file(path: &Path, name: Option<String>, offset: Option<u64>) -> io::Result<Self> {
        let file = UploadFile::open(path)?;
        let (body, content_range) = match offset {
            None => (file.into_sized(), None),
            Some(offset) => {
                let (rest, range) = file.into_rest(offset)?;
                (rest, Some(range))
            }
        };
        Ok(Self::Upload(Arc::new(UploadPayload {
            body: body.into(),
            content_range,
            content_type: None,
            identity: [b"file ", path.as_os_str().as_encoded_bytes()]
                .concat()
                .into(),
            name,
        })))
    }

    /// The bytes that represent the body in record ids: the body itself, or a description of its files.
    pub(crate) fn identity(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Empty => b"",
            Self::Upload(upload) => &upload.identity,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.identity().is_empty()
    }

    /// The name of the file of `-T`.
    pub(crate) fn file_name(&self) -> Option<&str> {
        match self {
            Self::Upload(upload) => upload.name.as_deref(),
            Self::Bytes(_) | Self::Empty => None,
        }
    }

    /// The description in a summary.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Bytes(bytes) => plural(bytes.len() as u64, "byte", "bytes"),
            Self::Empty => "none".to_owned(),
            Self::Upload(upload) => match (upload.body.length(), &upload.content_type) {
                (Some(length), Some(_)) => format!("form of {}", plural(length, "byte", "bytes")),
                (Some(length), None) => format!("file of {}", plural(length, "byte", "bytes")),
                (None, _) => "stdin or pipe".to_owned(),
            },
        }
    }

    /// Whether the server is asked for permission before the body is sent, as in curl: for the files of
    /// `-T`, and for bodies that are large or of unknown length.
    fn expects_continue(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64 > MAX_UNASKED_BODY,
            Self::Empty => false,
            Self::Upload(upload) => match upload.body.length() {
                Some(length) if upload.content_type.is_some() => length > MAX_UNASKED_BODY,
                Some(length) => length > 0,
                None => true,
            },
        }
    }

    /// The request with this body, and with `Expect: 100-continue` if the body is one for which the
    /// server is asked, `may_ask`, and the request has no such field.
    pub(crate) fn attach_to(&self, request: Request, may_ask: bool) -> Request {
        let asks =
            may_ask && self.expects_continue() && !request.headers_ref().contains_key(EXPECT);
        let request = match asks {
            true => {
                let value = HeaderValue::from_static("100-continue");
                request.headers(HeaderMap::from_iter([(EXPECT, value)]))
            }
            false => request,
        };
        match self {
            Self::Bytes(bytes) if bytes.is_empty() => request,
            Self::Bytes(bytes) => request.body(bytes.clone()),
            Self::Empty => request,
            Self::Upload(upload) => {
                let fields = [
                    (CONTENT_TYPE, &upload.content_type),
                    (CONTENT_RANGE, &upload.content_range),
                ];
                let fields = fields
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value.clone()?)));
                let fields = HeaderMap::from_iter(fields);
                let request = request.body_source(upload.body.clone());
                match fields.is_empty() {
                    true => request,
                    false => request.headers(fields),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_asked_before_bodies_over_a_mebibyte() {
        for (length, asks) in [(1, false), (1 << 20, false), ((1 << 20) + 1, true)] {
            let payload = RequestPayload::Bytes(vec![0; length].into());
            let request = Request::get("http://a.test/").unwrap();
            let sent = payload.attach_to(request, true);
            assert_eq!(sent.headers_ref().contains_key(EXPECT), asks, "{length}");
        }
    }
}
