//! A program's log: to the console, a rotating file, or both.
//!
//! ```
//! use fetch_logging::{LogConfig, LogFormat, LoggingPolicy};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("run.log");
//! let config = LogConfig {
//!     level: "warn,fetch_all=debug".to_owned(),
//!     file_path: Some(path),
//!     console_output: false,
//!     format: LogFormat::Json,
//!     ..LogConfig::default()
//! };
//! LoggingPolicy::new(config).init()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod file;
mod line;
mod policy;
mod sinks;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use error::LogError;
pub use policy::LoggingPolicy;

/// The default of [`LogConfig::file_path`], relative to the working directory.
pub const DEFAULT_FILE: &str = "logs/app.log";

/// The default of [`LogConfig::level`].
pub const DEFAULT_LEVEL: &str = "info";

/// The target of lines that [`LogConfig::max_host_lines`] bounds: those of fetch-all about hosts that are
/// down, back or paced.
const HOST_TARGET: &str = "fetch_all::hosts";

/// Filter, format and destinations of a log.
///
/// ```
/// let config = fetch_logging::LogConfig::default();
/// assert_eq!(config.file_path, Some("logs/app.log".into()));
/// assert!(config.console_output);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogConfig {
    /// Whether lines go to the console. Default yes.
    pub console_output: bool,
    /// The log file. Missing directories are created. `None` logs to no file. Default [`DEFAULT_FILE`].
    /// Only one process may log to it.
    pub file_path: Option<PathBuf>,
    /// The format of lines, on the console and in the file. Default [`LogFormat::Text`].
    pub format: LogFormat,
    /// The filter in the syntax of `RUST_LOG`: a level, or levels by target such as
    /// `warn,fetch_all=debug`. Default [`DEFAULT_LEVEL`].
    pub level: String,
    /// The size in bytes at which the file is rotated; 0 never rotates. A line is never split. Default
    /// 10 MiB.
    pub max_file_bytes: u64,
    /// The most lines about hosts (target `fetch_all::hosts`); a last one says that there are more. Default
    /// unlimited.
    pub max_host_lines: u64,
    /// The number of rotated files, `app.log.1` (newest) and up; 0 truncates the file instead. Default 5.
    pub rotated_files: u8,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            console_output: true,
            file_path: Some(DEFAULT_FILE.into()),
            format: LogFormat::Text,
            level: DEFAULT_LEVEL.to_owned(),
            max_file_bytes: 10 * 1024 * 1024,
            max_host_lines: u64::MAX,
            rotated_files: 5,
        }
    }
}

/// The format of a line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    /// For people: time, level, target, message and key-values.
    #[default]
    Text,
    /// One JSON object on each line, with the fields `time`, `level`, `target`, `message` and
    /// `fields`.
    Json,
}

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
