//! The options of `fetch-all cache`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use fetch_proto::RulePattern;

use crate::args::values;

/// The subcommands of `fetch-all cache`.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Count the stored responses: size, state, hosts
    Stats(StatsArgs),
    /// List the stored responses, one per line, by URL
    List(ListArgs),
    /// Show what is stored for a URL; exits 1 if nothing is
    Show(ShowArgs),
    /// Remove stored responses
    ///
    /// Conditions that are given together must all be true; of several patterns, one. A run that uses
    /// the cache at the same time fetches again what is removed.
    Purge(PurgeArgs),
    /// Read all stored responses and report damage; exits 3 if there is any
    ///
    /// A run never uses a damaged file: it removes it and fetches again.
    Verify(VerifyArgs),
}

#[derive(Args, Debug)]
pub(crate) struct StatsArgs {
    /// The directory of the cache, as given to --cache
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// The directory of the cache, as given to --cache
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,

    /// Only URLs that contain this text, or match it: as in the policy file, such as
    /// host:NAME, glob:GLOB or regex:REGEX
    #[arg(value_name = "PATTERN", value_parser = pattern)]
    pub(crate) patterns: Vec<RulePattern>,

    /// Only responses that are not fresh any more
    #[arg(long)]
    pub(crate) stale: bool,

    /// Print JSON, one object per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// The directory of the cache, as given to --cache
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,

    /// The URL
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// Write the body to stdout instead
    #[arg(long)]
    pub(crate) body: bool,

    /// Only this response, if several are stored for the URL: 1 for the first
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(crate) variant: Option<usize>,
}

#[derive(Args, Debug)]
pub(crate) struct PurgeArgs {
    /// The directory of the cache, as given to --cache
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,

    /// URLs that contain this text, or match it: as in the policy file, such as
    /// host:NAME, glob:GLOB or regex:REGEX
    #[arg(value_name = "PATTERN", value_parser = pattern)]
    pub(crate) patterns: Vec<RulePattern>,

    /// All responses, and damaged files
    #[arg(long, conflicts_with_all = ["patterns", "stale", "unused"])]
    pub(crate) all: bool,

    /// Responses that are not fresh any more
    #[arg(long)]
    pub(crate) stale: bool,

    /// Responses that were not used for so long
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) unused: Option<Duration>,

    /// List what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// The directory of the cache, as given to --cache
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,

    /// Remove damaged files; exits 0 if that succeeds
    #[arg(long)]
    pub(crate) remove: bool,
}

fn pattern(text: &str) -> Result<RulePattern, String> {
    RulePattern::parse(text).map_err(|error| error.to_string())
}
