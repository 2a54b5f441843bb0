//! The words of the command line, brought into the form that clap parses: `--name=value` for each
//! option, then `--` and the URLs.
//!
//! Words mean what they mean to curl: flags are combined, a value may begin with a dash, options of
//! curl that go without saying are accepted, and `-K` files are read in place.

mod curl_file;
mod curl_options;
mod equivalents;
mod hints;
mod urls;

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command};
use clap_lex::{ParsedArg, RawArgs};

use super::known::OptionIndex;
use crate::display::sanitize;
use crate::exit::CliError;
use equivalents::{Equivalent, equivalent};

pub(super) use hints::taken_url;

/// The options of a file in curl's syntax: their lines, names and values.
pub(crate) fn curl_options(text: &str) -> Vec<(usize, String, Option<String>)> {
    let options = curl_file::parse(text);
    options
        .map(|option| (option.line, option.name, option.value))
        .collect()
}

/// Brings the words of the command line into the form that clap parses.
///
/// # Errors
///
/// If a word is no option, URL or command, a value is missing, or a `-K` file cannot be used.
pub(super) fn normalize(command: &Command, line: Vec<OsString>) -> Result<Vec<OsString>, CliError> {
    let words = RawArgs::new(line);
    let mut cursor = words.cursor();
    let mut whole: Vec<OsString> = words
        .next_os(&mut cursor)
        .map(OsStr::to_owned)
        .into_iter()
        .collect();
    let mut command = command;
    while let Some(sub) = words
        .peek_os(&cursor)
        .and_then(|word| command.find_subcommand(word))
    {
        whole.extend(words.next_os(&mut cursor).map(OsStr::to_owned));
        if sub.get_name() == "help" {
            whole.extend(words.remaining(&mut cursor).map(OsStr::to_owned));
            return Ok(whole);
        }
        command = sub;
    }
    if command.get_name() == "fetch-all"
        && let Some(hint) = hints::words_hint(words.remaining(&mut cursor.clone()))
    {
        return Err(CliError::usage(hint));
    }
    let mut normal = NormalLine::new(command);
    normal.add(&words, &mut cursor)?;
    normal.check_stdin()?;
    normal.allow_data_of_head();
    whole.extend(normal.options);
    if !normal.operands.is_empty() {
        whole.push("--".into());
        whole.extend(normal.operands);
    }
    Ok(whole)
}

/// Whether a line of this text is an option in the syntax of `-K` files, but not in TOML.
pub(super) fn is_curl_syntax(known: &OptionIndex<'_>, text: &str) -> bool {
    let is_option = |option: curl_file::FileOption| {
        let name = option.name.trim_start_matches('-');
        option.name.starts_with('-') || known.find(name).is_some() || name == "url"
    };
    curl_file::parse(text).next().is_some_and(is_option)
}

/// Takes the next word as a value. If the value is optional, a word that begins with a dash is none.
type NextWord<'a> = dyn FnMut(bool) -> Option<OsString> + 'a;

struct NormalLine<'a> {
    command: &'a Command,
    options: Vec<OsString>,
    /// URLs, or the operands of a subcommand.
    operands: Vec<OsString>,
    /// The `-K` files that are being read.
    files: Vec<OsString>,
    /// Whether a `-K` file was read from stdin.
    has_read_stdin: bool,
    /// Whether help or the version is asked for, which ends the line.
    is_complete: bool,
}

impl<'a> NormalLine<'a> {
    fn new(command: &'a Command) -> Self {
        Self {
            command,
            options: Vec::new(),
            operands: Vec::new(),
            files: Vec::new(),
            has_read_stdin: false,
            is_complete: false,
        }
    }

