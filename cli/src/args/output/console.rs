//! The options for what is shown during the run: progress, log, metrics.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args as Group};
use fetch_logging::DEFAULT_FILE;

use crate::args::values;
use crate::logging::LogFormatArg;

#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct ProgressArgs {
    /// Full-screen view of throughput, latency, hosts, circuit breakers, retries and errors; q quits
    ///
    /// Records go to -o FILE, or to stdout if it is not a terminal. If stderr is not a terminal,
    /// progress lines are printed instead.
    #[arg(long, conflicts_with_all = ["no_progress", "quiet", "silent"])]
    pub(crate) tui: bool,

    /// Interval of progress lines if stderr is not a terminal; 0 means no lines
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = values::seconds)]
    pub(crate) progress_interval: Duration,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Monitoring")]
pub(crate) struct MonitorArgs {
    /// Serve Prometheus metrics at /metrics, /healthz, and a status page
    ///
    /// A port alone means 127.0.0.1; port 0 means any free port. Anyone who can connect can read the
    /// names of the hosts.
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = values::listen)]
    pub(crate) metrics_listen: Option<SocketAddr>,

    /// Send metrics to a StatsD server by UDP, with the prefix fetch_all
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) statsd: Option<String>,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    /// More on the console: -v info, -vv debug (with decisions), -vvv trace
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Log to this file, which rotates at 10 MiB [default without PATH: logs/app.log]
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = DEFAULT_FILE)]
    #[arg(value_parser = values::log_file)]
    pub(crate) log_file: Option<PathBuf>,

    /// off, error, warn, info, debug or trace, or TARGET=LEVEL,… [default: RUST_LOG; info in a
    /// file, error on the console]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,

    /// Format of the log
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) log_format: LogFormatArg,
}
