//! The options for what a server knows its client by: cookies and passwords from files.

use std::path::PathBuf;

use clap::Args as Group;

#[derive(Debug, Group)]
#[command(next_help_heading = "Request")]
pub(crate) struct SessionOptions {
    /// Cookies for every URL, NAME=VALUE; …, or a file of cookies, each for its own site; repeatable
    ///
    /// What holds no = is the name of a file in Netscape's form, as --cookie-jar writes it. With a
    /// file, what servers set is kept and sent back, too.
    #[arg(short = 'b', long, value_name = "DATA|FILE")]
    pub(crate) cookie: Vec<String>,

    /// Keep what servers set, send it back, and write it to this file at the end
    ///
    /// The jar holds at most 50 cookies of a domain and 3,000 in all; the oldest make room.
    #[arg(long, value_name = "FILE")]
    pub(crate) cookie_jar: Option<PathBuf>,

    /// Take user names and passwords from ~/.netrc, for the hosts that it names
    ///
    /// A password in the URL, -u, and -H Authorization come first. $NETRC names another file.
    #[arg(long)]
    pub(crate) netrc: bool,

    /// The same from this file
    #[arg(long, value_name = "FILE")]
    pub(crate) netrc_file: Option<PathBuf>,

    /// Like --netrc, but the file need not exist
    #[arg(long)]
    pub(crate) netrc_optional: bool,
}
