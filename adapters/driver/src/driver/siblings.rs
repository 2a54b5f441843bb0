//! The other drivers of a fetcher with several threads: what they share, and fetches that move
//! between them.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use async_channel::WeakSender;
use fetch_proto::{Config, FetchId, Moved, Part, Timestamp};

use crate::driver::command::Command;
use crate::driver::fetches::migrating::MigratingFetch;
use crate::driver::fetches::table::FetchTable;
use crate::shard::concurrency::ConcurrencyShare;
use crate::shard::limits::Limits;
use crate::telemetry::recording::DriverEngine;

/// Command channels of all drivers, set once all exist. Weak, so drivers do not keep each other alive.
pub(crate) type DriverSenders = Arc<OnceLock<Vec<WeakSender<Command>>>>;

/// How many cancelled groups are remembered, for fetches that were on the way to this driver.
const REMEMBERED_GROUPS: usize = 1024;

/// What one of several drivers knows of the others and shares with them.
pub(crate) struct Siblings {
    /// Groups that were cancelled or wound down recently.
    cancelled: VecDeque<u64>,
    concurrency: ConcurrencyShare,
    limits: Limits,
    senders: DriverSenders,
    /// The hosts of this driver.
    shard: Part,
}

impl Siblings {
    /// The siblings of driver `index` among `count` drivers.
    pub(crate) fn new(
        index: usize,
        count: usize,
        senders: DriverSenders,
        concurrency: ConcurrencyShare,
        limits: Limits,
    ) -> Self {
        let number = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            cancelled: VecDeque::new(),
            concurrency,
            limits,
            senders,
            shard: Part {
                index: number(index),
                of: number(count),
            },
        }
    }

    /// Restricts a new engine to this driver's hosts and its share of the concurrency.
    pub(super) fn restrict(&self, engine: &mut DriverEngine) {
        engine.set_ceiling(self.concurrency.limit());
        engine.set_part(self.shard);
    }

    /// Divides the limits of a new configuration.
    pub(super) fn configure(&mut self, config: &Config, engine: &mut DriverEngine) {
        self.limits.configure(config, engine);
    }

    /// Settles with the other drivers how much of each limit this one has, with `in_flight` attempts
    /// in flight and, if it `is_busy`, fetches in the engine. Returns true if the engine may start
    /// more.
    pub(super) fn settle(
        &mut self,
        in_flight: usize,
        is_busy: bool,
        engine: &mut DriverEngine,
        now: Timestamp,
    ) -> bool {
        let before = self.concurrency.limit();
        if self.concurrency.settle(in_flight, engine.wants_more()) {
            engine.set_ceiling(self.concurrency.limit());
        }
        // A share that starts no attempt is given back at the next turn, not at once: otherwise this
        // driver would take it again.
        let has_more = self.concurrency.limit() > before;
        self.limits.settle(is_busy, engine, now) || has_more
    }

    /// When to settle again at the latest.
    pub(super) fn settles_at(&self) -> Option<Timestamp> {
        self.limits.settles_at()
    }

    /// Ready when another driver's share has changed, so that it may be time to settle.
    pub(super) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let changed = [
            self.concurrency.poll_freed(cx),
            self.limits.poll_changed(cx),
        ];
        match changed.contains(&Poll::Ready(())) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Moves a fetch, and those that share its response, to the driver `to` of its host.
    pub(super) fn export_fetch(
        &self,
        id: FetchId,
        to: u32,
        engine: &mut DriverEngine,
        fetches: &mut FetchTable,
        now: Timestamp,
    ) {
        let Some(moved) = engine.take(id, now) else {
            return;
        };
        let migrating = moved.ids().map(|id| {
            let mut fetch = fetches.remove(id)?;
            // The permit is one of this driver's.
            fetch.take_permit();
            let survives_cancel = self.cancelled.contains(&fetch.group);
            Some(MigratingFetch {
                fetch,
                survives_cancel,
            })
        });
        let migrating = migrating.collect();
        self.send(to, Command::Adopt(Box::new(moved), migrating));
    }

    /// Continues fetches that another driver exported. Cancels those whose group was cancelled on the
    /// way, when neither driver had them.
    pub(super) fn import_fetches(
        &self,
        moved: Moved,
        migrating: Vec<Option<MigratingFetch>>,
        engine: &mut DriverEngine,
        fetches: &mut FetchTable,
        now: Timestamp,
    ) {
        // If the engine is closed, dropping the fetches sends their outcomes.
        let Ok(ids) = engine.adopt(moved, now) else {
            return;
        };
        for (id, migrating) in ids.into_iter().zip(migrating) {
            if migrating.as_ref().is_none_or(|one| self.missed_cancel(one)) {
                engine.cancel(id, now);
            }
            if let Some(migrating) = migrating {
                fetches.insert(migrating.fetch.with_id(id));
            }
        }
    }

    fn missed_cancel(&self, migrating: &MigratingFetch) -> bool {
        !migrating.survives_cancel && self.cancelled.contains(&migrating.fetch.group)
    }

    /// Remembers that this group was cancelled, for fetches that are on the way to this driver.
    pub(super) fn note_cancelled(&mut self, group: u64) {
        if self.cancelled.len() == REMEMBERED_GROUPS {
            self.cancelled.pop_front();
        }
        self.cancelled.push_back(group);
    }

    /// If that driver is gone, so are all consumers of its outcomes.
    fn send(&self, to: u32, command: Command) {
        let senders = self.senders.get();
        let sender = senders.and_then(|senders| senders.get(to as usize)?.upgrade());
        if let Some(sender) = sender {
            let _ = sender.try_send(command);
        }
    }
}
