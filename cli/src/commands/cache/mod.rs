//! `fetch-all cache`.

mod list;
mod purge;
mod row;
mod show;
mod stats;
mod verify;

use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fetch_driver::cache::WallTime;
use fetch_driver::{CacheDirectory, CacheEntry, CacheFile, CacheFileError};
use fetch_proto::{Method, Policy, PolicyRules, RulePattern};
use url::Url;

use crate::args::command::CacheCommand;
use crate::exit::CliError;

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// If there is no cache, its files cannot be used, or options are wrong.
pub(crate) fn run(command: &CacheCommand) -> Result<u8, CliError> {
    match command {
        CacheCommand::List(args) => list::run(args),
        CacheCommand::Purge(args) => purge::run(args),
        CacheCommand::Show(args) => show::run(args),
        CacheCommand::Stats(args) => stats::run(args),
        CacheCommand::Verify(args) => verify::run(args),
    }
}

fn open(directory: &Path) -> Result<CacheDirectory, CliError> {
    CacheDirectory::open(directory).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => ": pass the directory that was given to --cache",
            _ => "",
        };
        CliError::file(format!("{}: {error}{hint}", directory.display()))
    })
}

/// The error of a file or directory.
fn file_error(path: &Path, error: &io::Error) -> CliError {
    CliError::file(format!("{}: {error}", path.display()))
}

/// The wall clock's time.
fn now() -> WallTime {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    WallTime::from_unix(since_1970.unwrap_or_default())
}

/// Reads the heads of all responses. What is damaged is given with the reason.
fn each_head(
    directory: &Path,
    cache: &CacheDirectory,
    mut visit: impl FnMut(&CacheFile, Result<CacheEntry, &'static str>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    for file in cache.files() {
        let file = file.map_err(|error| file_error(directory, &error))?;
        match cache.read_head(&file) {
            Ok(entry) => visit(&file, Ok(entry))?,
            Err(error) if error.is_gone() => {}
            Err(CacheFileError::Io(error)) => return Err(file_error(&file.path, &error)),
            Err(CacheFileError::Damaged(why)) => visit(&file, Err(why))?,
            Err(error) => return Err(CliError::internal(error)),
        }
    }
    Ok(())
}

/// The URLs that are meant by patterns: all, if there is none.
struct UrlFilter(Option<PolicyRules>);

impl UrlFilter {
    fn new(patterns: &[RulePattern]) -> Result<Self, CliError> {
        if patterns.is_empty() {
            return Ok(Self(None));
        }
        let mut rules = PolicyRules::builder();
        for pattern in patterns {
            rules = rules.rule(pattern.clone(), Policy::default());
        }
        let rules = rules.build();
        rules
            .map(|rules| Self(Some(rules)))
            .map_err(|error| CliError::usage(error.to_string()))
    }

    fn has(&self, url: &str) -> bool {
        let Some(rules) = &self.0 else {
            return true;
        };
        let matches = |url: Url| rules.matching_rule(&Method::Get, &url).is_some();
        Url::parse(url).is_ok_and(matches)
    }
}
