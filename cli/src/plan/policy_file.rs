//! The policy file: read, checked, and put over the defaults.

use std::path::Path;

use fetch_policy::{PolicyFile, Severity, Wrong};
use fetch_proto::Config;

use crate::exit::Stop;

/// The policy file at `path`, with what the environment says otherwise.
pub(crate) fn read(path: &Path) -> Result<PolicyFile, Stop> {
    PolicyFile::read(path).and_then(overridden).map_err(stop)
}

fn overridden(file: PolicyFile) -> Result<PolicyFile, Wrong> {
    let text = |text: std::ffi::OsString| text.into_string().ok();
    let vars = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
    file.with_env(vars)
}

pub(crate) fn stop(wrong: Wrong) -> Stop {
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
