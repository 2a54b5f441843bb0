//! Options from a file and from the environment, below those of the command line.
//!
//! What they say is put before the command line's own words, so that it is parsed, checked and obeyed
//! like these, and every option can be set in all three places without a second list of options.

mod environment;
mod file;
pub(crate) mod hints;
mod known;
mod print;
pub(crate) mod toml_file;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches};

use crate::args::{self, CliArgs};
use crate::exit::CliError;
use known::Known;
pub(crate) use print::print;

/// Where an option's value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// A variable.
    Environment(String),
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "the environment: {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// An option that is set outside of the command line.
#[derive(Debug)]
struct Entry {
    /// The option's id.
    id: String,
    origin: Origin,
    /// What would stand on the command line.
    words: Vec<OsString>,
}

/// The file that an entry names, if it names one.
fn config_file(entry: &Entry) -> Option<PathBuf> {
    let word = entry.words.last()?.to_str()?;
    word.strip_prefix("--config=").map(PathBuf::from)
}

/// All options that count.
pub(crate) struct Parsed {
    pub(crate) args: CliArgs,
    pub(crate) matches: ArgMatches,
    pub(crate) origins: HashMap<String, Origin>,
    /// What should be told on stderr.
    pub(crate) warnings: Vec<String>,
}

/// Why the options make no sense.
pub(crate) enum ParseError {
    /// What clap says, help and version included, and where options come from besides the command
    /// line.
    Line(Box<clap::Error>, Vec<Origin>),
    /// A mistake in the file or the environment.
    Outside(CliError),
}

/// Parses this process's command line, with its environment and its file.
///
/// # Errors
///
/// If any of them is wrong; or when help or the version is asked for.
pub(crate) fn parse() -> Result<Parsed, ParseError> {
    let line: Vec<OsString> = std::env::args_os().collect();
    let command = args::command();
    let own = match own(&command, &line) {
        CommandLine::Alone(matches) => return parsed(matches, Vec::new(), Vec::new()),
        CommandLine::Error(error) => return Err(ParseError::Line(error, Vec::new())),
        CommandLine::Over(matches) => matches,
    };
    let (entries, warnings) = entries(&command, &own).map_err(ParseError::Outside)?;
    let words = entries.iter().flat_map(|entry| entry.words.clone());
    let (name, rest) = line
        .split_first()
        .map_or((None, &[][..]), |(name, rest)| (Some(name), rest));
    let name = name.cloned().unwrap_or_else(|| "fetch-all".into());
    let whole = [name].into_iter().chain(words).chain(rest.iter().cloned());
    match command.try_get_matches_from(whole) {
        Ok(matches) => parsed(matches, entries, warnings),
        Err(error) => {
            let mut origins: Vec<_> = entries.into_iter().map(|entry| entry.origin).collect();
            origins.dedup();
            Err(ParseError::Line(Box::new(error), origins))
        }
    }
}

fn parsed(
    matches: ArgMatches,
    entries: Vec<Entry>,
    warnings: Vec<String>,
) -> Result<Parsed, ParseError> {
    let args = CliArgs::from_arg_matches(&matches);
    let args = args.map_err(|error| ParseError::Line(Box::new(error), Vec::new()))?;
    let origins = entries.into_iter().map(|entry| (entry.id, entry.origin));
    Ok(Parsed {
        args,
        matches,
        origins: origins.collect(),
        warnings,
    })
}

/// What the command line says by itself.
enum CommandLine {
    /// Nothing else is to be asked.
    Alone(ArgMatches),
    Error(Box<clap::Error>),
    Over(ArgMatches),
}

fn own(command: &Command, line: &[OsString]) -> CommandLine {
    match command.clone().try_get_matches_from(line) {
        Ok(matches) if matches.subcommand().is_some() || matches.get_flag("no_config") => {
            CommandLine::Alone(matches)
        }
        Ok(matches) => CommandLine::Over(matches),
        // What is missing may be in the file.
        Err(error) if error.kind() == clap::error::ErrorKind::MissingRequiredArgument => {
            let lenient = command.clone().ignore_errors(true);
            match lenient.try_get_matches_from(line) {
                Ok(matches) => CommandLine::Over(matches),
                Err(_) => CommandLine::Error(Box::new(error)),
            }
        }
        Err(error) => CommandLine::Error(Box::new(error)),
    }
}

/// What the environment and the file say, the weakest first, but for what is overruled.
fn entries(command: &Command, own: &ArgMatches) -> Result<(Vec<Entry>, Vec<String>), CliError> {
    let known = Known::new(command);
    let given = |id: &&str| own.value_source(id) == Some(ValueSource::CommandLine);
    let mut ruled: Vec<String> = own
        .ids()
        .map(clap::Id::as_str)
        .filter(given)
        .map(str::to_owned)
        .collect();
    let (environment, mut warnings) = environment::entries(&known, std::env::vars_os())?;
    let named = environment.iter().find(|entry| entry.id == "config");
    let path = match (own.get_one::<PathBuf>("config"), named) {
        (Some(path), _) => Some((path.clone(), "--config".to_owned())),
        (None, Some(entry)) => config_file(entry).map(|path| (path, entry.origin.to_string())),
        (None, None) => None,
    };
    let (file, of_file) = file::entries(&known, path)?;
    warnings.extend(of_file);
    let mut all = Vec::new();
    for source in [environment, file] {
        let counts = |entry: &Entry| entry.id != "config" && !known.is_ruled_out(&entry.id, &ruled);
        let counting: Vec<_> = source.into_iter().filter(counts).collect();
        ruled.extend(counting.iter().map(|entry| entry.id.clone()));
        all.splice(0..0, counting);
    }
    Ok((all, warnings))
}
