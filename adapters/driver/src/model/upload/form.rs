//! Forms with files (RFC 7578).

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;

use http::HeaderValue;

use super::part::Part;
use super::writer::{BodySegment, FormWriter};
use crate::model::request::BodySource;
use crate::transport::message::BodyStream;

const FORM_DATA: &str = "multipart/form-data";

/// A form whose fields are sent as `multipart/form-data` (RFC 7578), such as a form with files. It is
/// written as curl writes it. [`Request::multipart`](crate::Request::multipart) sends it.
///
/// ```
/// use fetch_driver::{Form, Request};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("cat.png");
/// # std::fs::write(&path, "cat")?;
/// let form = Form::new().text("title", "A cat").file("photo", path);
/// let request = Request::post("https://a.test/photos")?.multipart(form)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Form {
    pub(super) backslash_escapes: bool,
    pub(super) media_type: String,
    pub(super) parts: Vec<(String, Part)>,
}

impl Form {
    /// A form without fields, of the type `multipart/form-data`.
    ///
    /// ```
    /// let form = fetch_driver::Form::new().text("a", "b");
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_media_type(FORM_DATA)
    }

    /// Another kind of multipart body, such as `multipart/mixed`. Its parts are attachments rather than
    /// fields of a form. `media_type` may have parameters, except `boundary`.
    ///
    /// ```
    /// use fetch_driver::{Form, Part};
    /// let form = Form::with_media_type("multipart/mixed").part("", Part::bytes("abc"));
    /// ```
    #[must_use]
    pub fn with_media_type(media_type: impl Into<String>) -> Self {
        Self {
            backslash_escapes: false,
            media_type: media_type.into(),
            parts: Vec::new(),
        }
    }

    /// Adds a field with this text.
    ///
    /// ```
    /// let form = fetch_driver::Form::new().text("q", "a b");
    /// ```
    #[must_use]
    pub fn text(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.part(name, Part::bytes(value.into()))
    }

    /// Adds a field with the file at this path: see [`Part::file`].
    ///
    /// ```
    /// let form = fetch_driver::Form::new().file("photo", "cat.png");
    /// ```
    #[must_use]
    pub fn file(self, name: impl Into<String>, path: impl AsRef<Path>) -> Self {
        self.part(name, Part::file(path))
    }

    /// Adds a part. With an empty name it has none.
    ///
    /// ```
    /// use fetch_driver::{Form, Part};
    /// let form = Form::new().part("data", Part::bytes("{}").media_type("application/json"));
    /// ```
    #[must_use]
    pub fn part(mut self, name: impl Into<String>, part: Part) -> Self {
        self.parts.push((name.into(), part));
        self
    }

    /// Sets whether quotes and backslashes in names get a backslash, as curl did before 7.81 and does with
    /// `--form-escape`. Default: quotes and line breaks are percent-encoded, as browsers do.
    ///
    /// ```
    /// let form = fetch_driver::Form::new().text("a\"b", "c").backslash_escapes(true);
    /// ```
    #[must_use]
    pub fn backslash_escapes(mut self, escapes: bool) -> Self {
        self.backslash_escapes = escapes;
        self
    }

    /// The form as a body, with a boundary that nobody can guess.
    ///
    /// ```
    /// use fetch_driver::{BodySource, Form};
    ///
    /// let body = Form::new().text("a", "b").into_body()?;
    /// assert!(body.content_type().to_str()?.starts_with("multipart/form-data; boundary="));
    /// assert_eq!(body.length(), Some(137));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a file of a part cannot be read, or if a media type or a header field is not valid.
    pub fn into_body(self) -> Result<FormBody, FormError> {
        let mut writer = FormWriter::new(self.backslash_escapes);
        let content_type = writer.write_form(self)?;
        let content_type = HeaderValue::from_bytes(content_type.as_bytes());
        let content_type =
            content_type.map_err(|error| FormError::new(format!("media type: {error}")))?;
        Ok(FormBody {
            content_type,
            segments: writer.into_segments(),
        })
    }

    /// The disposition of its parts.
    pub(super) fn disposition(&self) -> &'static str {
        let media_type = self.media_type.split(';').next().unwrap_or_default();
        match media_type.trim().eq_ignore_ascii_case(FORM_DATA) {
            true => "form-data",
            false => "attachment",
        }
    }

    /// A line that separates parts: dashes, as in curl, and 64 random bits.
    pub(super) fn new_boundary() -> String {
        // Keyed by the system's random numbers, and different in each call.
        let random = RandomState::new().hash_one(0);
        format!("------------------------{random:016x}")
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::new()
    }
}

/// A [`Form`] as a request body. Its files are read while it is sent, and again for each attempt.
#[derive(Debug)]
pub struct FormBody {
    content_type: HeaderValue,
    segments: Vec<BodySegment>,
}

impl FormBody {
    /// The field `Content-Type` of the request, which has the boundary.
    ///
    /// ```
    /// let body = fetch_driver::Form::with_media_type("multipart/mixed").into_body()?;
    /// assert!(body.content_type().to_str()?.starts_with("multipart/mixed; boundary="));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn content_type(&self) -> &HeaderValue {
        &self.content_type
    }
}

impl BodySource for FormBody {
    fn length(&self) -> Option<u64> {
        self.segments.iter().map(BodySegment::length).sum()
    }

    fn open(&self) -> BodyStream {
        let streams: Vec<_> = self.segments.iter().map(BodySegment::open).collect();
        let streams = futures_lite::stream::iter(streams);
        Box::pin(futures_lite::StreamExt::flatten(streams))
    }
}

/// Why a [`Form`] cannot be sent: a file that cannot be read, or a media type or a header field that is not
/// valid.
#[derive(Clone, Debug)]
pub struct FormError {
    source: Option<Arc<io::Error>>,
    text: String,
}

impl FormError {
    pub(super) fn new(text: String) -> Self {
        Self { source: None, text }
    }

    pub(super) fn of_file(error: io::Error) -> Self {
        Self {
            text: error.to_string(),
            source: Some(Arc::new(error)),
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for FormError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}
