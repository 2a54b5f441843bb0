//! The policy file: read, checked, and put over the defaults.

use std::path::Path;

use fetch_policy::{PolicyFile, Severity, Wrong};
use fetch_proto::Config;

use crate::exit::CliError;

/// The policy file at `path`, with what the environment says otherwise.
pub(crate) fn read(path: &Path) -> Result<PolicyFile, CliError> {
    PolicyFile::read(path).and_then(overridden).map_err(stop)
}

fn overridden(file: PolicyFile) -> Result<PolicyFile, Wrong> {
    let text = |text: std::ffi::OsString| text.into_string().ok();
    let vars = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
    file.with_env(vars)
}

pub(crate) fn stop(wrong: Wrong) -> CliError {
    match wrong.place {
        None if wrong.why.starts_with("cannot be read") => {
            CliError::file(format!("{wrong}: check the name of the policy file"))
        }
        _ => CliError::usage(wrong.to_string()),
    }
}

/// `base` as the policy file at `path` changes it. What contradicts itself is not taken.
///
/// # Errors
///
/// If the file cannot be used.
pub(crate) fn over(path: &Path, base: &Config) -> Result<Config, CliError> {
    checked(&read(path)?, base)
}

/// The same for a file that changed while it was watched.
///
/// # Errors
///
/// If the file cannot be used.
pub(crate) fn again(file: PolicyFile, base: &Config) -> Result<Config, CliError> {
    checked(&overridden(file).map_err(stop)?, base)
}

fn checked(file: &PolicyFile, base: &Config) -> Result<Config, CliError> {
    let mut findings = file.lint().into_iter();
    match findings.find(|finding| finding.severity == Severity::Error) {
        Some(error) => Err(CliError::usage(error.wrong.to_string())),
        None => file.config_over(base).map_err(stop),
    }
}
