//! The options for bodies, in the order in which they are given.

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

/// How a part of a body is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyPartKind {
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

impl BodyPartKind {
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

const FORMS: [BodyPartKind; 4] = [
    BodyPartKind::Data,
    BodyPartKind::Binary,
    BodyPartKind::Raw,
    BodyPartKind::UrlEncode,
];

/// The parts of the body of every request. curl joins them as they come, whichever option each has,
/// so that the order between options counts, which derived groups do not know.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyOptions(pub(crate) Vec<(BodyPartKind, String)>);

impl BodyOptions {
    pub(crate) fn is_json(&self) -> bool {
        self.0.iter().any(|(kind, _)| *kind == BodyPartKind::Json)
    }
}

fn option(kind: BodyPartKind, value: &'static str, help: &'static str) -> Arg {
    Arg::new(kind.name())
        .long(kind.name())
        .value_name(value)
        .action(ArgAction::Append)
        .help(help)
        .help_heading("Request")
}

impl clap::Args for BodyOptions {
    fn augment_args(command: Command) -> Command {
        let data = "Body, or @FILE without its line ends; several are joined by &; sent as a form";
        let form = |kind, help| option(kind, "DATA", help);
        let json = "JSON body, or @FILE; several are joined";
        command
            .arg(option(BodyPartKind::Data, "DATA", data).short('d'))
            .arg(form(
                BodyPartKind::Binary,
                "Like -d, but line ends of @FILE stay",
            ))
            .arg(form(BodyPartKind::Raw, "Like -d, but @ means nothing"))
            .arg(form(
                BodyPartKind::UrlEncode,
                "Like -d, but percent-encoded: DATA, =DATA, NAME=DATA, @FILE or NAME@FILE",
            ))
            .arg(
                option(BodyPartKind::Json, "JSON", json)
                    .conflicts_with_all(FORMS.map(BodyPartKind::name)),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for BodyOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut parts = Vec::new();
        for kind in FORMS.into_iter().chain([BodyPartKind::Json]) {
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
