//! Where URLs come from: arguments, files, stdin; read on a thread of their own.

mod lines;
mod reader;
mod stream;

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

pub(crate) use lines::{Lines, check, trim};
pub(crate) use reader::{Feed, Reader, Shared};
pub(crate) use stream::Requests;

use crate::args;
use crate::exit::Stop;

/// Something that lines are read from.
pub(crate) struct Source {
    /// How messages call it.
    pub(crate) name: String,
    pub(crate) reader: Box<dyn Read + Send>,
    /// Whether every line counts, comments and empty ones too, because each was an argument.
    pub(crate) arguments: bool,
}

impl Source {
    /// Lines that are in memory.
    pub(crate) fn text(name: &str, text: String) -> Self {
        let reader = Box::new(Cursor::new(text));
        Self {
            name: name.to_owned(),
            reader,
            arguments: false,
        }
    }

    fn arguments(name: &str, urls: &[String]) -> Self {
        // A line end inside an argument would make two of it.
        let lines: Vec<_> = urls.iter().map(|url| url.replace('\n', "\u{1}")).collect();
        Self {
            arguments: true,
            ..Self::text(name, lines.join("\n"))
        }
    }

    fn open(path: &Path) -> Result<Self, Stop> {
        if path.as_os_str() == "-" {
            return Ok(Self {
                name: "stdin".to_owned(),
                reader: Box::new(io::stdin()),
                arguments: false,
            });
        }
        let shown = crate::show::shown(path.as_os_str().as_encoded_bytes());
        let refuse = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => ": check the name, or write - for stdin",
                _ => "",
            };
            Stop::file(format!(
                "--input-file {shown}: cannot be read: {error}{hint}"
            ))
        };
        let file = File::open(path).map_err(refuse)?;
        if file.metadata().map_err(refuse)?.is_dir() {
            return Err(Stop::file(format!(
                "--input-file {shown}: is a directory: write the name of a file in it"
            )));
        }
        Ok(Self {
            name: shown,
            reader: Box::new(file),
            arguments: false,
        })
    }
}

/// How many URLs there will be, where that is known before they are read.
pub(crate) fn known_total(input: &args::Input) -> Option<u64> {
    let files = !input.input_file.is_empty() || input.url.iter().any(|url| url.starts_with('@'));
    (!files).then_some((input.urls.len() + input.url.len()) as u64)
}

/// Opens all sources, in order, so that what is missing is known before the first request.
pub(crate) fn open(input: &args::Input) -> Result<Vec<Source>, Stop> {
    let mut sources = Vec::new();
    if !input.urls.is_empty() {
        sources.push(Source::arguments("argument", &input.urls));
    }
    let mut paths = Vec::new();
    for url in &input.url {
        match url.strip_prefix('@') {
            Some("") => {
                return Err(Stop::usage(
                    "--url @: no file: write --url @FILE, or @- for stdin",
                ));
            }
            Some(path) => paths.push(Path::new(path)),
            None => sources.push(Source::arguments("--url", std::slice::from_ref(url))),
        }
    }
    paths.extend(input.input_file.iter().map(|path| path.as_path()));
    if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Stop::usage("-i - twice: stdin can be read only once"));
    }
    for path in paths {
        sources.push(Source::open(path)?);
    }
    if sources.is_empty() {
        return Err(Stop::usage(
            "nothing to fetch: write URLs, -i FILE, or -i - for stdin; \
             --demo shows how it works, --help every option",
        ));
    }
    Ok(sources)
}
