//! The options of the command, and the values that they accept.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use super::message::reason;
use crate::args::opposite;

/// Options that are valid only on the command line.
const COMMAND_LINE_ONLY: [&str; 7] = [
    "demo",
    "generate",
    "help",
    "no_config",
    "print_config",
    "version",
    "urls",
];

/// Names with a higher Jaro-Winkler similarity are suggested.
const MIN_SIMILARITY: f64 = 0.8;

/// The value of an option in a file or in the environment.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum OptionValue {
    Flag(bool),
    Many(Vec<String>),
    One(String),
}

/// Finds options by their names.
pub(super) struct OptionIndex<'a>(&'a Command);

impl<'a> OptionIndex<'a> {
    pub(super) fn new(command: &'a Command) -> Self {
        Self(command)
    }

    pub(super) fn options(&self) -> impl Iterator<Item = &'a Arg> {
        let all = self.0.get_arguments();
        all.filter(|arg| {
            arg.get_long().is_some() && !COMMAND_LINE_ONLY.contains(&arg.get_id().as_str())
        })
    }

    /// The option with this long name or alias.
    pub(super) fn find(&self, name: &str) -> Option<&'a Arg> {
        let name = name.replace(['_', '.'], "-");
        self.options().find(|arg| {
            let mut names = arg.get_long_and_visible_aliases().into_iter().flatten();
            names.any(|own| own.replace('.', "-") == name)
                || arg.get_aliases().is_some_and(|all| all.contains(&&*name))
        })
    }

    /// The most similar name, to suggest.
    pub(super) fn suggest(&self, name: &str) -> Option<&'a str> {
        let near = |own: &&str| strsim::jaro_winkler(own, name) > MIN_SIMILARITY;
        let names = self.options().filter_map(Arg::get_long).filter(near);
        names.max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)))
    }

    /// Whether an option of a stronger source is the same, or conflicts with it.
    pub(super) fn is_overridden(&self, id: &str, stronger: &[String]) -> bool {
        let conflicts = |id: &str| {
            let arg = self.0.get_arguments().find(|arg| arg.get_id() == id);
            let all = arg.map(|arg| self.0.get_arg_conflicts_with(arg));
            all.unwrap_or_default()
        };
        let own = conflicts(id);
        stronger.iter().any(|other| {
            other == id
                || own.iter().any(|arg| arg.get_id() == other)
                || conflicts(other).iter().any(|arg| arg.get_id() == id)
        })
    }
}

/// The arguments that set the option on a command line.
///
/// # Errors
///
/// If the option does not accept the value.
pub(super) fn arguments(arg: &Arg, value: &OptionValue) -> Result<Vec<OsString>, String> {
    let name = format!("--{}", arg.get_long().unwrap_or_default());
    let bare = |count: u8| vec![OsString::from(&name); count.into()];
    let values = match (arg.get_action(), value) {
        (ArgAction::SetTrue, OptionValue::Flag(false)) => {
            let opposite = opposite(arg.get_long().unwrap_or_default());
            return Ok(vec![format!("--{opposite}").into()]);
        }
        (_, OptionValue::Flag(false)) => return Ok(Vec::new()),
        (ArgAction::SetTrue | ArgAction::Count, OptionValue::Flag(true)) => return Ok(bare(1)),
        (ArgAction::Count, OptionValue::One(count)) => {
            let count: Option<u8> = count.parse().ok().filter(|count| *count < 4);
            return Ok(bare(count.ok_or("write a number from 0 to 3")?));
        }
        (ArgAction::SetTrue, _) => return Err("write true or false".into()),
        (_, OptionValue::Flag(true)) => {
            let least = arg.get_num_args().map_or(1, |range| range.min_values());
            return match least {
                0 => Ok(bare(1)),
                _ => Err("this option needs a value".into()),
            };
        }
        (_, OptionValue::One(value)) => std::slice::from_ref(value),
        (ArgAction::Append, OptionValue::Many(values)) => values,
        (_, OptionValue::Many(_)) => return Err("this option takes one value, not several".into()),
    };
    let arguments: Vec<_> = values
        .iter()
        .map(|value| format!("{name}={value}").into())
        .collect();
    check(arg, values)?;
    Ok(arguments)
}

/// Checks the values with the parser of this option. Whether other options that it requires are set
/// is not checked.
pub(super) fn check(arg: &Arg, values: &[String]) -> Result<(), String> {
    let alone = Arg::new("value")
        .long("value")
        .action(arg.get_action().clone())
        .value_parser(arg.get_value_parser().clone());
    let arguments = values.iter().map(|value| format!("--value={value}"));
    let line = std::iter::once("fetch-all".to_owned()).chain(arguments);
    let parsed = Command::new("fetch-all")
        .arg(alone)
        .try_get_matches_from(line);
    parsed.map(drop).map_err(|error| reason(&error))
}
