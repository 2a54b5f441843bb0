//! The options for bodies, in the order in which they are given.

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

/// How a part of a body is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// `@FILE` without its line ends.
    Data,
    /// `@FILE` as it is.
    Binary,
    /// Without files.
    Raw,
    /// Percent-encoded.
    UrlEncode,
    /// Not a form, but JSON.
    Json,
}

impl Kind {
    /// Its option, without the dashes.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Binary => "data-binary",
            Self::Raw => "data-raw",
            Self::UrlEncode => "data-urlencode",
            Self::Json => "json",
        }
    }
}

const FORMS: [Kind; 4] = [Kind::Data, Kind::Binary, Kind::Raw, Kind::UrlEncode];

/// The parts of the body of every request. curl joins them as they come, whichever option each has,
/// so that the order between options counts, which derived groups do not know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data(pub(crate) Vec<(Kind, String)>);

impl Data {
    pub(crate) fn is_json(&self) -> bool {
        self.0.iter().any(|(kind, _)| *kind == Kind::Json)
    }
}

fn option(kind: Kind, value: &'static str, help: &'static str) -> Arg {
    Arg::new(kind.name())
        .long(kind.name())
        .value_name(value)
        .action(ArgAction::Append)
        .help(help)
        .help_heading("Request")
}

impl clap::Args for Data {
    fn augment_args(command: Command) -> Command {
        let data = "Body, or @FILE without its line ends; several are joined by &; sent as a form";
        let form = |kind, help| option(kind, "DATA", help);
        let json = "JSON body, or @FILE; several are joined";
        command
            .arg(option(Kind::Data, "DATA", data).short('d'))
            .arg(form(Kind::Binary, "Like -d, but line ends of @FILE stay"))
            .arg(form(Kind::Raw, "Like -d, but @ means nothing"))
            .arg(form(
                Kind::UrlEncode,
                "Like -d, but percent-encoded: DATA, =DATA, NAME=DATA, @FILE or NAME@FILE",
            ))
            .arg(option(Kind::Json, "JSON", json).conflicts_with_all(FORMS.map(Kind::name)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Data {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut parts = Vec::new();
        for kind in FORMS.into_iter().chain([Kind::Json]) {
            let places = matches.indices_of(kind.name()).unwrap_or_default();
            let values = matches.get_many::<String>(kind.name()).unwrap_or_default();
            parts.extend(
                places
                    .zip(values)
                    .map(|(at, value)| (at, kind, value.clone())),
            );
        }
        parts.sort_by_key(|(at, ..)| *at);
        let parts = parts.into_iter().map(|(_, kind, value)| (kind, value));
        Ok(Self(parts.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
