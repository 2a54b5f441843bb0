//! The drivers behind a fetcher, and how requests are divided among them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fetch_proto::Part;

use crate::driver::command::{Command, Handle};
use crate::driver::job::Job;
use crate::settings::build_error::BuildError;
use crate::shard::concurrency::Balance;

/// What all handles to a driver share.
pub(crate) struct Inner {
    /// What several drivers have in common.
    pub(super) balance: Option<Arc<Balance>>,
    /// Why there is no driver, if there is none.
    broken: Option<String>,
    /// Hosts are divided among them.
    pub(super) drivers: Vec<Handle>,
    groups: AtomicU64,
    /// How many fetches may be live at once.
    window: usize,
}

impl Inner {
    pub(crate) fn new(drivers: Vec<Handle>, window: usize, balance: Option<Arc<Balance>>) -> Self {
        Self {
            balance,
            broken: None,
            drivers,
            groups: AtomicU64::new(0),
            window,
        }
    }

    pub(super) fn broken(why: &BuildError) -> Self {
        Self {
            broken: Some(why.to_string()),
            ..Self::new(Vec::new(), 1, None)
        }
    }

    pub(crate) fn group(&self) -> u64 {
        self.groups.fetch_add(1, Ordering::Relaxed)
    }

    /// Hands jobs to the driver. If it is gone, their sinks say so.
    pub(crate) fn submit(&self, mut jobs: Vec<Job>) {
        match &self.broken {
            Some(why) => jobs.iter_mut().for_each(|job| job.sink.refuse(why)),
            None if self.drivers.len() == 1 => self.send_to(0, Command::Submit(jobs)),
            None => self.divide(jobs),
        }
    }

    /// Gives each driver the requests to its hosts.
    fn divide(&self, jobs: Vec<Job>) {
        let mut parts: Vec<Vec<Job>> = self.drivers.iter().map(|_| Vec::new()).collect();
        for job in jobs {
            // Where a host is part of a target, its engine knows better, and sends it on.
            let of = u32::try_from(parts.len()).unwrap_or(u32::MAX);
            parts[Part::owner(job.request.url(), of) as usize].push(job);
        }
        for (i, part) in parts.into_iter().enumerate() {
            if !part.is_empty() {
                self.send_to(i, Command::Submit(part));
            }
        }
    }

    /// If the driver is gone, so are those who wait for an answer.
    fn send_to(&self, driver: usize, command: Command) {
        if let Some(driver) = self.drivers.get(driver) {
            let _ = driver.commands.try_send(command);
        }
    }

    /// Tells all drivers.
    pub(crate) fn send_all(&self, command: impl Fn() -> Command) {
        for i in 0..self.drivers.len() {
            self.send_to(i, command());
        }
    }

    pub(crate) fn window(&self) -> usize {
        self.window
    }
}

/// Cancels a fetch when its caller goes away.
pub(crate) struct CancelOnDrop {
    pub(super) group: u64,
    pub(super) inner: Option<Arc<Inner>>,
}

impl CancelOnDrop {
    /// The fetch is over: there is nothing to cancel.
    pub(crate) fn disarm(&mut self) {
        self.inner = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(inner) = &self.inner {
            inner.send_all(|| Command::Cancel(self.group));
        }
    }
}
