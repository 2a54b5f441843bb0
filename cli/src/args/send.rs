//! More of curl's options for what a request holds.

use clap::Args as Group;

#[derive(Debug, Group)]
#[command(next_help_heading = "Request")]
pub(crate) struct Send {
    /// Body as it is, whatever it begins with; otherwise like -d
    #[arg(long, value_name = "DATA", conflicts_with = "json", hide_short_help = true)]
    pub(crate) data_raw: Vec<String>,

    /// Like -d, but line ends of @FILE stay
    #[arg(long, value_name = "DATA", conflicts_with = "json", hide_short_help = true)]
    pub(crate) data_binary: Vec<String>,

    /// Like -d, but percent-encoded: DATA, =DATA, NAME=DATA, @FILE or NAME@FILE
    #[arg(long, value_name = "DATA", conflicts_with = "json", hide_short_help = true)]
    pub(crate) data_urlencode: Vec<String>,

    /// The field Referer
    #[arg(short = 'e', long, value_name = "URL", hide_short_help = true)]
    pub(crate) referer: Option<String>,

    /// Ask for a part of each body: the field Range, such as 0-99
    #[arg(short, long, value_name = "RANGE", value_parser = super::values::range)]
    #[arg(hide_short_help = true)]
    pub(crate) range: Option<String>,

    /// OAuth 2 bearer token
    #[arg(long, value_name = "TOKEN", conflicts_with = "user", hide_short_help = true)]
    pub(crate) oauth2_bearer: Option<String>,
}
