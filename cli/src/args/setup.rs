//! The options about options.

use std::path::PathBuf;

use clap::{Args as Group, ValueEnum};

#[derive(Debug, Group)]
#[command(next_help_heading = "Setup")]
pub(crate) struct SetupOptions {
    /// TOML file of options, by their long names [default: ~/.config/fetch-all/config.toml]
    ///
    /// Such as: max-time = 10, location = true, header = ["X-A: 1"]. The command line wins over
    /// the environment (FETCH_ALL_MAX_TIME=10), that over the file, that over the defaults; several
    /// values of one option all come from the strongest.
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    pub(crate) config: Option<PathBuf>,

    /// Take options from the command line alone
    #[arg(long)]
    pub(crate) no_config: bool,

    /// Print the options that count, and where each comes from; fetch nothing
    #[arg(long)]
    pub(crate) print_config: bool,

    /// Print a man page or a shell's completions; fetch nothing
    #[arg(long, value_name = "KIND")]
    pub(crate) generate: Option<GeneratedFile>,
}

/// What can be printed for others to read.
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
