//! The command's log: to the console, a rotating file, or both.

mod file;
mod line;
mod sinks;

use std::env;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::{Context, Result};
use env_logger::{Logger, Target, WriteStyle};
use fetch_driver::HOST_LOG_TARGET;
use log::LevelFilter;

use file::RotatingFile;
use sinks::LogSinks;

/// The log file of `--log-file` without a path, relative to the working directory.
pub(crate) const DEFAULT_FILE: &str = "logs/app.log";

/// The environment variable with the filter, used if no option sets it.
pub(crate) const LEVEL_VARIABLE: &str = "RUST_LOG";

/// The filter if neither an option nor the environment sets it.
pub(crate) const DEFAULT_LEVEL: &str = "info";

/// Filter, format and destinations of the log.
#[derive(Clone, Debug)]
pub(crate) struct LogConfig {
    /// The filter in the syntax of `RUST_LOG`: a level, or levels by target such as
    /// `warn,fetch_all=debug`.
    pub(crate) level: String,
    /// The log file; missing directories are created. `None` logs to no file.
    pub(crate) file: Option<PathBuf>,
    /// Whether lines go to the console.
    pub(crate) console: bool,
    /// The format of lines, on the console and in the file.
    pub(crate) format: LogFormat,
    /// The size in bytes at which the file is rotated; 0 never rotates. A line is never split.
    pub(crate) max_file_bytes: u64,
    /// The most lines about hosts ([`HOST_LOG_TARGET`]); the last one says that there are more.
    pub(crate) max_host_lines: u64,
    /// The number of rotated files, `app.log.1` (newest) and up; 0 truncates the file instead.
    pub(crate) rotated_files: u8,
}

/// The format of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people: time, level, target, message and key-values.
    #[default]
    Text,
    /// One JSON object on each line, with the fields `time`, `level`, `target`, `message` and
    /// `fields`.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: DEFAULT_LEVEL.to_owned(),
            file: None,
            console: true,
            format: LogFormat::Text,
            max_file_bytes: 10 * 1024 * 1024,
            max_host_lines: u64::MAX,
            rotated_files: 5,
        }
    }
}

/// The filter that the option sets, or else the variable [`LEVEL_VARIABLE`], or else
/// [`DEFAULT_LEVEL`].
pub(crate) fn level_or_env(option: Option<String>) -> String {
    pick_level(option, env::var(LEVEL_VARIABLE).ok())
}

fn pick_level(option: Option<String>, variable: Option<String>) -> String {
    let mut levels = [option, variable].into_iter().flatten();
    levels
        .find(|level| !level.trim().is_empty())
        .unwrap_or_else(|| DEFAULT_LEVEL.to_owned())
}

impl LogConfig {
    /// Installs the logger of the process. `console` receives each line in one `write_all`; it must
    /// neither log nor panic.
    ///
    /// # Errors
    ///
    /// If the filter is invalid, the file cannot be opened, or a logger is installed already.
    pub(crate) fn install_with(&self, console: Box<dyn Write + Send>) -> Result<()> {
        let logger = self.build(console)?;
        let max_level = logger.filter();
        log::set_boxed_logger(Box::new(logger)).context("cannot start the log")?;
        log::set_max_level(max_level);
        Ok(())
    }

    fn build(&self, console: Box<dyn Write + Send>) -> Result<Logger> {
        check_filter(&self.level)?;
        let open =
            |path: &PathBuf| RotatingFile::open(path, self.max_file_bytes, self.rotated_files);
        let file = self.file.as_ref().map(open).transpose()?;
        let mut builder = env_logger::Builder::new();
        if self.console || file.is_some() {
            builder.parse_filters(&self.level);
        } else {
            builder.filter_level(LevelFilter::Off);
        }
        let to_line = match self.format {
            LogFormat::Text => line::text,
            LogFormat::Json => line::json,
        };
        let (host_lines, max_host_lines) = (AtomicU64::new(0), self.max_host_lines);
        builder.format(move |out, record| {
            let is_host = record.target() == HOST_LOG_TARGET;
            let before = host_lines.fetch_add(u64::from(is_host), Relaxed);
            if is_host && before > max_host_lines {
                return Ok(());
            }
            let time = out.timestamp_micros().to_string();
            if is_host && before == max_host_lines {
                let more = format_args!("further lines about hosts are not shown without -v");
                let record = record.to_builder().args(more).build();
                return out.write_all(to_line(&time, &record).as_bytes());
            }
            out.write_all(to_line(&time, record).as_bytes())
        });
        let sinks = LogSinks::new(console, self.console, file);
        Ok(builder
            .target(Target::Pipe(Box::new(sinks)))
            .write_style(WriteStyle::Never)
            .build())
    }
}

/// A log filter that cannot be parsed.
#[derive(Debug)]
pub(crate) struct FilterError(String);

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad log filter {}", self.0)
    }
}

impl std::error::Error for FilterError {}

/// Rejects directives that `env_logger` would ignore, and mistyped levels, which it would take for
/// targets.
fn check_filter(filter: &str) -> Result<(), FilterError> {
    let (directives, pattern) = filter.split_once('/').unwrap_or((filter, ""));
    if pattern.contains('/') {
        return Err(FilterError(format!(
            "`{}`: at most one `/` is allowed",
            filter.escape_debug()
        )));
    }
    for directive in directives
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        let level = directive
            .rsplit_once('=')
            .map_or(directive, |(_, level)| level.trim());
        if level.parse::<LevelFilter>().is_err() {
            return Err(FilterError(format!(
                "`{}`: `{}` is not a level; \
                 write off, error, warn, info, debug or trace, or TARGET=LEVEL, separated by commas",
                filter.escape_debug(),
                level.escape_debug(),
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
