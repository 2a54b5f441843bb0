//! One list of URLs for many workers. The list is divided into partitions by host, a queue leases partitions to
//! workers, and an object store or a shared directory holds the list and the results.
//!
//! - [`Results`] is the store: the description of the run, the chunks of each partition's list, and a log per
//!   partition.
//! - [`PartitionLog`] is the log of one partition. An entry is one immutable object that is created only if it
//!   does not exist yet, so two workers cannot both write the same entry: a worker that has lost its lease finds
//!   the entry of its successor in its place, and cannot commit.
//! - [`Queue`] leases partitions; [`RedisQueue`] does it with Redis Streams.
//! - [`LeaseKeeper`] extends the leases of a worker on a separate thread, by the rules of [`fetch_proto::lease`].
//! - [`ListPartitioner`] divides a list.
//!
//! Nothing here is asynchronous: a worker calls it on threads that may block.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod error;
mod identity;
mod keeper;
mod log;
mod partitioner;
mod queue;
mod ranges;
mod redis_queue;
mod results;
mod run;

pub use clock::LeaseClock;
pub use error::ScaleError;
pub use identity::{machine_name, random};
pub use keeper::{LeaseKeeper, StartGate};
pub use log::{EntryHead, EntryKind, PartitionLog};
pub use partitioner::{ListPartitioner, partition_of};
pub use queue::{Lease, LeaseAnswer, Queue, QueueStatus, WorkerReport};
pub use ranges::SeqRanges;
pub use redis_queue::RedisQueue;
pub use results::Results;
pub use run::{PartitionSize, RunDescription};
