//! Suggestions for options of other commands.

use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::config::OptionSource;

/// Options of curl, wget and similar commands that differ here or do not exist.
const FOREIGN_OPTIONS: &[(&[&str], &str)] = &[
    (
        &["-Z", "--parallel", "-N", "--no-buffer"],
        "always on: leave it out",
    ),
    (
        &["--max-threads", "-c", "--connections"],
        "write -j N (--concurrency N); a file for cookies is --cookie-jar FILE",
    ),
    (
        &["-t", "--tries", "--retries", "--max-retries"],
        "write --retry N: N attempts after the first",
    ),
    (
        &["--timeout-sec"],
        "write -m SECONDS, or --timeout PATTERN=SECONDS",
    ),
    (
        &["-W", "--wait", "--delay"],
        "write --rate 1/s or --host-rate 1/s",
    ),
    (&["-P", "--directory-prefix"], "write --output-dir DIR"),
    (
        &["-K"],
        "write --config FILE, a TOML file of options; URLs come with -i FILE",
    ),
    (&["-n"], "write --netrc"),
    (&["-r"], "write --range 0-99"),
    (
        &["--http3", "--http3-only"],
        "this version supports HTTP/1.1 and HTTP/2",
    ),
    (
        &["--socks4", "--socks4a", "--socks5", "--socks5-hostname"],
        "write -x socks5://HOST:PORT, or socks5h:// to resolve names at the proxy",
    ),
    (
        &["-S", "--show-error"],
        "errors are always shown; -s hides progress and summary",
    ),
    (&["--no-check-certificate"], "write -k (--insecure)"),
    (
        &["--limit-rate"],
        "requests can be limited with --rate, bytes cannot",
    ),
];

/// Prints clap's error, or help or version, with a hint if there is one. `sources` are the sources
/// of options other than the command line.
pub(crate) fn report(error: &clap::Error, sources: &[OptionSource]) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() && !sources.is_empty() {
        let all: Vec<_> = sources.iter().map(ToString::to_string).collect();
        let all = all.join(", ");
        let _ = writeln!(std::io::stderr(), "\nnote: options also come from {all}");
    }
    if let Some((option, hint)) = hint(error) {
        let _ = writeln!(std::io::stderr(), "\nhint: for {option}: {hint}");
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn hint(error: &clap::Error) -> Option<(&str, &'static str)> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let name = option.split('=').next().unwrap_or(option);
    let found = FOREIGN_OPTIONS
        .iter()
        .find(|(names, _)| names.contains(&name))?;
    Some((name, found.1))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn options_of_other_commands_get_a_hint() {
        for (arguments, expected) in [
            (&["-Z"][..], "leave it out"),
            (&["-c", "8"], "-j N"),
            (&["--max-threads=8"], "-j N"),
            (&["-P", "dir"], "--output-dir"),
        ] {
            let line = ["fetch-all"].iter().chain(arguments);
            let error = crate::args::CliArgs::try_parse_from(line).unwrap_err();
            let (_, hint) = hint(&error).unwrap_or_else(|| panic!("none for {arguments:?}"));
            assert!(hint.contains(expected), "{arguments:?}: {hint}");
        }
    }

    #[test]
    fn no_hint_is_for_an_existing_option() {
        use clap::CommandFactory;
        let command = crate::args::CliArgs::command();
        for option in command.get_arguments() {
            for (names, _) in FOREIGN_OPTIONS {
                let long = option
                    .get_long()
                    .is_some_and(|l| names.contains(&&*format!("--{l}")));
                let short = option
                    .get_short()
                    .is_some_and(|s| names.contains(&&*format!("-{s}")));
                assert!(!long && !short, "{option}");
            }
        }
    }
}
