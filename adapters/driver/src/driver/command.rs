//! Commands to a driver, and the handle that sends them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_channel::Sender;
use fetch_proto::{
    ActiveDownload, EngineConfig, EngineSnapshot, EngineStats, FetchTransfer, HostStats,
    WaitingHost,
};

use crate::driver::fetches::job::FetchJob;
use crate::driver::fetches::migrating::MigratingFetch;

/// A command to a driver.
pub(crate) enum DriverCommand {
    /// Continues fetches of another driver.
    Adopt(Box<FetchTransfer>, Vec<Option<MigratingFetch>>),
    /// Cancels all fetches of this group.
    Cancel(u64),
    /// Replaces the engine's configuration.
    Configure(Box<EngineConfig>),
    /// Sets the minimum time between two attempts at this host.
    SetCrawlDelay(Box<str>, Duration),
    /// Sends the bodies that have been arriving for at least this time.
    SendDownloads(Duration, Sender<Vec<ActiveDownload>>),
    /// Sends the state of this host.
    SendHostStats(Box<str>, Sender<Option<HostStats>>),
    /// Sends the state of the engine.
    SendSnapshot(Sender<EngineSnapshot>),
    /// Sends the hosts that are waited for.
    SendWaitingHosts(Sender<Vec<WaitingHost>>),
    /// Adds fetches.
    Submit(Vec<FetchJob>),
    /// Cancels the fetches of this group that are not in flight.
    WindDown(u64),
}

/// The command channel of a driver, and its latest statistics.
pub(crate) struct DriverHandle {
    pub(crate) commands: Sender<DriverCommand>,
    pub(crate) stats: Arc<Mutex<EngineStats>>,
}
