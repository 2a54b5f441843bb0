//! The response heads of one URL in a file: `--dump-header`.

use std::io::Write;
use std::path::Path;

use fetch_driver::{Outcome, Response};
use http::Version;

use super::replace::{AtomicFile, FileAccess};
use crate::exit::CliError;

/// Collects the heads of a URL's responses, redirects included, for a file.
pub(crate) struct HeadDump {
    /// `None` for stdout.
    file: Option<AtomicFile>,
    text: Vec<u8>,
}

impl HeadDump {
    /// `has_stdout`: whether stdout is free, because records go elsewhere.
    ///
    /// # Errors
    ///
    /// If the file cannot be created.
    pub(crate) fn new(path: &Path, has_stdout: bool) -> Result<Self, CliError> {
        let is_stdout = path.as_os_str() == "-";
        if is_stdout && !has_stdout {
            let why = "-D -: stdout has the records: write -D FILE, -o FILE for the records, or \
                       --record-headers, which adds the header fields to each record";
            return Err(CliError::usage(why));
        }
        Ok(Self {
            file: (!is_stdout)
                .then(|| AtomicFile::new("--dump-header", path.to_owned()))
                .transpose()?,
            text: Vec::new(),
        })
    }

    /// Adds the heads of an outcome.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        let redirects = outcome.redirect_responses.iter();
        let all = redirects
            .map(|redirect| &redirect.response)
            .chain(outcome.response());
        all.for_each(|response| write_head(&mut self.text, response));
    }

    /// Writes the file, which is empty if there was no response.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn write(&self) -> Result<(), CliError> {
        match &self.file {
            Some(file) => file.write(&self.text, FileAccess::Everyone),
            None => std::io::stdout().write_all(&self.text).map_err(|error| {
                CliError::file(format!(
                    "--dump-header -: stdout cannot be written: {error}"
                ))
            }),
        }
    }
}

/// Writes a head. Names of fields are not kept as they were received: they are written as is usual in
/// the protocol's version.
fn write_head(out: &mut Vec<u8>, response: &Response) {
    let (version, is_http1) = match response.version {
        Version::HTTP_10 => ("1.0", true),
        Version::HTTP_2 => ("2", false),
        _ => ("1.1", true),
    };
    let reason = response.status.canonical_reason().filter(|_| is_http1);
    let line = format!(
        "HTTP/{version} {} {}\r\n",
        response.status.as_u16(),
        reason.unwrap_or_default()
    );
    out.extend_from_slice(line.as_bytes());
    for (name, value) in &response.headers {
        let mut starts_word = is_http1;
        out.extend(name.as_str().bytes().map(|byte| {
            let written = if starts_word {
                byte.to_ascii_uppercase()
            } else {
                byte
            };
            starts_word = is_http1 && byte == b'-';
            written
        }));
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode, header};

    use super::*;

    #[test]
    fn a_head_is_written_as_its_protocol_has_it() {
        let mut response = Response::new(StatusCode::NOT_FOUND, "");
        let value = HeaderValue::from_bytes(b"caf\xe9").unwrap();
        response.headers.insert(header::CONTENT_LANGUAGE, value);
        let mut out = Vec::new();
        write_head(&mut out, &response);
        assert_eq!(
            out,
            b"HTTP/1.1 404 Not Found\r\nContent-Language: caf\xe9\r\n\r\n"
        );
        response.version = Version::HTTP_2;
        out.clear();
        write_head(&mut out, &response);
        assert_eq!(out, b"HTTP/2 404 \r\ncontent-language: caf\xe9\r\n\r\n");
    }
}
