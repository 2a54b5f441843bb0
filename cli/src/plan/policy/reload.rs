//! Reloads the policy file when it changes during a run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fetch_policy::PolicyWatcher;
use fetch_proto::EngineConfig;

use super::{PolicySources, file};
use crate::exit::CliError;

/// How often the file is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Watches the policy file, and builds the configuration again from it.
pub(crate) struct PolicyReload {
    last_check: Instant,
    path: PathBuf,
    sources: PolicySources,
    watcher: PolicyWatcher,
}

impl PolicyReload {
    pub(crate) fn new(path: PathBuf, sources: PolicySources) -> Self {
        Self {
            last_check: Instant::now(),
            sources,
            watcher: PolicyWatcher::new(&path),
            path,
        }
    }

    /// The configuration with the file as it is now.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub(crate) fn config(&self) -> Result<EngineConfig, CliError> {
        self.sources.config(Some(&file::read(&self.path)?))
    }

    /// Checks the file. If it changed: the new configuration, or why it cannot be used.
    pub(crate) fn poll(&mut self) -> Option<Result<EngineConfig, CliError>> {
        if self.last_check.elapsed() < CHECK_INTERVAL {
            return None;
        }
        self.last_check = Instant::now();
        let file = file::with_env(self.watcher.poll()?);
        Some(file.and_then(|file| self.sources.config(Some(&file))))
    }
}
