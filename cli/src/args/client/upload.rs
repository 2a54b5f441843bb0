//! The options for uploads, forms, and data in the URL.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Args as Group, Command, FromArgMatches};

use crate::args::values;
use crate::upload::FormField;

#[derive(Debug, Group)]
#[command(next_help_heading = "Request")]
pub(crate) struct UploadArgs {
    /// Send this file with PUT; - for stdin. Its name is appended to a URL that ends with /
    ///
    /// One file goes to the URL of the command line, or to every URL of a list. Several files go to as many
    /// URLs on the command line, in their order. Stdin is read to its end before anything is sent, and
    /// sent in chunked coding.
    #[arg(short = 'T', long, value_name = "FILE", value_parser = values::upload)]
    #[arg(conflicts_with_all = ["data", "data-binary", "data-raw", "data-urlencode", "json", "form", "get"])]
    pub(crate) upload_file: Vec<PathBuf>,

    /// Escape names in forms with backslashes, instead of percent-encoding their quotes
    #[arg(long)]
    pub(crate) form_escape: bool,

    /// How long a body waits for the server's permission, after Expect: 100-continue [default: 1]
    ///
    /// The field is sent with the files of -T and with bodies over 1 MiB, over HTTP/1.1. -H Expect:
    /// removes it.
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) expect100_timeout: Option<Duration>,

    /// Let rows of JSONL lists send files below this directory: their key `body_file`
    #[arg(long, value_name = "DIR", value_parser = values::path)]
    pub(crate) body_dir: Option<PathBuf>,

    /// Append the data of -d and --data-urlencode to the URL, after ?, and send no body
    #[arg(short = 'G', long, conflicts_with_all = ["json", "form", "form-string"])]
    pub(crate) get: bool,

    /// Append this to the URL's query, percent-encoded as by --data-urlencode, or +TEXT as it is;
    /// repeatable
    #[arg(long, value_name = "DATA")]
    pub(crate) url_query: Vec<String>,

    /// Send this instead of the URL's path and query, such as * with -X OPTIONS
    #[arg(long, value_name = "TARGET", value_parser = values::request_target)]
    #[arg(conflicts_with = "path_as_is")]
    pub(crate) request_target: Option<String>,
}

/// The fields of the form, in their order over both options.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormArgs(pub(crate) Vec<FormField>);

const OPTIONS: [&str; 2] = ["form", "form-string"];

/// Options of other bodies.
const OTHERS: [&str; 5] = ["data", "data-binary", "data-raw", "data-urlencode", "json"];

fn option(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::Append)
        .help(help)
        .help_heading("Request")
        .conflicts_with_all(OTHERS)
}

impl clap::Args for FormArgs {
    fn augment_args(command: Command) -> Command {
        let form = option(
            OPTIONS[0],
            "Field of a form that is sent as multipart/form-data: NAME=CONTENT, NAME=@FILE (several with \
             commas) or NAME=<FILE, then ;type=, ;filename=, ;headers= or ;encoder=; repeatable",
        );
        let string = option(
            OPTIONS[1],
            "Like -F, but no character of the content has a meaning; repeatable",
        );
        command
            .arg(
                form.short('F')
                    .value_name("NAME=CONTENT")
                    .value_parser(FormField::parse),
            )
            .arg(
                string
                    .value_name("NAME=STRING")
                    .value_parser(FormField::parse_string),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FormArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut fields = Vec::new();
        for option in OPTIONS {
            let places = matches.indices_of(option).unwrap_or_default();
            let values = matches.get_many::<FormField>(option).unwrap_or_default();
            fields.extend(places.zip(values.cloned()));
        }
        fields.sort_by_key(|(at, _)| *at);
        Ok(Self(fields.into_iter().map(|(_, field)| field).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
