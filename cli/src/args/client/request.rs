//! The options for the method and the header fields of requests.

use clap::Args as Group;
use fetch_proto::Method;

use crate::args::values::{self, HeaderSource};

#[derive(Debug, Group)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestArgs {
    /// Method [default: GET; POST with a body]
    #[arg(short = 'X', long = "request", visible_alias = "method", id = "method")]
    #[arg(value_name = "METHOD", value_parser = values::method)]
    pub(crate) method: Option<Method>,

    /// Send HEAD requests
    #[arg(short = 'I', long, conflicts_with_all = ["method", "data", "json", "form", "form-string"])]
    #[arg(conflicts_with_all = ["data-binary", "data-raw", "data-urlencode", "upload_file"])]
    pub(crate) head: bool,

    /// Header field "Name: value"; "Name;" sends it empty, "Name:" removes a default; repeatable
    ///
    /// @FILE reads one field per line, @- from stdin. Host replaces the host of the URL in requests.
    #[arg(short = 'H', long, value_name = "FIELD|@FILE", value_parser = values::header_source)]
    pub(crate) header: Vec<HeaderSource>,

    /// The header field User-Agent; "" removes it
    #[arg(short = 'A', long, value_name = "NAME")]
    pub(crate) user_agent: Option<String>,

    /// User name and password, for Basic unless --digest, --anyauth or --aws-sigv4 is given
    ///
    /// Other users of this machine can see it in the list of processes: write it in the configuration
    /// file, or use --netrc or a profile of --policy.
    #[arg(short, long, value_name = "USER:PASSWORD", value_parser = values::user)]
    pub(crate) user: Option<String>,

    /// Follow redirects (the default)
    #[arg(
        short = 'L',
        long,
        visible_alias = "follow",
        overrides_with = "no_location"
    )]
    pub(crate) location: bool,

    /// Send all header fields, credentials included, to every host that redirects lead to
    #[arg(long, conflicts_with = "no_location")]
    pub(crate) location_trusted: bool,

    /// Do not follow redirects: the response that redirects is the result
    #[arg(long, visible_alias = "no-follow", overrides_with = "location")]
    pub(crate) no_location: bool,

    /// Keep POST requests POST after a redirect with status 301
    #[arg(long)]
    pub(crate) post301: bool,

    /// Keep POST requests POST after a redirect with status 302
    #[arg(long)]
    pub(crate) post302: bool,

    /// Keep POST requests POST after a redirect with status 303
    #[arg(long)]
    pub(crate) post303: bool,

    /// Maximum redirects to follow, one more is an error; -1 means no limit [default: 10]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = values::redirects)]
    pub(crate) max_redirs: Option<u16>,

    /// Maximum size of a body after decoding, such as 500k, 64M or 2G [default: 64M]
    #[arg(long, value_name = "BYTES", value_parser = values::bytes)]
    pub(crate) max_filesize: Option<u64>,

    /// Request compressed bodies and decode them (the default)
    #[arg(long, overrides_with = "no_compressed")]
    pub(crate) compressed: bool,

    /// Request no compression, and do not decode bodies
    #[arg(long, overrides_with = "compressed")]
    pub(crate) no_compressed: bool,
}

/// Options that `--help` lists after those of the body.
#[derive(Debug, Group)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestDetailArgs {
    /// The header field Referer; "" removes it
    #[arg(short = 'e', long, value_name = "URL", value_parser = values::referer)]
    pub(crate) referer: Option<String>,

    /// Request a range of each body, such as 0-99: the header field Range
    #[arg(short, long, value_name = "RANGE", value_parser = values::range)]
    pub(crate) range: Option<String>,

    /// Send paths unchanged, without resolving /../ or /./
    #[arg(long)]
    pub(crate) path_as_is: bool,

    /// OAuth 2 bearer token
    #[arg(long, value_name = "TOKEN", conflicts_with = "user")]
    pub(crate) oauth2_bearer: Option<String>,
}
