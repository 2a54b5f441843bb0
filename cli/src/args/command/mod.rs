//! The subcommands.

mod cache;
mod policy;
mod replay;
#[cfg(feature = "scale")]
mod scale;
mod simulate;
mod state;

use clap::Subcommand;

pub(crate) use cache::{CacheCommand, ListArgs, PurgeArgs, ShowArgs, StatsArgs, VerifyArgs};
pub(crate) use policy::{ExplainArgs, PolicyCommand};
pub(crate) use replay::{RECORDED_OPTIONS, ReplayArgs};
#[cfg(feature = "scale")]
pub(crate) use scale::{CollectArgs, PlanArgs, StatusArgs, WorkArgs};
pub(crate) use simulate::{EXAMPLE_MODEL, SimulateArgs, SimulatedSiteArgs};
pub(crate) use state::StateCommand;

/// A subcommand. Without one, the arguments are URLs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See, check and clean up the directory of --cache
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Join the records of a run for many workers
    ///
    /// May be run at any time. Exits 20 if URLs have no record yet.
    #[cfg(feature = "scale")]
    Collect(CollectArgs),
    /// Divide a list among many workers
    ///
    /// All URLs of a host are in one partition, and a partition belongs to one worker at a time, so limits per
    /// host are exact over all workers.
    #[cfg(feature = "scale")]
    Plan(Box<PlanArgs>),
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
    /// Show how far a run for many workers is
    #[cfg(feature = "scale")]
    Status(StatusArgs),
    /// Check or repair the directory of --state
    #[command(subcommand)]
    State(StateCommand),
    /// Fetch the URLs of a run for many workers, until all have records
    ///
    /// Any number of workers may be started and stopped at any time. --concurrency and --rate are limits of each
    /// worker, limits per host are limits of all workers together.
    #[cfg(feature = "scale")]
    Work(Box<WorkArgs>),
}
