//! More of curl's options for what a request holds.

use clap::Args as Group;

#[derive(Debug, Group)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestDetailOptions {
    /// The field Referer
    #[arg(short = 'e', long, value_name = "URL")]
    pub(crate) referer: Option<String>,

    /// Ask for a part of each body, such as 0-99: the field Range
    #[arg(long, value_name = "RANGE", value_parser = super::values::range)]
    pub(crate) range: Option<String>,

    /// Send paths as they are in the list: /a/../b stays that
    #[arg(long)]
    pub(crate) path_as_is: bool,

    /// OAuth 2 bearer token
    #[arg(long, value_name = "TOKEN", conflicts_with = "user")]
    pub(crate) oauth2_bearer: Option<String>,
}
