//! Forms as `multipart/form-data` (RFC 7578), written as curl writes them.

use crate::display::Quoted;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use http::HeaderValue;
use ring::rand::{SecureRandom, SystemRandom};

use super::field::{FieldOptions, FormField, TransferEncoding};
use super::{BodySegment, FileSegment, RequestPayload, UploadBody, UploadPayload};
use crate::outcome::checksum::hex;

/// Dashes before the random part of a boundary, as in curl.
const BOUNDARY_PREFIX: &str = "------------------------";

/// The characters of a line of Base64.
const BASE64_LINE: usize = 76;

/// How a form is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FormStyle<'a> {
    /// Whether names are escaped with backslashes, rather than percent-encoded.
    pub(crate) escapes: bool,
    /// The media type, if the user gives another one than `multipart/form-data`.
    pub(crate) media_type: Option<&'a str>,
}

/// Builds the form. Files are opened, and read while it is sent; stdin is read here.
///
/// # Errors
///
/// If a file cannot be read, or if groups are not closed.
pub(crate) fn build(fields: &[FormField], style: FormStyle<'_>) -> Result<RequestPayload, String> {
    let media_type = style.media_type.unwrap_or("multipart/form-data");
    let mut writer = FormWriter {
        escapes: style.escapes,
        random: SystemRandom::new(),
        segments: Vec::new(),
    };
    let boundary = writer.boundary()?;
    let is_form = media_type
        .to_ascii_lowercase()
        .starts_with("multipart/form-data");
    let disposition = if is_form { "form-data" } else { "attachment" };
    let mut rest = fields;
    writer.group(&boundary, disposition, &mut rest)?;
    if !rest.is_empty() {
        return Err("=) closes no group: write NAME=( before it".into());
    }
    let content_type = format!("{media_type}; boundary={boundary}");
    let content_type = HeaderValue::try_from(content_type);
    Ok(RequestPayload::Upload(Arc::new(UploadPayload {
        body: Arc::new(UploadBody::new(writer.segments)),
        content_type: Some(content_type.map_err(|_| "the media type has a control character")?),
        // The boundary differs in every run.
        identity: format!("form {fields:?}").into(),
        name: None,
    })))
}

struct FormWriter {
    escapes: bool,
    random: SystemRandom,
    segments: Vec<BodySegment>,
}

/// The head of a part.
#[derive(Clone, Copy, Debug)]
struct PartHead<'a> {
    disposition: &'a str,
    filename: Option<&'a str>,
    media_type: Option<&'a str>,
    name: Option<&'a str>,
    options: &'a FieldOptions,
}

impl FormWriter {
    /// Unguessable, so that no file can contain it by intention.
    fn boundary(&self) -> Result<String, String> {
        let mut bytes = [0; 8];
        let filled = self.random.fill(&mut bytes);
        filled.map_err(|_| "the system gives no random numbers")?;
        Ok(format!("{BOUNDARY_PREFIX}{}", hex(&bytes)))
    }

    /// Writes fields up to the end of their group.
    fn group(
        &mut self,
        boundary: &str,
        disposition: &str,
        rest: &mut &[FormField],
    ) -> Result<(), String> {
        while let Some((field, after)) = rest.split_first() {
            if *field == FormField::End {
                break;
            }
            *rest = after;
            self.push(format!("--{boundary}\r\n"));
            self.field(field, disposition, rest)?;
            self.push("\r\n".to_owned());
        }
        self.push(format!("--{boundary}--\r\n"));
        Ok(())
    }

