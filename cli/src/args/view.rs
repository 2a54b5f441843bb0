//! The options of what is shown while it goes on.

use std::time::Duration;

use clap::Args as Group;

use super::values;

#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct ProgressOptions {
    /// Show the run on the whole terminal: speed, times, hosts, breakers, retries, errors; q ends it
    ///
    /// Records go to -o FILE, or to stdout if that is no terminal. Where stderr is no terminal, lines
    /// tell the progress instead.
    #[arg(long, conflicts_with_all = ["no_progress", "quiet", "silent"])]
    pub(crate) tui: bool,

    /// Tell the progress this often where stderr is no terminal; 0 means never
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = values::seconds)]
    pub(crate) progress_interval: Duration,
}