    fn add(&mut self, words: &RawArgs, cursor: &mut clap_lex::ArgCursor) -> Result<(), CliError> {
        while let Some(word) = words.next(cursor) {
            if self.is_complete {
                break;
            }
            let mut next = |is_optional: bool| {
                let next = words.peek_os(cursor)?;
                let is_option = next.as_encoded_bytes().starts_with(b"-");
                let next = (!is_optional || !is_option).then(|| next.to_owned())?;
                words.next_os(cursor);
                Some(next)
            };
            if word.is_escape() {
                self.operands
                    .extend(words.remaining(cursor).map(OsStr::to_owned));
            } else if let Some((name, value)) = word.to_long() {
                let name = name.map_err(|_| not_an_option(&word))?;
                self.add_long(name, value.map(OsStr::to_owned), &mut next)?;
            } else if word.to_short().is_some() {
                self.add_shorts(&word, &mut next)?;
            } else {
                self.add_operand(word.to_value_os())?;
            }
        }
        Ok(())
    }

    /// Adds the option of this long name. Its value comes after `=`, or is the next word.
    fn add_long(
        &mut self,
        name: &str,
        value: Option<OsString>,
        next: &mut NextWord<'_>,
    ) -> Result<(), CliError> {
        let shown = format!("--{name}");
        let arg = self.command.get_arguments().find(|arg| has_long(arg, name));
        match arg {
            Some(arg) => self.add_option(&shown, arg, value, next),
            None => self.add_equivalent(&shown, name, value, next),
        }
    }

    /// Adds the flags of a word such as `-fsSL`. The rest of the word after an option that has a
    /// value is this value.
    fn add_shorts(
        &mut self,
        word: &ParsedArg<'_>,
        next: &mut NextWord<'_>,
    ) -> Result<(), CliError> {
        let Some(mut flags) = word.to_short() else {
            return Ok(());
        };
        while let Some(flag) = flags.next_flag() {
            let flag = flag.map_err(|_| not_an_option(word))?;
            let shown = format!("-{flag}");
            let arg = self.command.get_arguments();
            let arg = arg.into_iter().find(|arg| arg.get_short() == Some(flag));
            let takes_rest = arg.is_some_and(|arg| arg.get_action().takes_values());
            let rest = takes_rest.then(|| flags.next_value_os()).flatten();
            let rest = rest.map(OsStr::to_owned);
            let added = match arg {
                Some(arg) => self.add_option(&shown, arg, rest, next),
                None => self.add_equivalent(&shown, flag.encode_utf8(&mut [0; 4]), None, next),
            };
            added.map_err(|error| self.explain_word(word, error))?;
        }
        Ok(())
    }

    /// Says that `-help` means `--help`.
    fn explain_word(&self, word: &ParsedArg<'_>, error: CliError) -> CliError {
        let name = word.to_value().ok().and_then(|word| word.strip_prefix('-'));
        let name = name.filter(|name| name.chars().count() > 2);
        match name.filter(|name| self.command.get_arguments().any(|arg| has_long(arg, name))) {
            Some(name) => CliError::usage(format!("-{name}: write --{name}")),
            None => error,
        }
    }

    fn add_option(
        &mut self,
        shown: &str,
        arg: &Arg,
        value: Option<OsString>,
        next: &mut NextWord<'_>,
    ) -> Result<(), CliError> {
        let id = arg.get_id().as_str();
        if matches!(
            arg.get_action(),
            ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
        ) {
            self.options.push(shown.into());
            self.is_complete = true;
            return Ok(());
        }
        if !arg.get_action().takes_values() {
            if value.is_some() {
                return Err(CliError::usage(format!(
                    "{shown}: takes no value: write {shown} alone"
                )));
            }
            self.options.push(spelled(arg));
            return Ok(());
        }
        let is_optional = arg
            .get_num_args()
            .is_some_and(|range| range.min_values() == 0);
        let value = match value {
            None if is_optional => next(true),
            None => Some(next(false).ok_or_else(|| missing_value(shown, arg))?),
            value => value,
        };
        if id == "curl_config" {
            return self.add_file(shown, &value.unwrap_or_default());
        }
        let mut word = spelled(arg);
        if let Some(value) = value {
            word.push("=");
            word.push(value);
        }
        self.options.push(word);
        Ok(())
    }

