//! The options that are on the command line.

use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches};

/// The ids of the options that are on the command line, as opposed to those with default values.
#[derive(Clone, Debug)]
pub(crate) struct ExplicitOptions(Vec<String>);

impl ExplicitOptions {
    pub(crate) fn contains_any(&self, options: &[&str]) -> bool {
        self.0.iter().any(|given| options.contains(&given.as_str()))
    }

    /// `value` if the option is on the command line.
    pub(crate) fn value_of<T>(&self, option: &str, value: T) -> Option<T> {
        self.contains_any(&[option]).then_some(value)
    }
}

/// An argument group without arguments, which sees the matches of all groups.
impl clap::Args for ExplicitOptions {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command
    }
}

impl FromArgMatches for ExplicitOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let ids = matches.ids().map(clap::Id::as_str);
        Ok(Self(ids.filter(given).map(str::to_owned).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
