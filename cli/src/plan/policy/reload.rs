//! Reloads the policy file when it changes during a run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fetch_policy::{PolicyFile, PolicyWatcher};
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

    /// The file as it is now, and the configuration with it.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub(crate) fn read(&self) -> Result<(PolicyFile, EngineConfig), CliError> {
        let file = file::read(&self.path)?;
        let config = self.sources.config(Some(&file))?;
        Ok((file, config))
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
