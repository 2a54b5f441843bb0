//! Reads URLs from arguments, files and stdin, on a separate thread.

pub(crate) mod backlog;
mod duplicates;
mod glob;
mod lines;
#[cfg(feature = "scale")]
mod list_lines;
pub(crate) mod parsing;
mod progress;
mod reader;
mod rows;
mod stream;
mod template;
mod unpack;

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

pub(crate) use lines::{LineReader, MAX_LINE, check, trim};
#[cfg(feature = "scale")]
pub(crate) use list_lines::for_each_line;
pub(crate) use progress::SharedProgress;
pub(crate) use reader::ListReader;
pub(crate) use rows::BodyDirectory;
pub(crate) use stream::RequestStream;
pub(crate) use template::RequestTemplate;

use crate::args::{self, InputFormat, UrlColumn};
use crate::display::sanitize;
use crate::exit::CliError;
use crate::upload::RequestPayload;
use glob::GlobReader;
pub(crate) use glob::UrlGlob;
use rows::ColumnChoice;

/// The sources of a run, in order.
pub(crate) struct UrlList {
    pub(crate) sources: Vec<UrlSource>,
    /// The number of URLs, if it is known before they are read.
    pub(crate) total: Option<u64>,
}

/// A source of lines or rows.
pub(crate) struct UrlSource {
    /// The name in messages.
    pub(crate) name: String,
    pub(crate) reader: Box<dyn Read + Send>,
    /// Whether lines are command-line arguments: then comments and empty ones are not ignored.
    pub(crate) is_arguments: bool,
    pub(crate) format: ListFormat,
    pub(crate) url_column: Option<UrlColumn>,
    /// The columns that are carried into records.
    pub(crate) columns: ColumnChoice,
    /// The file, if it needs random access.
    pub(crate) file: Option<File>,
    /// The body of its requests, if it is not that of all.
    pub(crate) payload: Option<RequestPayload>,
}

/// The format of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ListFormat {
    Csv { delimiter: u8 },
    Jsonl,
    Lines,
    Parquet,
}

impl ListFormat {
    /// The format that the option sets. `Auto` uses the extension of the file, without the suffix
    /// of its compression.
    fn detect(format: InputFormat, path: &Path) -> Self {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_ascii_lowercase();
        let name = [".gz", ".zst"]
            .iter()
            .find_map(|packed| name.strip_suffix(packed))
            .unwrap_or(&name);
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        match format {
            InputFormat::Auto if ends(&[".csv"]) => Self::detect(InputFormat::Csv, path),
            InputFormat::Auto if ends(&[".tsv", ".tab"]) => Self::detect(InputFormat::Tsv, path),
            // An object per line is often named so, too.
            InputFormat::Auto if ends(&[".jsonl", ".ndjson", ".json"]) => Self::Jsonl,
            InputFormat::Auto if ends(&[".parquet", ".pq"]) => Self::Parquet,
            InputFormat::Auto | InputFormat::Lines => Self::Lines,
            InputFormat::Parquet => Self::Parquet,
            InputFormat::Csv => Self::Csv { delimiter: b',' },
            InputFormat::Jsonl => Self::Jsonl,
            InputFormat::Tsv => Self::Csv { delimiter: b'\t' },
        }
    }
}

impl UrlSource {
    /// Lines in memory.
    pub(crate) fn text(name: &str, text: String) -> Self {
        let reader = Box::new(Cursor::new(text));
        Self {
            name: name.to_owned(),
            reader,
            is_arguments: false,
            format: ListFormat::Lines,
            url_column: None,
            columns: ColumnChoice::default(),
            file: None,
            payload: None,
        }
    }

    fn arguments(name: &str, globs: Vec<UrlGlob>) -> Self {
        Self {
            is_arguments: true,
            reader: Box::new(GlobReader::new(globs)),
            ..Self::text(name, String::new())
        }
    }