    fn field(
        &mut self,
        field: &FormField,
        disposition: &str,
        rest: &mut &[FormField],
    ) -> Result<(), String> {
        let head = |options| head(disposition, options);
        match field {
            FormField::Begin(options) => {
                let inner = self.mixed(head(options))?;
                self.group(&inner, "attachment", rest)?;
                match rest.split_first() {
                    Some((FormField::End, after)) => *rest = after,
                    _ => {
                        return Err(format!(
                            "{}=( is not closed: write =) after its parts",
                            options.name
                        ));
                    }
                }
                Ok(())
            }
            FormField::Content(options, path) => {
                // As in curl, text is not called so where no name says that it is a file.
                let by_name = media_type(path)
                    .filter(|kind| *kind != "text/plain" || disposition != "form-data");
                let given = options.media_type.as_deref();
                let head = PartHead {
                    media_type: given.or(by_name),
                    ..head(options)
                };
                self.file(path, head)
            }
            FormField::End => Ok(()),
            FormField::Files(options, files) if files.len() > 1 => {
                let inner = self.mixed(head(options))?;
                for file in files {
                    self.push(format!("--{inner}\r\n"));
                    let head = PartHead {
                        disposition: "attachment",
                        name: None,
                        ..head(file)
                    };
                    self.file(&file.name, file_head(head, &file.name))?;
                    self.push("\r\n".to_owned());
                }
                self.push(format!("--{inner}--\r\n"));
                Ok(())
            }
            FormField::Files(options, files) => {
                for file in files {
                    let head = PartHead {
                        name: Some(&*options.name).filter(|name| !name.is_empty()),
                        ..head(file)
                    };
                    self.file(&file.name, file_head(head, &file.name))?;
                }
                Ok(())
            }
            FormField::Text(options, text) => {
                let by_name = options.filename.as_deref().and_then(media_type);
                let given = options.media_type.as_deref();
                let head = PartHead {
                    media_type: given.or(by_name),
                    ..head(options)
                };
                self.head(head)?;
                match options.encoding {
                    Some(TransferEncoding::Base64) => self.push(base64_lines(text.as_bytes())),
                    _ => self.push(text.clone()),
                }
                Ok(())
            }
        }
    }

    /// Writes the head of a part that has parts, and returns its boundary.
    fn mixed(&mut self, head: PartHead<'_>) -> Result<String, String> {
        let inner = self.boundary()?;
        let given = head.options.media_type.as_deref();
        let media_type = format!("{}; boundary={inner}", given.unwrap_or("multipart/mixed"));
        self.head(PartHead {
            media_type: Some(&media_type),
            ..head
        })?;
        Ok(inner)
    }

    fn file(&mut self, path: &str, head: PartHead<'_>) -> Result<(), String> {
        self.head(head)?;
        let failed = |error| format!("{path}: cannot be read: {error}: check the name of the file");
        let segment = FileSegment::open(Path::new(path)).map_err(failed)?;
        match head.options.encoding {
            Some(TransferEncoding::Base64) => {
                let content = segment.content().map_err(failed)?;
                self.push(base64_lines(&content));
            }
            _ => self.segments.push(BodySegment::File(segment)),
        }
        Ok(())
    }

    fn head(&mut self, head: PartHead<'_>) -> Result<(), String> {
        let mut text = String::new();
        // Like curl, an attachment without any name gets no disposition.
        if head.disposition != "attachment" || head.name.is_some() || head.filename.is_some() {
            text = format!("Content-Disposition: {}", head.disposition);
            for (key, value) in [("name", head.name), ("filename", head.filename)] {
                if let Some(value) = value {
                    text += &format!("; {key}=\"{}\"", self.escape(value));
                }
            }
            text += "\r\n";
        }
        if let Some(media_type) = head.media_type {
            text += &format!("Content-Type: {media_type}\r\n");
        }
        if let Some(encoding) = head.options.encoding {
            let name = match encoding {
                TransferEncoding::Base64 => "base64",
                TransferEncoding::Identity(name) => name,
            };
            text += &format!("Content-Transfer-Encoding: {name}\r\n");
        }
        for field in fields(&head.options.headers)? {
            text += &format!("{field}\r\n");
        }
        self.push(text + "\r\n");
        Ok(())
    }

