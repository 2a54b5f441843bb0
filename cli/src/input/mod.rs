//! Where URLs come from: arguments, files, stdin; read on a thread of their own.

pub(crate) mod backlog;
mod columnar;
mod feed;
mod glob;
mod lines;
pub(crate) mod logins;
mod reader;
mod row;
mod seen;
mod stream;
mod table;
mod unpack;

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

pub(crate) use feed::RequestTemplate;
pub(crate) use lines::{LineReader, MAX_LINE, check, trim};
pub(crate) use reader::{ListReader, SharedProgress};
pub(crate) use stream::RequestStream;

use crate::args::{self, InputFormat, UrlColumn};
use crate::display::shown;
use crate::exit::CliError;
use glob::{GlobReader, UrlGlob};

/// Something that lines are read from.
pub(crate) struct UrlSource {
    /// How messages call it.
    pub(crate) name: String,
    pub(crate) reader: Box<dyn Read + Send>,
    /// Whether every line counts, comments and empty ones too, because each was an argument.
    pub(crate) arguments: bool,
    pub(crate) shape: ListFormat,
    pub(crate) url_column: Option<UrlColumn>,
    /// What is not read from its beginning to its end, but here and there.
    pub(crate) file: Option<File>,
}

/// What a list consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ListFormat {
    Csv { delimiter: u8 },
    Jsonl,
    Lines,
    Parquet,
}

impl ListFormat {
    /// What an option says, or else a file's name, that of what it is packed in left out.
    fn of(format: InputFormat, path: &Path) -> Self {
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
            InputFormat::Auto if ends(&[".csv"]) => Self::of(InputFormat::Csv, path),
            InputFormat::Auto if ends(&[".tsv", ".tab"]) => Self::of(InputFormat::Tsv, path),
            InputFormat::Auto if ends(&[".jsonl", ".ndjson"]) => Self::Jsonl,
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
    /// Lines that are in memory.
    pub(crate) fn text(name: &str, text: String) -> Self {
        let reader = Box::new(Cursor::new(text));
        Self {
            name: name.to_owned(),
            reader,
            arguments: false,
            shape: ListFormat::Lines,
            url_column: None,
            file: None,
        }
    }

    fn arguments(name: &str, globs: Vec<UrlGlob>) -> Self {
        Self {
            arguments: true,
            reader: Box::new(GlobReader::new(globs)),
            ..Self::text(name, String::new())
        }
    }

    fn open(path: &Path, input: &args::InputOptions) -> Result<Self, CliError> {
        let (shape, url_column) = (
            ListFormat::of(input.input_format, path),
            input.url_column.clone(),
        );
        if path.as_os_str() == "-" {
            if shape == ListFormat::Parquet {
                let why =
                    "-i -: Parquet is read here and there, which stdin cannot be: write -i FILE";
                return Err(CliError::usage(why));
            }
            return Ok(Self {
                name: "stdin".to_owned(),
                reader: Box::new(io::stdin()),
                arguments: false,
                shape,
                url_column,
                file: None,
            });
        }
        let shown = shown(path.as_os_str().as_encoded_bytes());
        let refuse = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => ": check the name, or write - for stdin",
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
        let (reader, file): (Box<dyn Read + Send>, _) = match shape {
            ListFormat::Parquet => (Box::new(io::empty()), Some(file)),
            _ => (Box::new(file), None),
        };
        Ok(Self {
            name: shown,
            reader,
            arguments: false,
            shape,
            url_column,
            file,
        })
    }
}

/// How many URLs there will be, where that is known before they are read.
pub(crate) fn known_total(input: &args::InputOptions) -> Option<u64> {
    let files = !input.input_file.is_empty() || input.url.iter().any(|url| url.starts_with('@'));
    let urls = input.urls.iter().chain(&input.url);
    let counts = urls.map(|url| glob(url, input).map_or(1, |glob| glob.count()));
    (!files).then(|| counts.fold(0, u64::saturating_add))
}

/// An argument, with what it stands for.
fn glob(url: &str, input: &args::InputOptions) -> Result<UrlGlob, CliError> {
    if input.globoff {
        return Ok(UrlGlob::plain(url));
    }
    UrlGlob::parse(url).map_err(|why| CliError::usage(format!("{}: {why}", shown(url.as_bytes()))))
}

/// Opens all sources, in order, so that what is missing is known before the first request.
pub(crate) fn open(input: &args::InputOptions) -> Result<Vec<UrlSource>, CliError> {
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
    if sources.is_empty() {
        return Err(CliError::usage(
            "nothing to fetch: write URLs, -i FILE, or -i - for stdin; \
             --demo shows how it works, --help every option",
        ));
    }
    Ok(sources)
}
