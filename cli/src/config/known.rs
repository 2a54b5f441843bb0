//! The options that there are, and what may be said of each.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

/// Options that say where options come from, or that something else is to be done.
const LINE_ONLY: [&str; 7] = [
    "demo",
    "generate",
    "help",
    "no_config",
    "print_config",
    "version",
    "urls",
];

/// So much alike is a slip.
const ALIKE: f64 = 0.8;

/// A value of an option, outside of the command line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Flag(bool),
    Many(Vec<String>),
    One(String),
}

/// The command's options.
pub(super) struct Known<'a>(&'a Command);

impl<'a> Known<'a> {
    pub(super) fn new(command: &'a Command) -> Self {
        Self(command)
    }

    pub(super) fn options(&self) -> impl Iterator<Item = &'a Arg> {
        let all = self.0.get_arguments();
        all.filter(|arg| arg.get_long().is_some() && !LINE_ONLY.contains(&arg.get_id().as_str()))
    }

    /// The option that has this long name, or this alias.
    pub(super) fn named(&self, name: &str) -> Option<&'a Arg> {
        let name = name.replace(['_', '.'], "-");
        self.options().find(|arg| {
            let mut names = arg.get_long_and_visible_aliases().into_iter().flatten();
            names.any(|own| own.replace('.', "-") == name)
                || arg.get_aliases().is_some_and(|all| all.contains(&&*name))
        })
    }

    /// The name that was probably meant.
    pub(super) fn like(&self, name: &str) -> Option<&'a str> {
        let near = |own: &&str| strsim::jaro_winkler(own, name) > ALIKE;
        let names = self.options().filter_map(Arg::get_long).filter(near);
        names.max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)))
    }

    /// Whether one of the options that are ruled already is the same, or goes not together with it.
    pub(super) fn is_ruled_out(&self, id: &str, ruled: &[String]) -> bool {
        let conflicts = |id: &str| {
            let arg = self.0.get_arguments().find(|arg| arg.get_id() == id);
            let all = arg.map(|arg| self.0.get_arg_conflicts_with(arg));
            all.unwrap_or_default()
        };
        let own = conflicts(id);
        ruled.iter().any(|ruled| {
            ruled == id
                || own.iter().any(|arg| arg.get_id() == ruled)
                || conflicts(ruled).iter().any(|arg| arg.get_id() == id)
        })
    }
}

/// What would stand on the command line.
///
/// # Errors
///
/// Why the value is no good.
pub(super) fn words(arg: &Arg, value: &Value) -> Result<Vec<OsString>, String> {
    let name = format!("--{}", arg.get_long().unwrap_or_default());
    let bare = |count: u8| vec![OsString::from(&name); count.into()];
    let values = match (arg.get_action(), value) {
        (_, Value::Flag(false)) => return Ok(Vec::new()),
        (ArgAction::SetTrue | ArgAction::Count, Value::Flag(true)) => return Ok(bare(1)),
        (ArgAction::Count, Value::One(count)) => {
            let count: Option<u8> = count.parse().ok().filter(|count| *count < 4);
            return Ok(bare(count.ok_or("write a number from 0 to 3")?));
        }
        (ArgAction::SetTrue, _) => return Err("write true or false".into()),
        (_, Value::Flag(true)) => {
            let least = arg.get_num_args().map_or(1, |range| range.min_values());
            return match least {
                0 => Ok(bare(1)),
                _ => Err("it needs a value".into()),
            };
        }
        (_, Value::One(value)) => std::slice::from_ref(value),
        (ArgAction::Append, Value::Many(values)) => values,
        (_, Value::Many(_)) => return Err("it has one value, not several".into()),
    };
    let words: Vec<_> = values
        .iter()
        .map(|value| format!("{name}={value}").into())
        .collect();
    check(arg, values)?;
    Ok(words)
}

/// Parses the value as that of this option alone, whatever others it goes with.
fn check(arg: &Arg, values: &[String]) -> Result<(), String> {
    let alone = Arg::new("value")
        .long("value")
        .action(arg.get_action().clone())
        .value_parser(arg.get_value_parser().clone());
    let words = values.iter().map(|value| format!("--value={value}"));
    let line = std::iter::once("fetch-all".to_owned()).chain(words);
    let parsed = Command::new("fetch-all")
        .arg(alone)
        .try_get_matches_from(line);
    parsed.map(drop).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let why = first.split_once(">': ").map_or(first, |(_, why)| why);
        why.trim_start_matches("error: ").to_owned()
    })
}
