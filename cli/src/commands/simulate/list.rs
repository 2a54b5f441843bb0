//! Which URLs are fetched: those of the model, well mixed, or those of a list.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{Read, Write};
use std::path::PathBuf;

use super::model::Model;
use crate::args;
use crate::display::sanitize;
use crate::exit::{CliError, ExitStatus};
use crate::input::{self, LineReader, MAX_LINE, UrlSource, check, trim};

/// So many malformed lines are told on stderr.
const MAX_TOLD: u64 = 20;

/// The URLs, one after the other; a list is read as they are taken.
pub(super) enum Urls<'a> {
    List(List),
    Made(Made<'a>),
}

impl<'a> Urls<'a> {
    /// Those of `files`, or if there are none those of the model.
    ///
    /// # Errors
    ///
    /// If a file cannot be opened, or there is nothing to fetch.
    pub(super) fn new(model: &'a Model, files: Vec<PathBuf>) -> Result<Self, CliError> {
        if !files.is_empty() {
            let input = args::InputArgs {
                dedupe: false,
                dry_run: false,
                globoff: true,
                input_format: args::InputFormat::Lines,
                url_column: None,
                urls: Vec::new(),
                input_file: files,
                url: Vec::new(),
                demo: false,
            };
            let mut sources = input::open(&input)?.sources;
            sources.reverse();
            return Ok(Self::List(List {
                lines: None,
                malformed: 0,
                ready: VecDeque::new(),
                sources,
                unread: false,
            }));
        }
        if model.hosts.iter().all(|host| host.urls == 0) {
            return Err(CliError::usage(
                "nothing to fetch: write a [[host]] with urls into the model, or -i FILE",
            ));
        }
        Ok(Self::Made(Made::new(model)))
    }

    /// What to exit with because of the list, if anything.
    pub(super) fn worst(&self) -> Option<ExitStatus> {
        match self {
            Self::List(list) if list.malformed > 0 => Some(ExitStatus::Usage),
            Self::List(list) if list.unread => Some(ExitStatus::File),
            _ => None,
        }
    }
}

impl Iterator for Urls<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        match self {
            Self::List(list) => list.next(),
            Self::Made(made) => made.next(),
        }
    }
}

/// URLs of the model's hosts, each host's spread evenly over the whole.
pub(super) struct Made<'a> {
    model: &'a Model,
    /// Where the next of each host is, which host, and its number.
    next: BinaryHeap<Reverse<(u128, usize, u64)>>,
}

impl<'a> Made<'a> {
    fn new(model: &'a Model) -> Self {
        let hosts = 0..model.hosts.len();
        let next = hosts.filter(|host| model.hosts[*host].urls > 0);
        let next = next.map(|host| Reverse((place(0, model.hosts[host].urls), host, 0)));
        Self {
            model,
            next: next.collect(),
        }
    }
}

/// Where the `number`-th of `count` is, from 0 to 2^64.
fn place(number: u64, count: u64) -> u128 {
    ((2 * u128::from(number) + 1) << 63) / u128::from(count)
}

impl Iterator for Made<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let Reverse((_, index, number)) = self.next.pop()?;
        let host = &self.model.hosts[index];
        if number + 1 < host.urls {
            let next = (place(number + 1, host.urls), index, number + 1);
            self.next.push(Reverse(next));
        }
        Some(format!("http://{}/{number}", host.name))
    }
}

/// URLs of files.
pub(super) struct List {
    lines: Option<(String, LineReader<Box<dyn Read + Send>>)>,
    malformed: u64,
    ready: VecDeque<String>,
    /// Those not begun, the last first.
    sources: Vec<UrlSource>,
    unread: bool,
}

impl List {
    fn next(&mut self) -> Option<String> {
        loop {
            if let Some(url) = self.ready.pop_front() {
                return Some(url);
            }
            let Some((name, mut lines)) = self.lines.take() else {
                let source = self.sources.pop()?;
                self.lines = Some((source.name, LineReader::new(source.reader, MAX_LINE)));
                continue;
            };
            let read = lines.read(|number, line| self.line(&name, number, trim(number, line)));
            match read {
                Ok(true) => self.lines = Some((name, lines)),
                Ok(false) => {}
                Err(error) => {
                    self.unread = true;
                    tell(&format!("{name}: cannot be read further: {error}"));
                }
            }
        }
    }

    fn line(&mut self, source: &str, number: u64, line: &[u8]) {
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        let url = check(line).map_err(str::to_owned).and_then(|text| {
            let url = url::Url::parse(text).map_err(|error| error.to_string())?;
            match url.scheme() {
                "http" | "https" => Ok(url.into()),
                other => Err(format!("{other} is not http or https")),
            }
        });
        match url {
            Ok(url) => self.ready.push_back(url),
            Err(why) => {
                self.malformed += 1;
                if self.malformed <= MAX_TOLD {
                    tell(&format!("{source}:{number}: {why}: {}", sanitize(line)));
                }
            }
        }
    }
}

fn tell(message: &str) {
    let _ = writeln!(std::io::stderr(), "fetch-all: {message}");
}
