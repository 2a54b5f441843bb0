//! The options of what is shown while it goes on.

use std::time::Duration;

use clap::Args as Group;

use super::values;

#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct ViewOption {
    /// Tell the progress this often where stderr is no terminal; 0 means never
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = values::seconds)]
    pub(crate) progress_interval: Duration,
}
