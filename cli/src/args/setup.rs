//! The options for configuration files, the man page and completions.

use std::path::PathBuf;

use clap::{Args as Group, ValueEnum};

#[derive(Debug, Group)]
#[command(next_help_heading = "Setup")]
pub(crate) struct SetupArgs {
    /// TOML file of options, by their long names [default: ~/.config/fetch-all/config.toml]
    ///
    /// For example: max-time = 10, location = true, header = ["X-A: 1"]. The command line takes
    /// precedence over the environment (FETCH_ALL_MAX_TIME=10), that over the file, and the file over
    /// the defaults; all values of a repeatable option come from the same source.
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    pub(crate) config: Option<PathBuf>,

    /// Ignore the configuration file and the environment
    #[arg(long)]
    pub(crate) no_config: bool,

    /// Print the options in effect with the source of each, and fetch nothing
    #[arg(long)]
    pub(crate) print_config: bool,

    /// Print a man page or a shell's completions, and fetch nothing
    #[arg(long, value_name = "KIND")]
    pub(crate) generate: Option<GeneratedFile>,
}

/// The value of `--generate`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum GeneratedFile {
    CompleteBash,
    CompleteElvish,
    CompleteFish,
    #[value(name = "complete-powershell")]
    CompletePowerShell,
    CompleteZsh,
    Man,
}
