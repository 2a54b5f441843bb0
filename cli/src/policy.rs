//! `fetch-all policy`, and what `--policy` means for the other commands.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fetch_policy::{PolicyFile, Severity, Wrong};
use fetch_proto::{Config, Method};
use url::Url;

use crate::exit::Stop;

/// What to do with a policy file.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find mistakes and contradictions; exits 1 if there is an error
    Check(Check),
    /// Tell which rule a URL matches, and the whole plan of its attempts
    Explain(Explain),
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The policy file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The policy file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The URL
    #[arg(value_name = "URL")]
    url: Url,

    /// Method of the request
    #[arg(
        short = 'X',
        long = "request",
        value_name = "METHOD",
        default_value = "GET"
    )]
    method: Method,
}

/// Does it, and says what to exit with.
///
/// # Errors
///
/// If the file cannot be used.
pub(crate) fn run(command: &Command) -> Result<u8, Stop> {
    match command {
        Command::Check(args) => check(&args.file),
        Command::Explain(args) => {
            let plan = read(&args.file)?.explain(&args.method, &args.url);
            print(&format!("{}\n", plan.map_err(stop)?));
            Ok(0)
        }
    }
}

fn check(path: &Path) -> Result<u8, Stop> {
    let findings = match read(path) {
        Ok(file) => file.lint(),
        // All mistakes are told, and where the file cannot be read, or the environment is wrong, that.
        Err(stop) => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let findings = PolicyFile::check(&path.display().to_string(), &text);
            let refused = findings.iter().any(|one| one.severity == Severity::Error);
            refused.then_some(findings).ok_or(stop)?
        }
    };
    let mut text: String = findings
        .iter()
        .map(|finding| format!("{finding}\n\n"))
        .collect();
    let count = |severity| {
        findings
            .iter()
            .filter(|one| one.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    text += &match (errors, warnings) {
        (0, 0) => format!("{}: nothing to object to\n", path.display()),
        _ => format!("{}: {errors} errors, {warnings} warnings\n", path.display()),
    };
    print(&text);
    Ok(u8::from(errors > 0))
}

fn print(text: &str) {
    // Who reads it may have enough: that is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// The policy file at `path`, with what the environment says otherwise.
fn read(path: &Path) -> Result<PolicyFile, Stop> {
    PolicyFile::read(path).and_then(overridden).map_err(stop)
}

fn overridden(file: PolicyFile) -> Result<PolicyFile, Wrong> {
    let text = |text: std::ffi::OsString| text.into_string().ok();
    let vars = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
    file.with_env(vars)
}

fn stop(wrong: Wrong) -> Stop {
    match wrong.place {
        None if wrong.why.starts_with("cannot be read") => {
            Stop::file(format!("{wrong}: check the name of the policy file"))
        }
        _ => Stop::usage(wrong.to_string()),
    }
}

/// `base` as the policy file at `path` changes it. What contradicts itself is not taken.
///
/// # Errors
///
/// If the file cannot be used.
pub(crate) fn over(path: &Path, base: &Config) -> Result<Config, Stop> {
    checked(&read(path)?, base)
}

/// The same for a file that changed while it was watched.
///
/// # Errors
///
/// If the file cannot be used.
pub(crate) fn again(file: PolicyFile, base: &Config) -> Result<Config, Stop> {
    checked(&overridden(file).map_err(stop)?, base)
}

fn checked(file: &PolicyFile, base: &Config) -> Result<Config, Stop> {
    let mut findings = file.lint().into_iter();
    match findings.find(|finding| finding.severity == Severity::Error) {
        Some(error) => Err(Stop::usage(error.wrong.to_string())),
        None => file.config_over(base).map_err(stop),
    }
}
