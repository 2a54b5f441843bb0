//! The options for resuming.

use std::path::PathBuf;

use clap::Args as Group;

#[derive(Clone, Debug, Default, Group)]
#[command(next_help_heading = "State")]
pub(crate) struct StateArgs {
    /// Directory for resume state: run the same command again to continue after any interruption
    ///
    /// After Ctrl-C, kill -9, a power failure or a full disk, the same command continues where it
    /// stopped: a URL whose record was safely in the file of -o is not fetched again, none is lost,
    /// and the file has no truncated lines. Records are appended to it. Bodies follow the records: files,
    /// WARC and tar have each body once, and nothing of those that are fetched again. Other lists may use the same
    /// directory: every request that is done is skipped, also duplicates in one list. A
    /// URL that failed counts as done, unless --retry-failed is given. On stdout and pipes, safe means
    /// only written. One run at a time can use a directory. The exit code covers what this run fetched.
    #[arg(long, value_name = "DIR", conflicts_with = "demo")]
    pub(crate) state: Option<PathBuf>,

    /// Fetch again what failed according to the state; of two records of one id the later one counts
    #[arg(long, requires = "state")]
    pub(crate) retry_failed: bool,
}
