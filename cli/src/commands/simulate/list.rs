//! The URLs of a simulation: those of the model, interleaved, or those of a list.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::Read;
use std::path::PathBuf;

use super::model::SiteModel;
use crate::args;
use crate::display::sanitize;
use crate::exit::{CliError, ExitStatus};
use crate::input::{self, LineReader, MAX_LINE, UrlSource, check, trim};
use crate::output::target::print_message;

/// The most malformed lines that are reported on stderr.
const MAX_REPORTED: u64 = 20;

/// Yields the URLs. A list is read lazily.
pub(super) enum SimulatedUrls<'a> {
    List(ListUrls),
    Model(ModelUrls<'a>),
}

impl<'a> SimulatedUrls<'a> {
    /// The URLs of `files`, or of the model if there are none.
    ///
    /// # Errors
    ///
    /// If a file cannot be opened, or there is nothing to fetch.
    pub(super) fn new(model: &'a SiteModel, files: Vec<PathBuf>) -> Result<Self, CliError> {
        if !files.is_empty() {
            let input = args::InputArgs {
                dedupe: false,
                dry_run: false,
                globoff: true,
                proto: None,
                proto_default: None,
                proto_redir: None,
                input_format: args::InputFormat::Lines,
                url_column: None,
                columns: None,
                urls: Vec::new(),
                input_file: files,
                url: Vec::new(),
                demo: false,
            };
            let mut sources = input::open(&input)?.sources;
            sources.reverse();
            return Ok(Self::List(ListUrls {
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
        Ok(Self::Model(ModelUrls::new(model)))
    }

    /// The exit code that errors of the list cause.
    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        match self {
            Self::List(list) if list.malformed > 0 => Some(ExitStatus::Usage),
            Self::List(list) if list.unread => Some(ExitStatus::File),
            _ => None,
        }
    }
}

impl Iterator for SimulatedUrls<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        match self {
            Self::List(list) => list.next(),
            Self::Model(made) => made.next(),
        }
    }
}

/// The URLs of the model's hosts. Those of each host are spread evenly over the run.
pub(super) struct ModelUrls<'a> {
    model: &'a SiteModel,
    /// The position of the next URL of each host, the host, and the number of the URL.
    next: BinaryHeap<Reverse<(u128, usize, u64)>>,
}

impl<'a> ModelUrls<'a> {
    fn new(model: &'a SiteModel) -> Self {
        let hosts = 0..model.hosts.len();
        let next = hosts.filter(|host| model.hosts[*host].urls > 0);
        let next = next.map(|host| Reverse((position(0, model.hosts[host].urls), host, 0)));
        Self {
            model,
            next: next.collect(),
        }
    }
}

/// The position of the `number`-th of `count` URLs, from 0 to 2^64.
fn position(number: u64, count: u64) -> u128 {
    ((2 * u128::from(number) + 1) << 63) / u128::from(count)
}

impl Iterator for ModelUrls<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let Reverse((_, index, number)) = self.next.pop()?;
        let host = &self.model.hosts[index];
        if number + 1 < host.urls {
            let next = (position(number + 1, host.urls), index, number + 1);
            self.next.push(Reverse(next));
        }
        Some(format!("http://{}/{number}", host.name))
    }
}

/// The URLs of files.
pub(super) struct ListUrls {
    lines: Option<(String, LineReader<Box<dyn Read + Send>>)>,
    malformed: u64,
    ready: VecDeque<String>,
    /// The sources that have not been read yet, in reverse order.
    sources: Vec<UrlSource>,
    unread: bool,
}

impl ListUrls {
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
                    report(&format!("{name}: cannot be read further: {error}"));
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
                if self.malformed <= MAX_REPORTED {
                    report(&format!("{source}:{number}: {why}: {}", sanitize(line)));
                }
            }
        }
    }
}

fn report(message: &str) {
    print_message(message);
}
