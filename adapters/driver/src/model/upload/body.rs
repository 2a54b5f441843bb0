//! A form as a request body.

use http::HeaderValue;

use super::error::FormError;
use super::form::Form;
use super::writer::{BodySegment, FormWriter};
use crate::model::request::BodySource;
use crate::transport::message::BodyStream;

impl Form {
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
