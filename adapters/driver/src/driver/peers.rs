//! One driver among several: a fetch that a redirect leads to another's host goes over to it.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use async_channel::WeakSender;
use fetch_proto::{FetchId, Moved, Part};

use super::Driver;
use crate::job::{Command, Live};
use crate::port::Port;
use crate::transport::{Outgoing, Transport};

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
    F: Future<Output = ()> + Send + 'static,
    S: Fn(&T, Outgoing, &Port) -> F,
{
    /// Gives the fetch, and those that wait for its response, to the driver of its host.
    pub(super) fn hand_over(&mut self, id: FetchId, to: u32) {
        let Some(moved) = self.engine.take(id, self.clock.now()) else {
            return;
        };
        let mut lives = Vec::new();
        for id in moved.ids() {
            let live = self.lives.get_mut(id.slot()).and_then(Option::take);
            lives.extend(live.map(|mut live| {
                // Its place among the undelivered is one of this driver's.
                live.take_permit();
                (id, live)
            }));
        }
        if let Some(peers) = &self.peers {
            peers.send(to, Command::Adopt(Box::new(moved), lives));
        }
    }

    /// Goes on with what another driver handed over.
    pub(super) fn adopt(&mut self, moved: Moved, lives: Vec<(FetchId, Live)>) {
        let now = self.clock.now();
        let before: Vec<_> = moved.ids().collect();
        // Closed: their sinks say so.
        let Ok(ids) = self.engine.adopt(moved, now) else {
            return;
        };
        let mut lives = lives.into_iter().peekable();
        for (before, id) in before.into_iter().zip(ids) {
            let Some((_, live)) = lives.next_if(|(known, _)| *known == before) else {
                self.engine.cancel(id, now);
                continue;
            };
            let is_over = |peers: &Peers| peers.ended.contains(&live.group);
            if self.peers.as_ref().is_some_and(is_over) {
                self.engine.cancel(id, now);
            }
            self.enter(live.renamed(id));
        }
    }

    /// Those of that group which are on their way here are not to go on.
    pub(super) fn note_end(&mut self, group: u64) {
        if let Some(peers) = &mut self.peers {
            peers.note_end(group);
        }
    }
}
