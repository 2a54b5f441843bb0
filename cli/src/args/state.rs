//! Options of what is kept between runs.

use std::path::PathBuf;

use clap::Args as Group;

/// `--state`, and what belongs to it.
#[derive(Clone, Debug, Default, Group)]
#[command(next_help_heading = "State")]
pub(crate) struct StateOptions {
    /// Keep in this directory what is done: the same command goes on after any stop, and skips it
    ///
    /// Whatever ended a run (Ctrl-C, kill -9, a power cut, a full disk), the same command goes on
    /// where it was: nothing is fetched again whose record was safely in the file of -o, nothing is
    /// lost, and the file has no half lines. Records are appended to it. Other lists may be fetched
    /// with the same directory: it skips every method, body and URL that is done, also twice in one
    /// list. A URL that failed is done too, unless --retry-failed is given. On stdout and pipes,
    /// safe means no more than handed over. One run at a time can use a directory. The exit code
    /// tells of what this run fetched.
    #[arg(long, value_name = "DIR", conflicts_with = "demo")]
    pub(crate) state: Option<PathBuf>,

    /// Fetch again what is not ok in the state; of two records of one id the later one counts
    #[arg(long, requires = "state")]
    pub(crate) retry_failed: bool,
}
