//! What the command can do besides fetching, each in a module of its own.

mod policy;
mod replay;
mod simulate;

use clap::Subcommand;

pub(crate) use policy::PolicyCommand;
pub(crate) use replay::{FIXED, ReplayArgs};
pub(crate) use simulate::{EXAMPLE, SimulateArgs, SiteArgs};

/// A subcommand. Without one, the arguments are URLs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lint a policy file, or tell what becomes of a URL by it
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Look into a recorded run: prove it, ask what if, tell a URL's story
    Replay(Box<ReplayArgs>),
    /// Predict a run: the real engine in virtual time, against a modelled site
    Simulate(Box<SimulateArgs>),
}
