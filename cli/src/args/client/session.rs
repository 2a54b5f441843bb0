//! The options for cookies and for credentials in files.

use std::path::PathBuf;

use clap::Args as Group;

use crate::args::values;

#[derive(Debug, Group)]
#[command(next_help_heading = "Request")]
pub(crate) struct SessionArgs {
    /// Cookies for every URL, NAME=VALUE; …, or a cookie file; repeatable
    ///
    /// A value without = is the name of a file in Netscape format, as --cookie-jar writes it. Its
    /// cookies are sent to their own sites, and cookies that servers set are stored and sent back.
    #[arg(short = 'b', long, value_name = "DATA|FILE")]
    pub(crate) cookie: Vec<String>,

    /// Store the cookies that servers set, send them back, and write them to this file at the end
    ///
    /// The jar holds at most 180 cookies of a domain and 3,300 in all; those unused for the longest time go first.
    #[arg(short = 'c', long, value_name = "FILE", value_parser = values::path)]
    pub(crate) cookie_jar: Option<PathBuf>,

    /// Use https for hosts that demand it (HSTS), and write them to this file at the end
    ///
    /// The file has curl's format, and need not exist. Hosts are added by the field
    /// Strict-Transport-Security; an empty name keeps them for this run only.
    #[arg(long, value_name = "FILE")]
    pub(crate) hsts: Option<PathBuf>,

    /// Use the user names and passwords of ~/.netrc for the hosts that it lists
    ///
    /// A password in the URL, -u, and -H Authorization take precedence. $NETRC names another file.
    #[arg(short = 'n', long)]
    pub(crate) netrc: bool,

    /// Like --netrc, with this file
    #[arg(long, value_name = "FILE")]
    pub(crate) netrc_file: Option<PathBuf>,

    /// Like --netrc, but the file need not exist
    #[arg(long)]
    pub(crate) netrc_optional: bool,
}