    fn open(path: &Path, input: &args::InputArgs) -> Result<Self, CliError> {
        let format = ListFormat::detect(input.input_format, path);
        let url_column = input.url_column.clone();
        let columns = ColumnChoice::new(input.columns.as_deref());
        if path.as_os_str() == "-" {
            if format == ListFormat::Parquet {
                let why =
                    "-i -: Parquet needs random access, which stdin does not have: write -i FILE";
                return Err(CliError::usage(why));
            }
            return Ok(Self {
                name: "stdin".to_owned(),
                reader: Box::new(io::stdin()),
                is_arguments: false,
                format,
                url_column,
                columns,
                file: None,
                payload: None,
            });
        }
        let shown = sanitize(path.as_os_str().as_encoded_bytes());
        let refuse = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => {
                    ": check the name, or write - for stdin; curl's -i is --record-headers"
                }
                _ => "",
            };
            CliError::file(format!(
                "--input-file {shown}: cannot be read: {error}{hint}"
            ))
        };
        let file = File::open(path).map_err(refuse)?;
        if file.metadata().map_err(refuse)?.is_dir() {
            return Err(CliError::file(format!(
                "--input-file {shown}: is a directory: write the name of a file in it"
            )));
        }
        let (reader, file): (Box<dyn Read + Send>, _) = match format {
            ListFormat::Parquet => (Box::new(io::empty()), Some(file)),
            _ => (Box::new(file), None),
        };
        Ok(Self {
            name: shown,
            reader,
            is_arguments: false,
            format,
            url_column,
            columns,
            file,
            payload: None,
        })
    }
}

/// Whether the lines of a list are JSON.
#[cfg(feature = "scale")]
pub(crate) fn is_jsonl(format: InputFormat, path: &Path) -> bool {
    ListFormat::detect(format, path) == ListFormat::Jsonl
}

/// The number of URLs if all of them are arguments.
fn argument_count(input: &args::InputArgs) -> Option<u64> {
    let files = !input.input_file.is_empty() || input.url.iter().any(|url| url.starts_with('@'));
    let urls = input.urls.iter().chain(&input.url);
    let counts = urls.map(|url| glob(url, input).map_or(1, |glob| glob.count()));
    (!files).then(|| counts.fold(0, u64::saturating_add))
}

/// Parses the globs of an argument.
fn glob(url: &str, input: &args::InputArgs) -> Result<UrlGlob, CliError> {
    if input.globoff {
        return Ok(UrlGlob::plain(url));
    }
    UrlGlob::parse(url)
        .map_err(|why| CliError::usage(format!("{}: {why}", sanitize(url.as_bytes()))))
}

/// Opens all sources in order, so that a missing file is reported before the first request.
pub(crate) fn open(input: &args::InputArgs) -> Result<UrlList, CliError> {
    let mut sources = Vec::new();
    if !input.urls.is_empty() {
        let globs = input.urls.iter().map(|url| glob(url, input));
        let globs = globs.collect::<Result<_, _>>()?;
        sources.push(UrlSource::arguments("argument", globs));
    }
    let mut paths = Vec::new();
    for url in &input.url {
        match url.strip_prefix('@') {
            Some("") => {
                return Err(CliError::usage(
                    "--url @: no file: write --url @FILE, or @- for stdin",
                ));
            }
            Some(path) => paths.push(Path::new(path)),
            None => sources.push(UrlSource::arguments("--url", vec![glob(url, input)?])),
        }
    }
    paths.extend(input.input_file.iter().map(|path| path.as_path()));
    if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(CliError::usage("-i - twice: stdin can be read only once"));
    }
    for path in paths {
        sources.push(UrlSource::open(path, input)?);
    }
    Ok(UrlList {
        sources,
        total: argument_count(input),
    })
}

/// Gives each URL of the command line the bodies at its place: each is sent to it.
///
/// # Errors
///
/// If there are not as many URLs, or other sources.
pub(crate) fn pair_payloads(
    list: &mut UrlList,
    input: &args::InputArgs,
    payloads: Vec<Vec<RequestPayload>>,
) -> Result<(), CliError> {
    let urls = match (input.urls.is_empty(), input.url.is_empty()) {
        (false, true) => &input.urls,
        (true, false) => &input.url,
        _ => &Vec::new(),
    };
    let is_list = !input.input_file.is_empty() || urls.iter().any(|url| url.starts_with('@'));
    if is_list || urls.len() != payloads.len() {
        return Err(CliError::usage(format!(
            "-T {} times: write as many URLs, each of which gets one file; for a list of uploads write rows \
             with the key body_file, and --body-dir DIR",
            payloads.len()
        )));
    }
    list.sources.clear();
    let mut total = 0_u64;
    for (url, payloads) in urls.iter().zip(payloads) {
        let glob = glob(url, input)?;
        for payload in payloads {
            total = total.saturating_add(glob.count());
            list.sources.push(UrlSource {
                payload: Some(payload),
                ..UrlSource::arguments("argument", vec![glob.clone()])
            });
        }
    }
    list.total = Some(total);
    Ok(())
}
