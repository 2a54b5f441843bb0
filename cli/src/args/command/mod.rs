//! The subcommands.

mod cache;
mod policy;
mod replay;
mod simulate;
mod state;

use clap::Subcommand;

pub(crate) use cache::{CacheCommand, ListArgs, PurgeArgs, ShowArgs, StatsArgs, VerifyArgs};
pub(crate) use policy::PolicyCommand;
pub(crate) use replay::{RECORDED_OPTIONS, ReplayArgs};
pub(crate) use simulate::{EXAMPLE_MODEL, SimulateArgs, SimulatedSiteArgs};
pub(crate) use state::StateCommand;

/// A subcommand. Without one, the arguments are URLs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See, check and clean up the directory of --cache
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Lint a policy file, or explain what it means for a URL
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Analyse a recorded run: verify it, try other limits, explain a URL
    ///
    /// The recorded events are fed to the engine, without a network. Without other options every
    /// decision is verified to be the same, bit for bit. With options for speed, retries or timeouts it
    /// computes what the run would have done with them; other options stay as recorded. Where the
    /// recording does not determine a value, a range is given.
    Replay(Box<ReplayArgs>),
    /// Predict a run: the real engine in virtual time, against a simulated site
    Simulate(Box<SimulateArgs>),
    /// Check or repair the directory of --state
    #[command(subcommand)]
    State(StateCommand),
}
