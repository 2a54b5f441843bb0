//! Writes forms as curl does.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use fetch_proto::Quoted;
use futures_lite::stream;
use http::HeaderValue;

use super::error::FormError;
use super::form::{Form, Part, PartContent};
use crate::model::request::BodySource;
use crate::transport::message::BodyStream;

/// Consecutive bytes of a body, or a source of some.
#[derive(Debug)]
pub(super) enum BodySegment {
    Bytes(Bytes),
    Source(Arc<dyn BodySource>),
}

impl BodySegment {
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Source(source) => source.length(),
        }
    }

    pub(super) fn open(&self) -> BodyStream {
        match self {
            Self::Bytes(bytes) => Box::pin(stream::once(Ok(bytes.clone()))),
            Self::Source(source) => source.open(),
        }
    }
}

pub(super) struct FormWriter {
    backslash_escapes: bool,
    /// The bytes after the last of the segments.
    bytes: BytesMut,
    segments: Vec<BodySegment>,
}

impl FormWriter {
    pub(super) fn new(backslash_escapes: bool) -> Self {
        Self {
            backslash_escapes,
            bytes: BytesMut::new(),
            segments: Vec::new(),
        }
    }

    pub(super) fn into_segments(mut self) -> Vec<BodySegment> {
        self.end_bytes();
        self.segments
    }

    /// Writes the form and returns its `Content-Type`.
    pub(super) fn write_form(&mut self, form: Form) -> Result<String, FormError> {
        let boundary = Form::new_boundary();
        let content_type = content_type(&form, &boundary)?;
        self.write_parts(form, &boundary)?;
        Ok(content_type)
    }

    fn write_parts(&mut self, form: Form, boundary: &str) -> Result<(), FormError> {
        let disposition = form.disposition();
        for (name, part) in form.parts {
            self.push(&format!("--{boundary}\r\n"));
            self.write_part(&name, part, disposition)?;
            self.push("\r\n");
        }
        self.push(&format!("--{boundary}--\r\n"));
        Ok(())
    }

    fn write_part(
        &mut self,
        name: &str,
        mut part: Part,
        disposition: &str,
    ) -> Result<(), FormError> {
        if let Some(fault) = part.fault.take() {
            return Err(fault);
        }
        let inner = Form::new_boundary();
        if let PartContent::Parts(form) = &part.content {
            part.media_type = Some(content_type(form, &inner)?);
        }
        self.write_head(name, &part, disposition);
        match part.content {
            PartContent::Bytes(bytes) => self.bytes.extend_from_slice(&bytes),
            PartContent::Parts(form) => self.write_parts(*form, &inner)?,
            PartContent::Source(source) => {
                self.end_bytes();
                self.segments.push(BodySegment::Source(source));
            }
        }
        Ok(())
    }

    fn write_head(&mut self, name: &str, part: &Part, disposition: &str) {
        let name = Some(name).filter(|name| !name.is_empty());
        // As in curl, an attachment without any name gets no disposition.
        if disposition != "attachment" || name.is_some() || part.file_name.is_some() {
            self.push(&format!("Content-Disposition: {disposition}"));
            for (key, value) in [("name", name), ("filename", part.file_name.as_deref())] {
                if let Some(value) = value {
                    self.push(&format!("; {key}=\"{}\"", self.escape(value)));
                }
            }
            self.push("\r\n");
        }
        if let Some(media_type) = &part.media_type {
            self.push(&format!("Content-Type: {media_type}\r\n"));
        }
        for field in &part.headers {
            self.push(&format!("{field}\r\n"));
        }
        self.push("\r\n");
    }

    /// Escapes a name in quotes: as HTML forms do, or with backslashes.
    fn escape(&self, name: &str) -> String {
        let mut out = String::new();
        for c in name.chars() {
            match (c, self.backslash_escapes) {
                ('"' | '\\', true) => out.extend(['\\', c]),
                ('"', false) => out += "%22",
                ('\r', _) => out += "%0D",
                ('\n', _) => out += "%0A",
                _ => out.push(c),
            }
        }
        out
    }

    fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Makes a segment of the bytes so far.
    fn end_bytes(&mut self) {
        let bytes = self.bytes.split().freeze();
        if !bytes.is_empty() {
            self.segments.push(BodySegment::Bytes(bytes));
        }
    }
}

fn content_type(form: &Form, boundary: &str) -> Result<String, FormError> {
    let media_type = &form.media_type;
    match media_type.trim().is_empty() || HeaderValue::from_bytes(media_type.as_bytes()).is_err() {
        true => Err(FormError::new(format!(
            "media type {}: write one such as multipart/mixed",
            Quoted(media_type)
        ))),
        false => Ok(format!("{media_type}; boundary={boundary}")),
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::StreamExt;
    use futures_lite::future::block_on;

    use super::*;

    /// The form with its lines joined by `|` and its boundaries named `B`.
    fn written(form: Form) -> String {
        let body = form.into_body().unwrap();
        let pieces: Vec<Bytes> = block_on(body.open().try_collect()).unwrap();
        let bytes = pieces.concat();
        assert_eq!(body.length(), Some(bytes.len() as u64));
        let text = String::from_utf8(bytes).unwrap().replace("\r\n", "|");
        let mut parts = text.split("------------------------");
        let mut out = parts.next().unwrap().to_owned();
        for part in parts {
            out += "B";
            out += &part.trim_start_matches('-')[16..];
        }
        out
    }

    #[test]
    fn fields_files_and_parts_are_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cat.png");
        std::fs::write(&path, "hi").unwrap();
        let data = Part::bytes("{}")
            .media_type("application/json")
            .header("X-Id", "7");
        let inner = Form::with_media_type("multipart/mixed").part("", Part::bytes("x"));
        let form = Form::new()
            .text("a\"b\r\n", "c")
            .file("f", &path)
            .part("d", data)
            .part("", Part::parts(inner));
        assert_eq!(
            written(form),
            "B|Content-Disposition: form-data; name=\"a%22b%0D%0A\"||c|\
             B|Content-Disposition: form-data; name=\"f\"; filename=\"cat.png\"|Content-Type: image/png||hi|\
             B|Content-Disposition: form-data; name=\"d\"|Content-Type: application/json|X-Id: 7||{}|\
             B|Content-Disposition: form-data|Content-Type: multipart/mixed; boundary=B||B||x|B--||\
             B--|"
        );
        let form = Form::new().text("a\"\\b", "c").backslash_escapes(true);
        assert!(written(form).contains("name=\"a\\\"\\\\b\""));
    }

    #[test]
    fn what_would_break_the_form_is_refused() {
        for (part, why) in [
            (Part::bytes("").media_type("text"), "media type \"text\""),
            (Part::bytes("").media_type("text/a\r\nb"), "media type"),
            (Part::bytes("").header("a b", "c"), "name \"a b\""),
            (Part::bytes("").header("a", "c\n"), "value \"c\\n\""),
            (Part::file("/missing"), "/missing: cannot be read"),
        ] {
            let error = Form::new().part("a", part).into_body().unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        let form = Form::with_media_type("a\nb").into_body();
        assert!(form.is_err());
        let inner = Form::with_media_type("a\nb");
        assert!(
            Form::new()
                .part("a", Part::parts(inner))
                .into_body()
                .is_err()
        );
    }
}
