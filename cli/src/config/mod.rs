//! Options from a file and from the environment, with lower precedence than the command line.
//!
//! They become arguments before those of the command line, and are parsed with them. So every
//! option can be set in all three places without a second list of options.

mod environment;
mod file;
mod known;
mod line;
mod message;
mod print;
mod set_options;
pub(crate) mod toml_file;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches};

use crate::args::{self, CliArgs};
use crate::exit::CliError;
pub(crate) use file::toml_options;
use known::OptionIndex;
pub(crate) use line::curl_options;
pub(crate) use print::{print, redact};
pub(crate) use set_options::SetOptions;

/// A source of option values other than the command line and the defaults.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum OptionSource {
    /// An environment variable.
    Environment(String),
    File(PathBuf),
}

impl fmt::Display for OptionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// An option that is set by the environment or a file.
#[derive(Debug)]
struct ConfigEntry {
    /// The option's id.
    id: String,
    source: OptionSource,
    /// The arguments that would set it on the command line.
    arguments: Vec<OsString>,
}

/// The path, if the entry is `--config`.
fn config_file(entry: &ConfigEntry) -> Option<PathBuf> {
    let word = entry.arguments.last()?.to_str()?;
    word.strip_prefix("--config=").map(PathBuf::from)
}

/// The error if there is neither a URL nor a list. If an option took the only URL as its value, it says so.
pub(crate) fn nothing_to_fetch() -> CliError {
    let words: Vec<_> = std::env::args_os().collect();
    CliError::usage(match line::taken_url(&words) {
        Some((option, url)) => format!(
            "nothing to fetch: {option} took {url} as its value: write a value between them"
        ),
        None => {
            "nothing to fetch: write URLs, -i FILE, or -i - for stdin; --demo shows how it works, \
                 --help lists every option"
                .to_owned()
        }
    })
}

/// The options in effect.
pub(crate) struct ParsedOptions {
    pub(crate) args: CliArgs,
    pub(crate) matches: ArgMatches,
    /// The sources of options that are not on the command line, by id.
    pub(crate) sources: HashMap<String, OptionSource>,
    /// Printed on stderr.
    pub(crate) warnings: Vec<String>,
}

/// The options cannot be parsed.
pub(crate) enum ParseError {
    /// Help or the version, which is asked for, or printed because a subcommand is missing.
    Help(Box<clap::Error>),
    /// An error on the command line, in the file or the environment.
    Options(CliError),
}

impl From<CliError> for ParseError {
    fn from(error: CliError) -> Self {
        Self::Options(error)
    }
}

/// clap's error. `sources` are the sources of options other than the command line.
fn parse_error(error: clap::Error, sources: &[OptionSource]) -> ParseError {
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_help || !error.use_stderr() {
        return ParseError::Help(Box::new(error));
    }
    let mut message = message::message(&error);
    if !sources.is_empty() {
        let all: Vec<_> = sources.iter().map(ToString::to_string).collect();
        message += &format!("; options also come from {}", all.join(", "));
    }
    ParseError::Options(CliError::usage(message))
}

/// Parses the command line, the environment and the configuration file of this process.
///
/// # Errors
///
/// If one of them is wrong, or help or the version is requested.
pub(crate) fn parse() -> Result<ParsedOptions, ParseError> {
    let command = args::parser();
    let line = line::normalize(&command, std::env::args_os().collect())?;
    let own = match parse_command_line(&command, &line)? {
        CommandLine::Complete(matches) => return parsed(matches, Vec::new(), Vec::new()),
        CommandLine::Partial(matches) => matches,
    };
    let (entries, warnings) = entries(&command, &own)?;
    let arguments = entries.iter().flat_map(|entry| entry.arguments.clone());
    let (name, rest) = line
        .split_first()
        .map_or((None, &[][..]), |(name, rest)| (Some(name), rest));
    let name = name.cloned().unwrap_or_else(|| "fetch-all".into());
    let whole = [name]
        .into_iter()
        .chain(arguments)
        .chain(rest.iter().cloned());
    match command.try_get_matches_from(whole) {
        Ok(matches) => parsed(matches, entries, warnings),
        Err(error) => {
            let mut sources: Vec<_> = entries.into_iter().map(|entry| entry.source).collect();
            sources.dedup();
            Err(parse_error(error, &sources))
        }
    }
}

fn parsed(
    matches: ArgMatches,
    entries: Vec<ConfigEntry>,
    warnings: Vec<String>,
) -> Result<ParsedOptions, ParseError> {
    let args = CliArgs::from_arg_matches(&matches);
    let args = args.map_err(|error| parse_error(error, &[]))?;
    let sources = entries.into_iter().map(|entry| (entry.id, entry.source));
    Ok(ParsedOptions {
        args,
        matches,
        sources: sources.collect(),
        warnings,
    })
}

/// The command line parsed by itself.
enum CommandLine {
    /// Complete: the environment and the file are ignored.
    Complete(ArgMatches),
    /// To be merged with the environment and the file.
    Partial(ArgMatches),
}

fn parse_command_line(command: &Command, line: &[OsString]) -> Result<CommandLine, ParseError> {
    match command.clone().try_get_matches_from(line) {
        Ok(matches) if matches.subcommand().is_some() || matches.get_flag("no_config") => {
            Ok(CommandLine::Complete(matches))
        }
        Ok(matches) => Ok(CommandLine::Partial(matches)),
        // The missing option may be set in the environment or the file.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {
            let lenient = command.clone().ignore_errors(true);
            let matches = lenient.try_get_matches_from(line);
            matches
                .map(CommandLine::Partial)
                .map_err(|_| parse_error(error, &[]))
        }
        Err(error) => Err(parse_error(error, &[])),
    }
}

/// The options of the environment and the file that no stronger source overrides, the weakest
/// first.
fn entries(
    command: &Command,
    own: &ArgMatches,
) -> Result<(Vec<ConfigEntry>, Vec<String>), CliError> {
    let known = OptionIndex::new(command);
    let given = |id: &&str| own.value_source(id) == Some(ValueSource::CommandLine);
    let mut stronger: Vec<String> = own
        .ids()
        .map(clap::Id::as_str)
        .filter(given)
        .map(str::to_owned)
        .collect();
    let (environment, mut warnings) = environment::entries(&known, std::env::vars_os())?;
    let named = environment.iter().find(|entry| entry.id == "config");
    let path = match (own.get_one::<PathBuf>("config"), named) {
        (Some(path), _) => Some((path.clone(), "--config".to_owned())),
        (None, Some(entry)) => config_file(entry).map(|path| (path, entry.source.to_string())),
        (None, None) => None,
    };
    let (file, file_warnings) = file::entries(&known, path)?;
    warnings.extend(file_warnings);
    let mut all = Vec::new();
    for source in [environment, file] {
        let applies = |entry: &ConfigEntry| {
            entry.id != "config" && !known.is_overridden(&entry.id, &stronger)
        };
        let applied: Vec<_> = source.into_iter().filter(applies).collect();
        stronger.extend(applied.iter().map(|entry| entry.id.clone()));
        all.splice(0..0, applied);
    }
    Ok((all, warnings))
}
