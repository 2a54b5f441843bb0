//! What a driver is asked to do, and the handle to it.

use std::sync::{Arc, Mutex};

use async_channel::Sender;
use fetch_proto::Stats;

use super::job::Job;
use super::migrating::Passenger;

/// A message to the loop.
pub(crate) enum Command {
    /// Goes on with fetches of another driver.
    Adopt(Box<fetch_proto::Moved>, Vec<Option<Passenger>>),
    /// Ends all fetches of this group.
    Cancel(u64),
    /// Adds fetches.
    Submit(Vec<Job>),
    /// Takes over another configuration.
    Configure(Box<fetch_proto::Config>),
    /// Sets the least time between two attempts at this host.
    CrawlDelay(Box<str>, core::time::Duration),
    /// Tells how it stands with this host.
    HostStats(Box<str>, Sender<Option<fetch_proto::HostStats>>),
    /// Ends the fetches of this group that are not in flight.
    WindDown(u64),
}

/// The way to a driver, and what it has told last.
pub(crate) struct Handle {
    pub(crate) commands: Sender<Command>,
    pub(crate) stats: Arc<Mutex<Stats>>,
}
