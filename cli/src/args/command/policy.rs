//! The options of `fetch-all policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fetch_proto::Method;
use url::Url;

use crate::args::explicit::ExplicitOptions;
use crate::args::{LimitArgs, RetryArgs, TimeoutArgs};

/// The subcommands of `fetch-all policy`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Report errors and contradictions; exits 1 if there is an error
    Check(CheckArgs),
    /// Show the rule that a URL matches, all its attempts, delays and timeouts, and where they come from
    Explain(Box<ExplainArgs>),
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The policy file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The policy file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The URL
    #[arg(value_name = "URL")]
    pub(crate) url: Url,

    /// Method of the request
    #[arg(
        short = 'X',
        long = "request",
        value_name = "METHOD",
        default_value = "GET"
    )]
    pub(crate) method: Method,

    /// Show all settings, those with default values too
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) explicit: ExplicitOptions,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) retry: RetryArgs,
    #[command(flatten)]
    pub(crate) timeouts: TimeoutArgs,
}
