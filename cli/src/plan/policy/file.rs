//! Reads and checks the policy file, and applies it to a configuration.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use fetch_policy::{PolicyError, PolicyFile, Severity};
use fetch_proto::EngineConfig;

use crate::exit::CliError;

/// Reads the policy file at `path`, with the overrides of the environment.
pub(crate) fn read(path: &Path) -> Result<PolicyFile, CliError> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| {
        CliError::file(format!(
            "{name}: cannot be read: {error}: check the name of the policy file"
        ))
    })?;
    with_env(PolicyFile::parse(&name, &text))
}

/// The command's error for a policy that is not valid.
pub(crate) fn error(wrong: PolicyError) -> CliError {
    CliError::usage(wrong.to_string())
}

/// A parsed file with the overrides of the environment.
///
/// # Errors
///
/// If the file or a variable cannot be used.
pub(super) fn with_env(file: Result<PolicyFile, PolicyError>) -> Result<PolicyFile, CliError> {
    let text = |text: OsString| text.into_string().ok();
    let vars = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
    file.and_then(|file| file.with_env(vars)).map_err(error)
}

/// Applies a policy file to `base`. A file with contradictions is rejected.
///
/// # Errors
///
/// If the file cannot be used.
pub(crate) fn apply(file: &PolicyFile, base: &EngineConfig) -> Result<EngineConfig, CliError> {
    let mut findings = file.lint().into_iter();
    match findings.find(|finding| finding.severity == Severity::Error) {
        Some(finding) => Err(CliError::usage(finding.error.to_string())),
        None => file.config_over(base).map_err(error),
    }
}
