//! Starts a log.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use env_logger::{Logger, Target, WriteStyle};
use log::LevelFilter;

use crate::error::LogError;
use crate::file::RotatingFile;
use crate::sinks::LogSinks;
use crate::{HOST_TARGET, LogConfig, LogFormat, line};

/// A log that has not started.
///
/// ```
/// use fetch_logging::{LogConfig, LoggingPolicy};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("app.log");
/// let config = LogConfig {
///     level: "debug".to_owned(),
///     file_path: Some(path),
///     ..LogConfig::default()
/// };
/// LoggingPolicy::new(config).init()?;
/// log::debug!("written");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LoggingPolicy {
    config: LogConfig,
    console: Box<dyn Write + Send>,
}

impl LoggingPolicy {
    /// A log with this configuration, whose console is stderr.
    ///
    /// ```
    /// use fetch_logging::{LogConfig, LoggingPolicy};
    /// let policy = LoggingPolicy::new(LogConfig::default());
    /// ```
    #[must_use]
    pub fn new(config: LogConfig) -> Self {
        Self {
            config,
            console: Box::new(io::stderr()),
        }
    }

    /// Sets what stands for the console, for example a progress display. It receives each line in one
    /// `write_all`, and must neither log nor panic.
    ///
    /// ```
    /// use fetch_logging::{LogConfig, LoggingPolicy};
    /// let policy = LoggingPolicy::new(LogConfig::default()).console(std::io::stdout());
    /// ```
    #[must_use]
    pub fn console(self, console: impl Write + Send + 'static) -> Self {
        Self {
            console: Box::new(console),
            ..self
        }
    }

    /// Starts the log of the process.
    ///
    /// ```
    /// use fetch_logging::{LogConfig, LoggingPolicy};
    ///
    /// let config = LogConfig {
    ///     level: "loud".to_owned(),
    ///     ..LogConfig::default()
    /// };
    /// let error = LoggingPolicy::new(config).init().unwrap_err();
    /// assert!(error.to_string().starts_with("bad log filter `loud`"));
    /// ```
    ///
    /// # Errors
    ///
    /// If the filter is not valid, if the file cannot be opened, or if there is a logger already.
    pub fn init(self) -> Result<(), LogError> {
        let logger = self.build()?;
        let max_level = logger.filter();
        log::set_boxed_logger(Box::new(logger)).map_err(|_| LogError::AlreadyInstalled)?;
        log::set_max_level(max_level);
        Ok(())
    }

    pub(crate) fn build(self) -> Result<Logger, LogError> {
        let Self { config, console } = self;
        check_filter(&config.level)?;
        let open =
            |path: &PathBuf| RotatingFile::open(path, config.max_file_bytes, config.rotated_files);
        let file = config.file_path.as_ref().map(open).transpose();
        let file = file.map_err(LogError::File)?;
        let mut builder = env_logger::Builder::new();
        if config.console_output || file.is_some() {
            builder.parse_filters(&config.level);
        } else {
            builder.filter_level(LevelFilter::Off);
        }
        let to_line = match config.format {
            LogFormat::Text => line::text,
            LogFormat::Json => line::json,
        };
        let (host_lines, max_host_lines) = (AtomicU64::new(0), config.max_host_lines);
        builder.format(move |out, record| {
            let is_host = record.target() == HOST_TARGET;
            let before = host_lines.fetch_add(u64::from(is_host), Relaxed);
            if is_host && before > max_host_lines {
                return Ok(());
            }
            let time = out.timestamp_micros().to_string();
            if is_host && before == max_host_lines {
                let more =
                    format_args!("further lines about hosts are not shown at this log level");
                let record = record.to_builder().args(more).build();
                return out.write_all(to_line(&time, &record).as_bytes());
            }
            out.write_all(to_line(&time, record).as_bytes())
        });
        let sinks = LogSinks::new(console, config.console_output, file);
        Ok(builder
            .target(Target::Pipe(Box::new(sinks)))
            .write_style(WriteStyle::Never)
            .build())
    }
}

impl fmt::Debug for LoggingPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggingPolicy")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Rejects directives that `env_logger` would ignore, and mistyped levels, which it would take for
/// targets.
fn check_filter(filter: &str) -> Result<(), LogError> {
    let (directives, pattern) = filter.split_once('/').unwrap_or((filter, ""));
    if pattern.contains('/') {
        return Err(LogError::Filter(format!(
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
            return Err(LogError::Filter(format!(
                "`{}`: `{}` is not a level; \
                 write off, error, warn, info, debug or trace, or TARGET=LEVEL, separated by commas",
                filter.escape_debug(),
                level.escape_debug(),
            )));
        }
    }
    Ok(())
}