    /// Adds what stands for an option of curl that does not exist here.
    fn add_equivalent(
        &mut self,
        shown: &str,
        name: &str,
        value: Option<OsString>,
        next: &mut NextWord<'_>,
    ) -> Result<(), CliError> {
        match equivalent(name) {
            Some(Equivalent::Always) => Ok(()),
            Some(Equivalent::Flag(long)) => self.add_long(long, value, next),
            Some(Equivalent::Proxy(scheme)) => {
                let value = value.or_else(|| next(false));
                let value = value.ok_or_else(|| {
                    CliError::usage(format!("{shown}: its value is missing: write HOST:PORT"))
                })?;
                let mut word = OsString::from(scheme);
                word.push(value);
                self.add_long("proxy", Some(word), next)
            }
            None => Err(self.unknown(shown, name)),
        }
    }

    fn unknown(&self, shown: &str, name: &str) -> CliError {
        if let Some(hint) = hints::hint(name).filter(|_| self.command.get_name() == "fetch-all") {
            return CliError::usage(format!("{shown}: {hint}"));
        }
        let known = OptionIndex::new(self.command);
        let shown = sanitize(shown.as_bytes());
        let hyphens = name.replace('_', "-");
        let similar = known.find(&hyphens).and_then(Arg::get_long);
        let similar = similar.or_else(|| known.suggest(&hyphens).filter(|_| name.len() > 1));
        let advice = match similar {
            Some(similar) => format!("did you mean --{similar}?"),
            None => "--help lists all options".to_owned(),
        };
        CliError::usage(format!("{shown}: there is no such option: {advice}"))
    }

    fn add_operand(&mut self, word: &OsStr) -> Result<(), CliError> {
        // The operands of a subcommand are files.
        if self
            .command
            .get_arguments()
            .any(|arg| arg.get_id() == "urls")
        {
            urls::check(self.command, word)?;
        }
        self.operands.push(word.to_owned());
        Ok(())
    }

    /// With `-G` the data is no body, so `-I` does not exclude it, as a HEAD request does that has one.
    fn allow_data_of_head(&mut self) {
        if self.options.iter().any(|option| option == "--get") {
            let heads = self.options.iter_mut().filter(|option| *option == "--head");
            heads.for_each(|head| *head = "--request=HEAD".into());
        }
    }

    /// Stdin is read once.
    fn check_stdin(&self) -> Result<(), CliError> {
        let takes_stdin = |word: &&OsString| *word == "--input-file=-" || *word == "--url=@-";
        match self.options.iter().find(takes_stdin) {
            Some(_) if self.has_read_stdin => Err(CliError::usage(
                "-K - and -i -: stdin can be read only once: write a file for one of them",
            )),
            _ => Ok(()),
        }
    }
}

/// Whether it is a name of the option, which may be hidden.
fn has_long(arg: &Arg, name: &str) -> bool {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    arg.get_long() == Some(name) || aliases.contains(&name)
}

/// The option as clap parses it.
fn spelled(arg: &Arg) -> OsString {
    match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}").into(),
        (None, short) => format!("-{}", short.unwrap_or_default()).into(),
    }
}

fn missing_value(shown: &str, arg: &Arg) -> CliError {
    let names = arg.get_value_names().unwrap_or_default();
    let name = names.first().map_or("VALUE", |name| name.as_str());
    CliError::usage(format!(
        "{shown}: its value is missing: write {shown} {name}"
    ))
}

fn not_an_option(word: &ParsedArg<'_>) -> CliError {
    let shown = sanitize(word.to_value_os().as_encoded_bytes());
    CliError::usage(format!(
        "{shown}: there is no such option: --help lists all options"
    ))
}
