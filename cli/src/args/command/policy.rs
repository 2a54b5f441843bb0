//! The options of `fetch-all policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fetch_proto::Method;
use url::Url;

/// What to do with a policy file.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Find mistakes and contradictions; exits 1 if there is an error
    Check(CheckArgs),
    /// Tell which rule a URL matches, and the whole plan of its attempts
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
