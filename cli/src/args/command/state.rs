//! The options of `fetch-all state`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The subcommands of `fetch-all state`.
#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// List the files of a state, and report damage with its place; exits 3 if there is any
    Check(StateDirectoryArgs),
    /// Repair a damaged state: keep all valid blocks, restore others from the records
    ///
    /// The files as they were are kept in DIR/backup-N. Requests of damaged blocks are restored from
    /// their records, if these are jsonl or csv. Records that cannot be read are removed, and their
    /// URLs are fetched again by the next run. A state that is not damaged stays as it is. While a run
    /// uses the state, repair is refused.
    Repair(StateDirectoryArgs),
}

#[derive(Args, Debug)]
pub(crate) struct StateDirectoryArgs {
    /// The directory that --state has
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}
