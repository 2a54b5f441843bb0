//! The other drivers of a fetcher with several threads: what they share, and fetches that move
//! between them.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use async_channel::WeakSender;
use fetch_proto::{EngineConfig, FetchId, FetchTransfer, Shard, Timestamp};

use crate::driver::command::DriverCommand;
use crate::driver::fetches::migrating::MigratingFetch;
use crate::driver::fetches::table::FetchTable;
use crate::shard::concurrency::ConcurrencyShare;
use crate::shard::shared_limits::SharedLimitsHandle;
use crate::telemetry::recording::DriverEngine;

/// Command channels of all drivers, set once all exist. Weak, so drivers do not keep each other alive.
pub(crate) type DriverSenders = Arc<OnceLock<Vec<WeakSender<DriverCommand>>>>;

/// How many cancelled groups are remembered, for fetches that were on the way to this driver.
const REMEMBERED_GROUPS: usize = 1024;

/// What one of several drivers knows of the others and shares with them.
pub(crate) struct Siblings {
    /// Groups that were cancelled or wound down recently.
    cancelled: VecDeque<u64>,
    concurrency: ConcurrencyShare,
    limits: SharedLimitsHandle,
    senders: DriverSenders,
    /// The hosts of this driver.
    shard: Shard,
}

impl Siblings {
    /// The siblings of driver `index` among `count` drivers.
    pub(crate) fn new(
        index: usize,
        count: usize,
        senders: DriverSenders,
        concurrency: ConcurrencyShare,
        limits: SharedLimitsHandle,
    ) -> Self {
        let number = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            cancelled: VecDeque::new(),
            concurrency,
            limits,
            senders,
            shard: Shard {
                index: number(index),
                count: number(count),
            },
        }
    }

    /// Restricts a new engine to this driver's hosts, its share of the concurrency, and the limits that
    /// all drivers share.
    pub(super) fn restrict(&self, engine: &mut DriverEngine) {
        engine.set_concurrency_ceiling(self.concurrency.limit());
        engine.set_shard(self.shard);
        engine.share_limits();
    }

    /// The limits over the hosts of all drivers.
    pub(super) fn limits(&self) -> &SharedLimitsHandle {
        &self.limits
    }

    /// Adopts a new configuration of the engine.
    pub(super) fn configure(&mut self, config: &EngineConfig) {
        self.limits.configure(config);
    }

    /// Adjusts this driver's share of the concurrency, with `in_flight` attempts in flight. Returns
    /// true if the engine may start more.
    pub(super) fn settle(&mut self, in_flight: usize, engine: &mut DriverEngine) -> bool {
        let before = self.concurrency.limit();
        if self
            .concurrency
            .settle(in_flight, engine.is_limited_by_ceiling())
        {
            engine.set_concurrency_ceiling(self.concurrency.limit());
        }
        // A share that starts no attempt is given back at the next turn, not at once: otherwise this
        // driver would take it again.
        self.concurrency.limit() > before
    }

    /// Ready when another driver has given back concurrency, if this one needs more.
    pub(super) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.concurrency.poll_freed(cx)
    }

    /// Moves a fetch, and those that share its response, to driver `to`, which owns its host.
    pub(super) fn export_fetch(
        &self,
        id: FetchId,
        to: u32,
        engine: &mut DriverEngine,
        fetches: &mut FetchTable,
        now: Timestamp,
    ) {
        let Some(moved) = engine.export_fetch(id, now) else {
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
        self.send(to, DriverCommand::Adopt(Box::new(moved), migrating));
    }

    /// Continues fetches that another driver exported. Cancels those whose group was cancelled
    /// while they were between the two drivers.
    pub(super) fn import_fetches(
        &self,
        moved: FetchTransfer,
        migrating: Vec<Option<MigratingFetch>>,
        engine: &mut DriverEngine,
        fetches: &mut FetchTable,
        now: Timestamp,
    ) {
        // If the engine is closed, dropping the fetches sends their outcomes.
        let Ok(ids) = engine.import_fetch(moved, now) else {
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

    /// Sends a command to driver `to`, or drops it if that driver has ended: then all consumers of
    /// its outcomes are gone, too.
    fn send(&self, to: u32, command: DriverCommand) {
        let senders = self.senders.get();
        let sender = senders.and_then(|senders| senders.get(to as usize)?.upgrade());
        if let Some(sender) = sender {
            let _ = sender.try_send(command);
        }
    }
}

#[cfg(test)]
mod tests {
    use async_channel::{Receiver, Sender};
    use fetch_proto::{EngineOutput, FetchError};

    use super::*;
    use crate::driver::test_support::{NOW, submit, test_engine};
    use crate::shard::shared_limits::SharedLimits;

    type CommandChannel = (Sender<DriverCommand>, Receiver<DriverCommand>);

    /// Two drivers, and the channel of their commands.
    fn two_drivers() -> ([Siblings; 2], [DriverEngine; 2], CommandChannel) {
        let (sender, commands) = async_channel::unbounded();
        let senders = DriverSenders::default();
        let _ = senders.set(vec![sender.downgrade(), sender.downgrade()]);
        let config = EngineConfig::default();
        let shared = Arc::new(SharedLimits::new(&config));
        let mut shares = ConcurrencyShare::divide(2, 2).into_iter();
        let siblings = [0, 1].map(|i| {
            let limits = SharedLimitsHandle::new(shared.clone(), i, &config);
            Siblings::new(i, 2, senders.clone(), shares.next().unwrap(), limits)
        });
        let engines = [0, 1].map(|i: usize| {
            let mut engine = test_engine(EngineConfig::default());
            siblings[i].restrict(&mut engine);
            engine
        });
        (siblings, engines, (sender, commands))
    }

    /// A URL whose host is the second driver's.
    fn url_of_second() -> String {
        let urls = (0..).map(|n| format!("http://{n}.test/"));
        let mut urls = urls.filter(|url| Shard::owner_of(&url.parse().unwrap(), 2) == 1);
        urls.next().unwrap()
    }

    /// Moves a fetch to the second driver, and returns the first output of its engine.
    fn migrate(
        note_cancelled: impl FnOnce(&mut Siblings, &mut Siblings),
    ) -> (FetchTable, EngineOutput) {
        let ([mut first, mut second], [mut from, mut to], channel) = two_drivers();
        let (mut fetches, mut imported) = (FetchTable::default(), FetchTable::default());
        let _consumer = submit(&url_of_second(), &mut from, &mut fetches);
        let EngineOutput::Transfer { id, to: 1 } = from.poll(NOW) else {
            panic!("it stays");
        };
        note_cancelled(&mut first, &mut second);
        first.export_fetch(id, 1, &mut from, &mut fetches, NOW);
        assert_eq!(fetches.iter().count(), 0);
        let Ok(DriverCommand::Adopt(moved, migrating)) = channel.1.try_recv() else {
            panic!("nothing was sent");
        };
        second.import_fetches(*moved, migrating, &mut to, &mut imported, NOW);
        let output = to.poll(NOW);
        (imported, output)
    }

    #[test]
    fn a_fetch_continues_at_the_driver_of_its_host() {
        let (fetches, output) = migrate(|_, _| {});
        let EngineOutput::Start(attempt) = output else {
            panic!("{output:?}");
        };
        assert!(fetches.get(attempt.id.fetch).is_some());
    }

    #[test]
    fn a_fetch_whose_group_was_cancelled_on_the_way_ends() {
        let (_, output) = migrate(|_, second| second.note_cancelled(1));
        let EngineOutput::Done(_, outcome) = output else {
            panic!("{output:?}");
        };
        assert_eq!(outcome.result, Err(FetchError::Cancelled));
    }

    #[test]
    fn a_fetch_that_was_in_flight_when_its_group_was_wound_down_continues() {
        let (_, output) = migrate(|first, second| {
            first.note_cancelled(1);
            second.note_cancelled(1);
        });
        assert!(matches!(output, EngineOutput::Start(_)), "{output:?}");
    }
}
