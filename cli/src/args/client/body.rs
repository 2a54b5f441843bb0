//! The options for the body, in their order on the command line.

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

/// The option of a part of the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyPartKind {
    /// `-d`: `@FILE` is read without line breaks.
    Data,
    /// `--data-binary`: `@FILE` is read unchanged.
    Binary,
    /// `--data-raw`: `@` has no meaning.
    Raw,
    /// `--data-urlencode`.
    UrlEncode,
    /// `--json`.
    Json,
}

impl BodyPartKind {
    /// The name of the option, without dashes.
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

/// The parts of the body of every request. As in curl, they are joined in their order across options,
/// which derived argument groups do not keep.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyArgs(pub(crate) Vec<(BodyPartKind, String)>);

impl BodyArgs {
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

impl clap::Args for BodyArgs {
    fn augment_args(command: Command) -> Command {
        let data =
            "Body, or @FILE without its line breaks; repeatable, joined by &; sent as a form";
        let form = |kind, help| option(kind, "DATA", help);
        let json = "JSON body, or @FILE; repeatable, concatenated";
        command
            .arg(option(BodyPartKind::Data, "DATA", data).short('d'))
            .arg(form(
                BodyPartKind::Binary,
                "Like -d, but keep the line breaks of @FILE",
            ))
            .arg(form(BodyPartKind::Raw, "Like -d, but without @FILE"))
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

impl FromArgMatches for BodyArgs {
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
