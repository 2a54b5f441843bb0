//! The queue that leases partitions.

use serde::{Deserialize, Serialize};

use crate::error::ScaleError;

/// A partition that the queue has given to this worker for some time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lease {
    /// The partition.
    pub partition: u32,
    /// The queue's name for this delivery.
    pub id: String,
}

/// The answer to a request for leases.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LeaseAnswer {
    /// The new leases.
    pub leases: Vec<Lease>,
    /// The partitions that are not complete: leased by any worker, or waiting.
    pub incomplete: u64,
}

/// What a worker reports about itself with each extension.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct WorkerReport {
    /// The lines that have records, since the worker has started.
    pub lines: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Lines per second, lately.
    pub rate: f64,
    /// The partitions that it holds, and how many lines of each have records.
    pub partitions: Vec<(u32, u64)>,
    /// Seconds since the report. The queue sets it when the report is read.
    #[serde(default)]
    pub age: u64,
}

/// The state of a run in the queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueStatus {
    /// The partitions that are not complete.
    pub incomplete: u64,
    /// How many of them are leased.
    pub leased: u64,
    /// The workers that have reported, by name.
    pub workers: Vec<(String, WorkerReport)>,
}

/// Gives partitions to workers, each to one worker at a time, until it is acknowledged. A lease ends some time
/// after it was given or extended, and then the partition is given to another worker.
///
/// All methods may block, but not longer than some seconds.
pub trait Queue: Send {
    /// Adds those of the partitions that are not in the queue. Returns how many those are.
    ///
    /// # Errors
    ///
    /// If the queue cannot be reached.
    fn add(&mut self, partitions: &[u32]) -> Result<u64, ScaleError>;

    /// Leases up to `max` partitions.
    ///
    /// # Errors
    ///
    /// If the queue cannot be reached, or does not know the run.
    fn lease(&mut self, max: usize) -> Result<LeaseAnswer, ScaleError>;

    /// Extends leases. Returns the partitions that still belong to this worker.
    ///
    /// # Errors
    ///
    /// If the queue cannot be reached, or does not know the run.
    fn extend(&mut self, leases: &[Lease], report: &WorkerReport) -> Result<Vec<u32>, ScaleError>;

    /// Removes a complete partition from the queue, if the lease is still this worker's.
    ///
    /// # Errors
    ///
    /// If the queue cannot be reached, or does not know the run.
    fn done(&mut self, lease: &Lease) -> Result<(), ScaleError>;

    /// Returns a partition, so that another worker gets it at once, if the lease is still this worker's.
    ///
    /// # Errors
    ///
    /// If the queue cannot be reached, or does not know the run.
    fn give_back(&mut self, lease: &Lease) -> Result<(), ScaleError>;

    /// The state of the run.
    ///
    /// # Errors
    ///
    /// If the queue cannot be reached, or does not know the run.
    fn status(&mut self) -> Result<QueueStatus, ScaleError>;
}
