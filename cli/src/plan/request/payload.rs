//! The body of all requests, and what is appended to all URLs.

use std::path::{Path, PathBuf};

use http::header::CONTENT_TYPE;

use super::body::{body, encoded};
use crate::args::CliArgs;
use crate::args::values::HeaderSource;
use crate::display::Quoted;
use crate::exit::CliError;
use crate::input::{BodyDirectory, UrlGlob};
use crate::save::ContinueAt;
use crate::upload::{FormStyle, RequestPayload, build_form};

/// The most files of a pattern of `-T`, each of which is opened before the run.
const MAX_UPLOADS: u64 = 100_000;

/// The body of all requests that have no other.
///
/// # Errors
///
/// If a file cannot be read, or if one file is given for several URLs.
pub(super) fn payload(args: &CliArgs) -> Result<RequestPayload, CliError> {
    match &args.upload.upload_file[..] {
        [] => {}
        [path] if !is_pattern(path, args) => {
            if args.input.urls.len() + args.input.url.len() > 1 {
                return Err(CliError::usage(
                    "-T FILE and several URLs: curl would send it to the first one only: write -T for each \
                     URL, or put the URLs into a list, -i FILE, each of which gets the file",
                ));
            }
            return upload(path, args);
        }
        // Each URL has its own.
        _ => return Ok(RequestPayload::Empty),
    }
    if !args.form.0.is_empty() {
        let given = args
            .request
            .header
            .iter()
            .rev()
            .find_map(|source| match source {
                HeaderSource::Field(field) if field.name == CONTENT_TYPE => field.value.as_ref(),
                _ => None,
            });
        let given = given.and_then(|value| value.to_str().ok());
        let style = FormStyle {
            escapes: args.upload.form_escape,
            media_type: given,
        };
        return build_form(&args.form.0, style)
            .map_err(|why| CliError::usage(format!("--form: {why}")));
    }
    let bytes = body(args)?;
    Ok(match args.upload.get || bytes.is_empty() {
        true => RequestPayload::Empty,
        false => RequestPayload::Bytes(bytes.into()),
    })
}

/// The files of `-T`, if there are several: those of each URL.
///
/// # Errors
///
/// If one cannot be read.
pub(in crate::plan) fn uploads(
    args: &CliArgs,
) -> Result<Option<Vec<Vec<RequestPayload>>>, CliError> {
    let files = &args.upload.upload_file;
    if files.len() < 2 && !files.iter().any(|path| is_pattern(path, args)) {
        return Ok(None);
    }
    let uploads = files.iter().map(|path| {
        let paths = expanded(path, args)?;
        paths.iter().map(|path| upload(path, args)).collect()
    });
    uploads.collect::<Result<_, _>>().map(Some)
}

/// Whether it is a pattern, such as `{a,b}.txt`, and not the name of a file.
fn is_pattern(path: &Path, args: &CliArgs) -> bool {
    let has_braces = |text: &str| text.contains(['{', '[']);
    !args.input.globoff && path.to_str().is_some_and(has_braces) && !path.exists()
}

/// The files of a pattern, in its order.
fn expanded(path: &Path, args: &CliArgs) -> Result<Vec<PathBuf>, CliError> {
    if !is_pattern(path, args) {
        return Ok(vec![path.to_owned()]);
    }
    let text = path.to_string_lossy();
    let refuse = |why: String| CliError::usage(format!("--upload-file {}: {why}", Quoted(&text)));
    let glob = UrlGlob::parse(&text).map_err(refuse)?;
    match glob.count() {
        0..=MAX_UPLOADS => Ok(glob.expand().map(PathBuf::from).collect()),
        count => Err(refuse(format!(
            "{count} files: write rows with the key body_file, and --body-dir DIR"
        ))),
    }
}

fn upload(path: &Path, args: &CliArgs) -> Result<RequestPayload, CliError> {
    let is_stdin = path.as_os_str() == "-";
    if is_stdin && args.input.takes_stdin() {
        let why = "-T - and -i -: stdin can be read only once: write the list to a file";
        return Err(CliError::usage(why));
    }
    let name = path.file_name().filter(|_| !is_stdin);
    let name = name.map(|name| name.to_string_lossy().into_owned());
    let offset = args.save.continue_at.map(|at| match at {
        ContinueAt::Length => 0,
        ContinueAt::Offset(offset) => offset,
    });
    RequestPayload::file(path, name, offset).map_err(|error| {
        let path = path.display().to_string();
        match path.trim_end_matches('s').parse::<f64>() {
            Ok(seconds) => CliError::usage(format!(
                "-T {path}: write -m {seconds} for a time limit, as wget's -T: there is no file {path} to send"
            )),
            Err(_) => CliError::file(format!(
                "--upload-file {path}: cannot be read: {error}: check the name of the file"
            )),
        }
    })
}

/// The text that is appended to the query of every URL: `--url-query`, and with `-G` the data.
///
/// # Errors
///
/// If a file cannot be read.
pub(super) fn query(args: &CliArgs) -> Result<Option<String>, CliError> {
    let mut parts = Vec::new();
    for value in &args.upload.url_query {
        parts.push(match value.strip_prefix('+') {
            Some(verbatim) => verbatim.as_bytes().to_vec(),
            None => encoded(value, args)?,
        });
    }
    if args.upload.get {
        parts.push(body(args)?);
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() {
        return Ok(None);
    }
    let query = String::from_utf8(parts.join(&b'&')).ok();
    let query = query.filter(|query| {
        query
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    });
    query.map(Some).ok_or_else(|| {
        CliError::usage(
            "-G: the data has characters that a URL cannot have: write --data-urlencode instead of -d",
        )
    })
}

/// The directory of `--body-dir`.
///
/// # Errors
///
/// If it is no directory.
pub(super) fn body_dir(args: &CliArgs) -> Result<Option<BodyDirectory>, CliError> {
    let directory = args.upload.body_dir.as_deref().map(|path| {
        BodyDirectory::open(path).map_err(|error| {
            let path = path.display();
            CliError::file(format!("--body-dir {path}: cannot be read: {error}"))
        })
    });
    directory.transpose()
}
