//! The console and monitors of a run: progress, log, warnings, metrics.

use std::env;

use fetch_logging::{LogConfig, LogError};

use crate::args::CliArgs;
use crate::exit::CliError;
use crate::logging;
use crate::ui::monitor::MonitorSockets;
use crate::ui::progress::ProgressView;

/// The configuration of progress, log, warnings and monitors.
pub(crate) struct ConsolePlan {
    pub(crate) log: LogConfig,
    /// Bound already, so that a port in use stops the command before the first request.
    pub(crate) monitor: MonitorSockets,
    pub(crate) silent: bool,
    pub(crate) view: ProgressView,
    /// Printed when the run starts.
    pub(crate) warnings: Vec<String>,
}

impl ConsolePlan {
    pub(super) fn new(
        args: &CliArgs,
        view: ProgressView,
        warnings: Vec<String>,
    ) -> Result<Self, CliError> {
        Ok(Self {
            log: log_config(args),
            monitor: MonitorSockets::new(&args.monitor)?,
            silent: args.output.silent,
            view,
            warnings,
        })
    }
}

/// How many lines about hosts the console shows by default.
const MAX_HOST_LINES: u64 = 20;

/// How progress is shown.
pub(super) fn view(args: &CliArgs) -> ProgressView {
    match args.output.quiet || args.output.silent || args.output.no_progress {
        true => ProgressView::None,
        false => ProgressView::for_stderr(args.progress.tui, args.progress.progress_interval),
    }
}

/// The filter of the console by default. The verifier's errors are those of the fetches, too.
const CONSOLE_LEVEL: &str =
    "error,fetch_all::hosts=info,fetch_http::tls=warn,rustls_platform_verifier=off";

/// By default the console shows errors, and which hosts are down, back or paced: records and summary
/// have the other failures.
fn log_config(args: &CliArgs) -> LogConfig {
    let (log, output) = (&args.log, &args.output);
    let by_count = match log.verbose {
        0 => None,
        1 => Some("info"),
        2 => Some("debug"),
        _ => Some("trace"),
    };
    let option = log
        .log_level
        .clone()
        .or_else(|| by_count.map(str::to_owned));
    let from_user = option.is_some()
        || env::var(logging::LEVEL_VARIABLE).is_ok_and(|level| !level.trim().is_empty());
    let is_default = !from_user && log.log_file.is_none();
    let level = match is_default {
        true => CONSOLE_LEVEL.to_owned(),
        false => logging::level_or_env(option),
    };
    LogConfig {
        level,
        max_host_lines: if is_default { MAX_HOST_LINES } else { u64::MAX },
        console_output: !output.silent
            && !output.quiet
            && (log.log_file.is_none() || log.verbose > 0),
        file_path: log.log_file.clone(),
        format: log.log_format.into(),
        ..LogConfig::default()
    }
}

/// The command's error for a log that cannot be installed: the filter is wrong, or the file.
pub(crate) fn log_error(error: &LogError) -> CliError {
    match error {
        LogError::Filter(_) => CliError::usage(format!("--log-level: {error}")),
        _ => CliError::file(format!("--log-file: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use fetch_logging::LoggingPolicy;

    use super::*;

    fn args(options: &[&str]) -> CliArgs {
        CliArgs::try_parse_from(["fetch-all"].iter().chain(options)).unwrap()
    }

    #[test]
    fn quiet_and_silent_runs_show_no_progress_and_no_log() {
        for option in ["-q", "-s"] {
            let args = args(&[option]);
            assert_eq!(view(&args), ProgressView::None, "{option}");
            assert!(!log_config(&args).console_output, "{option}");
        }
        assert_eq!(view(&args(&["--no-progress"])), ProgressView::None);
        assert!(log_config(&args(&["--no-progress"])).console_output);
    }

    #[test]
    fn a_log_file_replaces_the_console_unless_verbose_is_given() {
        assert!(!log_config(&args(&["--log-file=x.log"])).console_output);
        let both = log_config(&args(&["--log-file=x.log", "-vv"]));
        assert!(both.console_output && both.level == "debug");
    }

    #[test]
    fn a_wrong_filter_is_a_usage_error_and_a_wrong_file_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let install = |config: LogConfig| {
            let error = LoggingPolicy::new(config)
                .console(std::io::sink())
                .init()
                .unwrap_err();
            log_error(&error).code
        };
        let filter = LogConfig {
            level: "nonsense".to_owned(),
            ..LogConfig::default()
        };
        assert_eq!(install(filter), crate::exit::ExitStatus::Usage);
        let file = LogConfig {
            file_path: Some(directory.path().to_owned()),
            ..LogConfig::default()
        };
        assert_eq!(install(file), crate::exit::ExitStatus::File);
    }
}
