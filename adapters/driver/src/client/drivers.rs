//! The drivers behind a fetcher, and how requests are divided among them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fetch_proto::{EngineConfig, EngineSnapshot, EngineStats, Shard};

use crate::driver::command::{DriverCommand, DriverHandle};
use crate::driver::fetches::job::FetchJob;
use crate::fields::hsts::HstsStore;
use crate::lock::lock;
use crate::settings::build_error::BuildError;
use crate::shard::concurrency::SharedConcurrencyLimit;
use crate::shard::shared_limits::SharedLimits;
use crate::transport::clock::Clock;

/// The drivers of a fetcher. All clones of the fetcher, and its streams, share it.
pub(crate) struct DriverSet {
    /// The limits that all drivers share. `None` if there is one driver.
    shared_limits: Option<(Arc<SharedConcurrencyLimit>, Arc<SharedLimits>)>,
    clock: Clock,
    /// Why the fetcher could not be built. Then there are no drivers.
    build_error: Option<String>,
    /// Each driver fetches from a different subset of hosts.
    handles: Vec<DriverHandle>,
    hsts: Option<HstsStore>,
    next_group: AtomicU64,
    /// How many fetches may be active at once.
    window: AtomicUsize,
}

impl DriverSet {
    pub(super) fn new(
        handles: Vec<DriverHandle>,
        window: usize,
        shared_limits: Option<(Arc<SharedConcurrencyLimit>, Arc<SharedLimits>)>,
        hsts: Option<HstsStore>,
        clock: Clock,
    ) -> Self {
        Self {
            shared_limits,
            clock,
            build_error: None,
            handles,
            hsts,
            next_group: AtomicU64::new(0),
            window: AtomicUsize::new(window),
        }
    }

    /// A set without drivers, in which every request fails with this error.
    pub(super) fn failing(error: &BuildError) -> Self {
        Self {
            build_error: Some(error.to_string()),
            ..Self::new(Vec::new(), 1, None, None, Clock::start())
        }
    }

    /// A new number for requests that can be cancelled together.
    pub(super) fn new_group(&self) -> u64 {
        self.next_group.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends jobs to their drivers. If a driver has ended, the jobs are dropped, which reports an
    /// error to their callers.
    pub(super) fn submit(&self, mut jobs: Vec<FetchJob>) {
        if let Some(hsts) = &self.hsts {
            for request in jobs.iter_mut().map(|job| &mut job.request) {
                let upgraded = hsts.upgrade(&request.url).map(Arc::new);
                request.url = upgraded.unwrap_or_else(|| request.url.clone());
            }
        }
        match &self.build_error {
            Some(error) => jobs.iter_mut().for_each(|job| job.sender.reject(error)),
            None if self.handles.len() == 1 => self.send_to(0, DriverCommand::Submit(jobs)),
            None => self.submit_by_host(jobs),
        }
    }

    /// Sends each driver the requests to its hosts.
    fn submit_by_host(&self, jobs: Vec<FetchJob>) {
        let mut by_driver: Vec<Vec<FetchJob>> = self.handles.iter().map(|_| Vec::new()).collect();
        for job in jobs {
            // If the host is part of a target, that driver's engine transfers the fetch.
            let drivers = u32::try_from(by_driver.len()).unwrap_or(u32::MAX);
            by_driver[Shard::owner_of(job.request.url(), drivers) as usize].push(job);
        }
        for (i, jobs) in by_driver.into_iter().enumerate() {
            if !jobs.is_empty() {
                self.send_to(i, DriverCommand::Submit(jobs));
            }
        }
    }

    /// Sends a command. If the driver has ended, the command is dropped, which closes any channel on
    /// which its sender waits for an answer.
    fn send_to(&self, driver: usize, command: DriverCommand) {
        if let Some(handle) = self.handles.get(driver) {
            let _ = handle.commands.try_send(command);
        }
    }

    /// Sends a command to every driver.
    pub(super) fn send_all(&self, command: impl Fn() -> DriverCommand) {
        for i in 0..self.handles.len() {
            self.send_to(i, command());
        }
    }

    /// Replaces the configuration of every driver.
    pub(super) fn set_config(&self, config: &EngineConfig) {
        self.window.store(config.window_size(), Ordering::Relaxed);
        if let Some((concurrency, limits)) = &self.shared_limits {
            concurrency.set_limit(config.concurrency_limit());
            limits.set_config(config);
        }
        self.send_all(|| DriverCommand::Configure(Box::new(config.clone())));
    }

    /// The sum of all drivers' statistics, each as of its last turn.
    pub(super) fn stats(&self) -> EngineStats {
        let handles = self.handles.iter();
        let stats = handles.map(|handle| *lock(&handle.stats));
        stats.reduce(EngineStats::plus).unwrap_or_default()
    }

    /// Adds the limits that all drivers share to the sum of their snapshots.
    pub(super) fn add_shared_limits(&self, snapshot: &mut EngineSnapshot) {
        if let Some((concurrency, limits)) = &self.shared_limits {
            snapshot.concurrency = concurrency.limit();
            snapshot.retries_left = limits.retries_left(self.clock.now());
        }
    }

    pub(super) fn window(&self) -> usize {
        self.window.load(Ordering::Relaxed)
    }

    /// How many fetches may be active in addition to the window, because as many wait for hosts that
    /// are down.
    pub(super) fn extra_window(&self) -> usize {
        let handles = self.handles.iter();
        let waiting = handles.map(|handle| lock(&handle.stats).waiting_for_hosts);
        let most = self
            .window()
            .saturating_mul(EngineConfig::WINDOWS_OF_WAITING);
        waiting.sum::<usize>().min(most)
    }
}

/// Cancels a fetch when its caller drops it.
pub(crate) struct CancelOnDrop {
    pub(super) group: u64,
    /// `None` once there is nothing to cancel.
    pub(super) drivers: Option<Arc<DriverSet>>,
}

impl CancelOnDrop {
    /// Call this when the fetch has ended, so that nothing is cancelled.
    pub(crate) fn disarm(&mut self) {
        self.drivers = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(drivers) = &self.drivers {
            drivers.send_all(|| DriverCommand::Cancel(self.group));
        }
    }
}
