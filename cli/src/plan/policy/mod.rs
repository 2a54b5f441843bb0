//! The policy of each URL. The sources and their order are described at
//! [`PolicyPatch`](fetch_proto::PolicyPatch).

pub(crate) mod file;
pub(crate) mod options;
mod reload;
mod retry_conditions;
#[cfg(test)]
mod tests;

use fetch_policy::PolicyFile;
use fetch_proto::EngineConfig;

use crate::args::CliArgs;
use crate::exit::CliError;
use options::OptionLayer;
pub(crate) use reload::PolicyReload;

/// The sources of the configuration that do not change during a run.
pub(crate) struct PolicySources {
    defaults: EngineConfig,
    options: OptionLayer,
}

impl PolicySources {
    /// The command's defaults and its options.
    ///
    /// # Errors
    ///
    /// If rules cannot be compiled.
    pub(super) fn new(args: &CliArgs) -> Result<Self, CliError> {
        Ok(Self {
            defaults: options::defaults(args)?,
            options: OptionLayer::of_run(args),
        })
    }

    /// The options over the policy file over the defaults. The file includes the overrides of the
    /// environment.
    ///
    /// # Errors
    ///
    /// If the file has contradictions, or rules cannot be compiled.
    pub(super) fn config(&self, file: Option<&PolicyFile>) -> Result<EngineConfig, CliError> {
        self.options.apply(match file {
            Some(file) => file::apply(file, &self.defaults)?,
            None => self.defaults.clone(),
        })
    }
}