    /// Escapes a name in quotes: as HTML forms do, or with backslashes.
    fn escape(&self, name: &str) -> String {
        let mut out = String::new();
        for c in name.chars() {
            match (c, self.escapes) {
                ('"' | '\\', true) => out.extend(['\\', c]),
                ('"', false) => out += "%22",
                ('\r', false) => out += "%0D",
                ('\n', false) => out += "%0A",
                _ => out.push(c),
            }
        }
        out
    }

    /// Adds bytes; consecutive ones become one segment.
    fn push(&mut self, text: String) {
        let bytes = match self.segments.pop() {
            Some(BodySegment::Bytes(before)) => [&before[..], text.as_bytes()].concat().into(),
            last => {
                self.segments.extend(last);
                Bytes::from(text)
            }
        };
        self.segments.push(BodySegment::Bytes(bytes));
    }
}

fn head<'a>(disposition: &'a str, options: &'a FieldOptions) -> PartHead<'a> {
    PartHead {
        disposition,
        filename: options.filename.as_deref(),
        media_type: options.media_type.as_deref(),
        name: Some(&*options.name).filter(|name| !name.is_empty()),
        options,
    }
}

/// The head of a file's part: its name and type follow from the path unless they are given.
fn file_head<'a>(head: PartHead<'a>, path: &'a str) -> PartHead<'a> {
    let last = Path::new(path).file_name().and_then(|name| name.to_str());
    let filename = head.filename.or(last);
    let by_name = filename.and_then(media_type).or_else(|| media_type(path));
    PartHead {
        filename,
        media_type: head
            .media_type
            .or(by_name)
            .or(Some("application/octet-stream")),
        ..head
    }
}

/// The media type by the end of a name: the few that curl knows.
fn media_type(name: &str) -> Option<&'static str> {
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

/// The fields of `;headers=`, also from files. Lines that begin with `#` are comments.
fn fields(headers: &[String]) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for header in headers {
        let Some(path) = header.strip_prefix(['@', '<']) else {
            all.push(header.clone());
            continue;
        };
        let text = fs::read_to_string(path)
            .map_err(|error| format!("headers={header}: cannot be read: {error}"))?;
        let lines = text.lines().map(str::trim_end);
        all.extend(
            lines
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(str::to_owned),
        );
    }
    match all
        .iter()
        .find(|field| !field.contains(':') || field.contains(char::is_control))
    {
        Some(wrong) => Err(format!(
            "headers={}: write one such as headers=\"X-Name: value\"",
            Quoted(wrong)
        )),
        None => Ok(all),
    }
}

fn base64_lines(bytes: &[u8]) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines = encoded.as_bytes().chunks(BASE64_LINE);
    let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line)).collect();
    lines.join("\r\n")
}

#[cfg(test)]
mod tests {
    use fetch_driver::BodySource;
    use futures_lite::StreamExt;
    use futures_lite::future::block_on;

    use super::*;

    /// The form with its boundaries replaced by `B1`, `B2` in the order of their appearance.
    fn form(values: &[&str], style: FormStyle<'_>) -> (String, String) {
        let fields: Vec<_> = values
            .iter()
            .map(|value| FormField::parse(value).unwrap())
            .collect();
        let RequestPayload::Upload(upload) = build(&fields, style).unwrap() else {
            panic!("no form");
        };
        let chunks: Vec<Bytes> = block_on(upload.body.open().try_collect()).unwrap();
        let mut text = String::from_utf8(chunks.concat()).unwrap();
        assert_eq!(upload.body.length(), Some(text.len() as u64));
        let mut content_type = upload
            .content_type
            .as_ref()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        for n in 1.. {
            let Some(at) = text.find(BOUNDARY_PREFIX) else {
                break;
            };
            // A delimiter has two dashes before the boundary.
            let at = if text[at + BOUNDARY_PREFIX.len()..].starts_with("--") {
                at + 2
            } else {
                at
            };
            let boundary = text[at..at + BOUNDARY_PREFIX.len() + 16].to_owned();
            text = text.replace(&boundary, &format!("B{n}"));
            content_type = content_type.replace(&boundary, &format!("B{n}"));
        }
        (text.replace("\r\n", "|"), content_type)
    }

