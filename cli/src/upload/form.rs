//! The forms of `-F`, with curl's rules for the names and types of files.

use crate::display::Quoted;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use fetch_driver::{Form, Part};

use super::field::{FieldOptions, FormField, TransferEncoding};
use super::file::UploadFile;
use super::{RequestPayload, UploadPayload};

const FORM_DATA: &str = "multipart/form-data";
const MIXED: &str = "multipart/mixed";

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
    let media_type = style.media_type.unwrap_or(FORM_DATA);
    let mut rest = fields;
    let form = add_fields(media_type, &mut rest)?;
    if !rest.is_empty() {
        return Err("=) closes no group: write NAME=( before it".into());
    }
    let form = form.backslash_escapes(style.escapes);
    let body = form.into_body().map_err(|error| error.to_string())?;
    Ok(RequestPayload::Upload(Arc::new(UploadPayload {
        content_range: None,
        content_type: Some(body.content_type().clone()),
        body: Arc::new(body),
        // The boundary differs in every run.
        identity: format!("form {fields:?}").into(),
        name: None,
    })))
}

/// A form, or a group of one, with the fields up to the end of the group.
fn add_fields(media_type: &str, rest: &mut &[FormField]) -> Result<Form, String> {
    let is_form = media_type.to_ascii_lowercase().starts_with(FORM_DATA);
    let mut form = Form::with_media_type(media_type);
    while let Some((field, after)) = rest.split_first() {
        if *field == FormField::End {
            break;
        }
        *rest = after;
        let (options, part) = part(field, is_form, rest)?;
        form = form.part(&*options.name, part);
    }
    Ok(form)
}

/// A part, and the options that have its name.
fn part<'a>(
    field: &'a FormField,
    is_form: bool,
    rest: &mut &[FormField],
) -> Result<(&'a FieldOptions, Part), String> {
    let (options, part) = match field {
        FormField::Begin(options) => {
            let media_type = options.media_type.as_deref().unwrap_or(MIXED);
            let group = add_fields(media_type, rest)?;
            match rest.split_first() {
                Some((FormField::End, after)) => *rest = after,
                _ => {
                    return Err(format!(
                        "{}=( is not closed: write =) after its parts",
                        options.name
                    ));
                }
            }
            (options, with_options(Part::parts(group), options, None)?)
        }
        FormField::Content(options, path) => {
            // As in curl, text is not called so where no name says that it is a file.
            let by_name = Part::guess_media_type(path);
            let by_name = by_name.filter(|kind| *kind != "text/plain" || !is_form);
            (options, file(path, options, by_name)?)
        }
        FormField::End => unreachable!("a group ends before it"),
        FormField::Files(options, files) if files.len() > 1 => {
            let media_type = options.media_type.as_deref().unwrap_or(MIXED);
            let mut group = Form::with_media_type(media_type);
            for file in files {
                group = group.part("", named_file(file)?);
            }
            (options, with_options(Part::parts(group), options, None)?)
        }
        FormField::Files(options, files) => {
            let file = files.first().ok_or("no file after @")?;
            (options, named_file(file)?)
        }
        FormField::Text(options, text) => {
            let by_name = options.filename.as_deref().and_then(Part::guess_media_type);
            let part = match options.encoding {
                Some(TransferEncoding::Base64) => Part::bytes(base64_lines(text.as_bytes())),
                _ => Part::bytes(text.clone()),
            };
            (options, with_options(part, options, by_name)?)
        }
    };
    Ok((options, part))
}

/// A file's part: its name and type follow from the path unless they are given.
fn named_file(options: &FieldOptions) -> Result<Part, String> {
    let path = &options.name;
    let last = Path::new(path).file_name().and_then(|name| name.to_str());
    let filename = options.filename.as_deref().or(last);
    let by_name = filename.and_then(Part::guess_media_type);
    let by_name = by_name.or_else(|| Part::guess_media_type(path));
    let part = file(path, options, by_name.or(Some("application/octet-stream")))?;
    Ok(match filename {
        Some(filename) => part.file_name(filename),
        None => part,
    })
}

/// The part with the content of the file at `path`.
fn file(path: &str, options: &FieldOptions, media_type: Option<&str>) -> Result<Part, String> {
    let failed = |error| format!("{path}: cannot be read: {error}: check the name of the file");
    let path = Path::new(path);
    let part = match options.encoding {
        Some(TransferEncoding::Base64) => {
            Part::bytes(base64_lines(&UploadFile::read(path).map_err(failed)?))
        }
        _ => Part::source(Arc::new(UploadFile::open(path).map_err(failed)?)),
    };
    with_options(part, options, media_type)
}

/// The part with this media type, unless another is given, and with all other options but its name.
fn with_options(
    mut part: Part,
    options: &FieldOptions,
    media_type: Option<&str>,
) -> Result<Part, String> {
    if let Some(filename) = &options.filename {
        part = part.file_name(filename);
    }
    if let Some(media_type) = options.media_type.as_deref().or(media_type) {
        part = part.media_type(media_type);
    }
    if let Some(encoding) = options.encoding {
        let name = match encoding {
            TransferEncoding::Base64 => "base64",
            TransferEncoding::Identity(name) => name,
        };
        part = part.header("Content-Transfer-Encoding", name);
    }
    for field in fields(&options.headers)? {
        let (name, value) = field.split_once(':').unwrap_or((&*field, ""));
        part = part.header(name.trim_end(), value.trim());
    }
    Ok(part)
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
    use bytes::Bytes;
    use futures_lite::StreamExt;
    use futures_lite::future::block_on;

    use super::*;

    const BOUNDARY_PREFIX: &str = "------------------------";

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
