//! One driver among several: a fetch that a redirect leads to another's host goes over to it.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use async_channel::WeakSender;
use fetch_proto::{FetchId, Moved, Part, Stats, Timestamp};

use super::Driver;
use crate::driver::command::Command;
use crate::driver::exchange::Exchanging;
use crate::driver::migrating::Passenger;
use crate::transport::Transport;
use crate::transport::message::Outgoing;
use crate::transport::progress::Marks;

/// The ways to all drivers, known once all are made. Weak: who only waits for the others ends.
pub(crate) type Ways = Arc<OnceLock<Vec<WeakSender<Command>>>>;

/// So many groups that were ended are remembered, for fetches that were on their way then.
const ENDED: usize = 1024;

/// What a driver needs of the others.
pub(crate) struct Peers {
    /// Groups that were ended lately.
    ended: VecDeque<u64>,
    pub(super) part: Part,
    ways: Ways,
}

impl Peers {
    pub(crate) fn new(index: usize, of: usize, ways: Ways) -> Self {
        let number = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            ended: VecDeque::new(),
            part: Part {
                index: number(index),
                of: number(of),
            },
            ways,
        }
    }

    fn note_end(&mut self, group: u64) {
        if self.ended.len() == ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(group);
    }

    /// If that driver is gone, so is everyone who could receive anything.
    fn send(&self, to: u32, command: Command) {
        let ways = self.ways.get();
        let way = ways.and_then(|ways| ways.get(to as usize)?.upgrade());
        if let Some(way) = way {
            let _ = way.try_send(command);
        }
    }
}

impl<T, F, S> Driver<T, F, S>
where
    T: Transport,
    F: Exchanging,
    S: Fn(&T, Outgoing, Marks) -> F,
{
    /// Settles with the other drivers what this one may do, with fetches in the engine if it `is_busy`;
    /// tells whether it may begin more.
    pub(super) fn settle_with_peers(&mut self, stats: &Stats, is_busy: bool) -> bool {
        let Some(part) = &mut self.part else {
            return false;
        };
        let before = part.limit();
        if part.settle(stats.flying, self.engine.wants_more()) {
            self.engine.set_ceiling(part.limit());
        }
        // If what it took starts nothing it goes back at the next turn, not at once: else it would be
        // taken again.
        let has_more = part.limit() > before;
        self.settle_limits(is_busy) || has_more
    }

    /// Waits until it may be time for [`Driver::settle_with_peers`].
    pub(super) fn poll_peers(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let freed = self.part.as_mut().map(|part| part.poll_freed(cx));
        let changed = self.limits.as_mut().map(|limits| limits.poll_changed(cx));
        match freed.into_iter().chain(changed).any(|poll| poll.is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Gives the fetch, and those that wait for its response, to the driver of its host.
    pub(super) fn hand_over(&mut self, id: FetchId, to: u32, now: Timestamp) {
        let Some((peers, moved)) = self.peers.as_ref().zip(self.engine.take(id, now)) else {
            return;
        };
        let lives = moved.ids().map(|id| {
            let mut live = self.lives.get_mut(id.slot())?.take()?;
            // Its place among the undelivered is one of this driver's.
            live.take_permit();
            let survives = peers.ended.contains(&live.group);
            Some(Passenger { live, survives })
        });
        let lives = lives.collect();
        peers.send(to, Command::Adopt(Box::new(moved), lives));
    }

    /// Goes on with what another driver handed over.
    pub(super) fn adopt(&mut self, moved: Moved, lives: Vec<Option<Passenger>>) {
        let now = self.clock.now();
        // Closed: their sinks say so.
        let Ok(ids) = self.engine.adopt(moved, now) else {
            return;
        };
        for (id, passenger) in ids.into_iter().zip(lives) {
            let is_over = passenger
                .as_ref()
                .is_none_or(|one| self.missed_its_end(one));
            if is_over {
                self.engine.cancel(id, now);
            }
            if let Some(passenger) = passenger {
                self.enter(passenger.live.renamed(id));
            }
        }
    }

    /// Whether its group was ended while it was on its way, so that neither driver ended it.
    fn missed_its_end(&self, passenger: &Passenger) -> bool {
        let ended = self.peers.as_ref().map(|peers| &peers.ended);
        !passenger.survives && ended.is_some_and(|ended| ended.contains(&passenger.live.group))
    }

    /// Those of that group which are on their way here are not to go on.
    pub(super) fn note_end(&mut self, group: u64) {
        if let Some(peers) = &mut self.peers {
            peers.note_end(group);
        }
    }
}
