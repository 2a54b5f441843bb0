//! The options of `fetch-all policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fetch_proto::Method;
use url::Url;

/// The subcommands of `fetch-all policy`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Report errors and contradictions; exits 1 if there is an error
    Check(CheckArgs),
    /// Show the rule that a URL matches, and all its attempts, delays and timeouts
    Explain(ExplainArgs),
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
}
