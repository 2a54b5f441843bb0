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
    PolicyFile::parse(&name, &text)
        .and_then(overridden)
        .map_err(error)
}

fn overridden(file: PolicyFile) -> Result<PolicyFile, PolicyError> {
    let text = |text: OsString| text.into_string().ok();
    let vars = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
    file.with_env(vars)
}

/// The command's error for a policy that is not valid.
pub(crate) fn error(wrong: PolicyError) -> CliError {
    CliError::usage(wrong.to_string())
}

/// Applies the policy file at `path` to `base`. A file with contradictions is rejected.
///
/// # Errors
///
/// If the file cannot be used.
pub(crate) fn load(path: &Path, base: &EngineConfig) -> Result<EngineConfig, CliError> {
    checked(&read(path)?, base)
}

/// Applies a policy file that changed during the run to `base`.
///
/// # Errors
///
/// If the file cannot be used.
pub(super) fn apply(file: PolicyFile, base: &EngineConfig) -> Result<EngineConfig, CliError> {
    checked(&overridden(file).map_err(error)?, base)
}

fn checked(file: &PolicyFile, base: &EngineConfig) -> Result<EngineConfig, CliError> {
    let mut findings = file.lint().into_iter();
    match findings.find(|finding| finding.severity == Severity::Error) {
        Some(finding) => Err(CliError::usage(finding.error.to_string())),
        None => file.config_over(base).map_err(error),
    }
}
