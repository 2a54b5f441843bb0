//! What the command can do besides fetching, each in a module of its own.

use clap::Subcommand;

use crate::exit::Stop;
use crate::{policy, replay, simulate};

/// A subcommand. Without one, the arguments are URLs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lint a policy file, or tell what becomes of a URL by it
    #[command(subcommand)]
    Policy(policy::Command),
    /// Look into a recorded run: prove it, ask what if, tell a URL's story
    Replay(Box<replay::Args>),
    /// Predict a run: the real engine in virtual time, against a modelled site
    Simulate(Box<simulate::Args>),
}

impl Command {
    /// Does it, and says what to exit with.
    ///
    /// # Errors
    ///
    /// If options are wrong, or a file cannot be used.
    pub(crate) fn run(self) -> Result<u8, Stop> {
        match self {
            Self::Policy(command) => policy::run(&command),
            Self::Replay(args) => replay::run(&args),
            Self::Simulate(args) => simulate::run(*args),
        }
    }
}
