//! Which options the command line has.

use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches};

/// Which options are on the command line, and do not just have their defaults.
#[derive(Clone, Debug)]
pub(crate) struct ExplicitOptions(Vec<String>);

impl ExplicitOptions {
    pub(crate) fn any(&self, options: &[&str]) -> bool {
        self.0.iter().any(|given| options.contains(&given.as_str()))
    }

    /// The value, if it was given.
    pub(crate) fn of<T>(&self, option: &str, value: T) -> Option<T> {
        self.any(&[option]).then_some(value)
    }
}

/// As an argument group without an argument of its own, it sees those of the others.
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
