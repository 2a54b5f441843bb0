//! Reloads the policy file when it changes during a run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fetch_driver::Settings;
use fetch_policy::PolicyWatcher;
use fetch_proto::EngineConfig;

use super::{file, overlay};
use crate::args::explicit::ExplicitOptions;
use crate::args::{CliArgs, LimitArgs, RetryArgs, TimeoutArgs};
use crate::exit::CliError;

/// How often the file is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// What it takes to build the configuration again from the file.
pub(crate) struct PolicyReload {
    /// The configuration without the policy file: options and defaults.
    base: EngineConfig,
    explicit: ExplicitOptions,
    last_check: Instant,
    path: PathBuf,
    retry: RetryArgs,
    limits: LimitArgs,
    timeouts: TimeoutArgs,
    watcher: PolicyWatcher,
}

impl PolicyReload {
    pub(crate) fn new(path: PathBuf, settings: &Settings, args: &CliArgs) -> Self {
        Self {
            base: settings.config.clone(),
            explicit: args.explicit.clone(),
            last_check: Instant::now(),
            retry: args.retry.clone(),
            limits: args.limits.clone(),
            timeouts: args.timeouts.clone(),
            watcher: PolicyWatcher::new(&path),
            path,
        }
    }

    /// Builds the configuration: explicit options over the file over the defaults.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub(crate) fn config(&self) -> Result<EngineConfig, CliError> {
        self.with_options(file::load(&self.path, &self.base)?)
    }

    /// Checks the file. If it changed: the new configuration, or why it cannot be used.
    pub(crate) fn poll(&mut self) -> Option<Result<EngineConfig, CliError>> {
        if self.last_check.elapsed() < CHECK_INTERVAL {
            return None;
        }
        self.last_check = Instant::now();
        Some(match self.watcher.poll()? {
            Ok(policy) => {
                file::apply(policy, &self.base).and_then(|config| self.with_options(config))
            }
            Err(wrong) => Err(CliError::usage(wrong.to_string())),
        })
    }

    fn with_options(&self, config: EngineConfig) -> Result<EngineConfig, CliError> {
        overlay::apply(
            &self.explicit,
            config,
            &self.limits,
            &self.retry,
            &self.timeouts,
        )
    }
}
