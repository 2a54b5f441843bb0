//! Forms with files (RFC 7578), and their parts.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fetch_proto::Quoted;
use http::{HeaderName, HeaderValue};

use super::error::FormError;
use super::file::FileBody;
use crate::model::request::BodySource;

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

/// A part of a [`Form`]: its content, and what the form says about it.
///
/// ```
/// use fetch_driver::{Form, Part};
///
/// let photo = Part::bytes(vec![0x89, b'P']).file_name("cat.png").media_type("image/png");
/// let form = Form::new().part("photo", photo);
/// ```
#[derive(Clone, Debug)]
pub struct Part {
    pub(super) content: PartContent,
    /// The first setting that is not valid.
    pub(super) fault: Option<FormError>,
    pub(super) file_name: Option<String>,
    /// Lines, without their ends.
    pub(super) headers: Vec<String>,
    pub(super) media_type: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum PartContent {
    Bytes(Bytes),
    Parts(Box<Form>),
    Source(Arc<dyn BodySource>),
}

impl Part {
    fn new(content: PartContent) -> Self {
        Self {
            content,
            fault: None,
            file_name: None,
            headers: Vec::new(),
            media_type: None,
        }
    }

    /// A part with this content, which is held in memory.
    ///
    /// ```
    /// let part = fetch_driver::Part::bytes("a,b\n").media_type("text/csv");
    /// ```
    #[must_use]
    pub fn bytes(content: impl Into<Bytes>) -> Self {
        Self::new(PartContent::Bytes(content.into()))
    }

    /// The file at this path, under its name and with the media type of that name
    /// ([`guess_media_type`](Self::guess_media_type)), or `application/octet-stream`. It is read while the
    /// form is sent: see [`FileBody`]. A file that cannot be read is an error of
    /// [`Request::multipart`](crate::Request::multipart).
    ///
    /// ```
    /// let part = fetch_driver::Part::file("cat.png").file_name("photo.png");
    /// ```
    #[must_use]
    pub fn file(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let part = match FileBody::open(path) {
            Ok(body) => Self::source(Arc::new(body)),
            Err(error) => Self {
                fault: Some(FormError::of_file(error)),
                ..Self::bytes("")
            },
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let media_type = Self::guess_media_type(&name).unwrap_or("application/octet-stream");
        part.file_name(name).media_type(media_type)
    }

    /// The media type of a file with this name: of the formats that curl knows. `None` for others.
    ///
    /// ```
    /// use fetch_driver::Part;
    /// assert_eq!(Part::guess_media_type("cat.PNG"), Some("image/png"));
    /// assert_eq!(Part::guess_media_type("cat.xyz"), None);
    /// ```
    #[must_use]
    pub fn guess_media_type(name: &str) -> Option<&'static str> {
        let (_, extension) = name.rsplit_once('.')?;
        Some(match extension.to_ascii_lowercase().as_str() {
            "gif" => "image/gif",
            "htm" | "html" => "text/html",
            "jpeg" | "jpg" => "image/jpeg",
            "pdf" => "application/pdf",
            "png" => "image/png",
            "svg" => "image/svg+xml",
            "txt" => "text/plain",
            "xml" => "application/xml",
            _ => return None,
        })
    }

    /// A part that is produced while it is sent, and again for each attempt. If its length is not known,
    /// the form is sent in chunked coding.
    ///
    /// ```
    /// use fetch_driver::{BodySource, Part};
    /// use std::sync::Arc;
    /// # fn example(source: Arc<dyn BodySource>) {
    /// let part = Part::source(source).file_name("export.csv");
    /// # }
    /// ```
    #[must_use]
    pub fn source(source: Arc<dyn BodySource>) -> Self {
        Self::new(PartContent::Source(source))
    }

    /// A part that has parts of its own. Its media type is that of `form`.
    ///
    /// ```
    /// use fetch_driver::{Form, Part};
    ///
    /// let versions = Form::with_media_type("multipart/alternative");
    /// let versions = versions.part("", Part::bytes("plain").media_type("text/plain"));
    /// let form = Form::new().part("message", Part::parts(versions));
    /// ```
    #[must_use]
    pub fn parts(form: Form) -> Self {
        Self::new(PartContent::Parts(Box::new(form)))
    }

    /// Sets the name of the file that the server is told. It says nothing about the file that is read, if
    /// any. Default: that of [`file`](Self::file), else none.
    ///
    /// ```
    /// let part = fetch_driver::Part::bytes("abc").file_name("notes.txt");
    /// ```
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Sets the `Content-Type`. Default: that of [`file`](Self::file), else none, which means text.
    ///
    /// ```
    /// let part = fetch_driver::Part::bytes("{}").media_type("application/json");
    /// ```
    #[must_use]
    pub fn media_type(mut self, media_type: impl Into<String>) -> Self {
        let media_type = media_type.into();
        let (kind, subtype) = media_type.split_once('/').unwrap_or_default();
        if kind.is_empty()
            || subtype.is_empty()
            || HeaderValue::from_bytes(media_type.as_bytes()).is_err()
        {
            self.refuse(format!(
                "media type {}: write one such as text/plain",
                Quoted(&media_type)
            ));
        }
        self.media_type = Some(media_type);
        self
    }

    /// Adds a header field of the part, after those that follow from its name and type. Names are sent in
    /// the spelling given. Servers are not required to look at others than `Content-Disposition`,
    /// `Content-Type` and, rarely, `Content-Transfer-Encoding`.
    ///
    /// ```
    /// let part = fetch_driver::Part::bytes("abc").header("X-Checksum", "900150983cd24fb0");
    /// ```
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if HeaderName::try_from(name).is_err() {
            self.refuse(format!("header field name {} is not valid", Quoted(name)));
        }
        if HeaderValue::from_bytes(value.as_bytes()).is_err() {
            self.refuse(format!("{name}: the value {} is not valid", Quoted(value)));
        }
        self.headers.push(format!("{name}: {value}"));
        self
    }

    fn refuse(&mut self, why: String) {
        self.fault.get_or_insert_with(|| FormError::new(why));
    }
}