    const PLAIN: FormStyle<'_> = FormStyle {
        escapes: false,
        media_type: None,
    };

    #[test]
    fn fields_and_files_are_written_as_curl_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("we\"ird.png");
        fs::write(&path, "hi").unwrap();
        let path = path.to_str().unwrap().replace('"', "\\\"");
        let (text, content_type) = form(
            &[
                "a=b",
                &format!("f=@\"{path}\""),
                "m=x;type=text/plain;headers=\"X-Y: z\"",
                "=noname",
            ],
            PLAIN,
        );
        assert_eq!(content_type, "multipart/form-data; boundary=B1");
        assert_eq!(
            text,
            "--B1|Content-Disposition: form-data; name=\"a\"||b|\
             --B1|Content-Disposition: form-data; name=\"f\"; filename=\"we%22ird.png\"|Content-Type: image/png||hi|\
             --B1|Content-Disposition: form-data; name=\"m\"|Content-Type: text/plain|X-Y: z||x|\
             --B1|Content-Disposition: form-data||noname|\
             --B1--|"
        );
        let escaped = FormStyle {
            escapes: true,
            ..PLAIN
        };
        let (text, _) = form(&[&format!("f=@\"{path}\"")], escaped);
        assert!(text.contains("filename=\"we\\\"ird.png\""), "{text}");
    }

    #[test]
    fn several_files_and_groups_are_multipart_mixed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f.txt");
        fs::write(&path, "hi").unwrap();
        let path = path.to_str().unwrap();
        let (text, _) = form(&[&format!("two=@{path},{path};type=a/b")], PLAIN);
        assert_eq!(
            text,
            "--B1|Content-Disposition: form-data; name=\"two\"|Content-Type: multipart/mixed; boundary=B2||\
             --B2|Content-Disposition: attachment; filename=\"f.txt\"|Content-Type: text/plain||hi|\
             --B2|Content-Disposition: attachment; filename=\"f.txt\"|Content-Type: a/b||hi|\
             --B2--||--B1--|"
        );
        let (text, _) = form(
            &["x=(;type=multipart/alternative", "=q;encoder=base64", "=)"],
            PLAIN,
        );
        assert_eq!(
            text,
            "--B1|Content-Disposition: form-data; name=\"x\"|Content-Type: multipart/alternative; boundary=B2||\
             --B2|Content-Transfer-Encoding: base64||cQ==|--B2--||--B1--|"
        );
    }

    #[test]
    fn another_media_type_makes_attachments() {
        let style = FormStyle {
            media_type: Some("multipart/mixed"),
            ..PLAIN
        };
        let (text, content_type) = form(&["a=b"], style);
        assert_eq!(content_type, "multipart/mixed; boundary=B1");
        assert_eq!(
            text,
            "--B1|Content-Disposition: attachment; name=\"a\"||b|--B1--|"
        );
    }

    #[test]
    fn forms_that_cannot_be_built_are_refused() {
        for (values, part) in [
            (&["a=(", "b=c"][..], "not closed"),
            (&["=)"], "closes no group"),
            (&["a=@/none"], "/none: cannot be read"),
            (&["a=b;headers=X"], "X-Name: value"),
        ] {
            let fields: Vec<_> = values
                .iter()
                .map(|value| FormField::parse(value).unwrap())
                .collect();
            let error = build(&fields, PLAIN).unwrap_err();
            assert!(error.contains(part), "{values:?}: {error}");
        }
    }

    #[test]
    fn the_identity_of_a_form_does_not_depend_on_its_boundary() {
        let identity = || {
            let fields = [FormField::parse("a=b").unwrap()];
            build(&fields, PLAIN).unwrap().identity().to_vec()
        };
        assert_eq!(identity(), identity());
    }
}
