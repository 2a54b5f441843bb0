//! The policy file under the options, now and whenever it has changed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fetch_driver::Settings;
use fetch_policy::Watcher;
use fetch_proto::Config;

use super::{overlay, policy_file};
use crate::args::given::ExplicitOptions;
use crate::args::{CliArgs, LimitOptions, RetryOptions, TimeoutOptions};
use crate::exit::CliError;

/// How often the file is looked at.
const PAUSE: Duration = Duration::from_secs(1);

/// What is needed to make the configuration anew from the file.
pub(crate) struct PolicyReload {
    /// The options, with the defaults of those that are not given.
    base: Config,
    given: ExplicitOptions,
    looked: Instant,
    path: PathBuf,
    retry: RetryOptions,
    speed: LimitOptions,
    time: TimeoutOptions,
    watcher: Watcher,
}

impl PolicyReload {
    pub(crate) fn new(path: PathBuf, settings: &Settings, args: &CliArgs) -> Self {
        Self {
            base: settings.engine_config(),
            given: args.given.clone(),
            looked: Instant::now(),
            retry: args.retry.clone(),
            speed: args.speed.clone(),
            time: args.time.clone(),
            watcher: Watcher::new(&path),
            path,
        }
    }

    /// The configuration: the options that are given over the file over the defaults.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub(crate) fn config(&self) -> Result<Config, CliError> {
        self.under_options(policy_file::over(&self.path, &self.base)?)
    }

    /// The new configuration if the file has changed, or why there is none.
    pub(crate) fn poll(&mut self) -> Option<Result<Config, CliError>> {
        if self.looked.elapsed() < PAUSE {
            return None;
        }
        self.looked = Instant::now();
        Some(match self.watcher.poll()? {
            Ok(file) => {
                policy_file::again(file, &self.base).and_then(|config| self.under_options(config))
            }
            Err(wrong) => Err(CliError::usage(wrong.to_string())),
        })
    }

    fn under_options(&self, config: Config) -> Result<Config, CliError> {
        overlay::config(&self.given, config, &self.speed, &self.retry, &self.time)
    }
}
