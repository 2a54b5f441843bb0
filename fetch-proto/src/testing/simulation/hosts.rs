//! The hosts of a run: their states while there is something to remember, and their summaries.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::Simulation;
use super::host::Host;
use super::load::HostSummary;
use crate::model::time::Timestamp;

/// So many hosts without a model of their own have a summary of their own.
const SUMMARIES: usize = 256;

/// So many states are kept without looking which are needed.
const KEPT: usize = 1024;

/// A host by number.
#[derive(Debug)]
struct Entry {
    host: Host,
    name: Box<str>,
    summary: usize,
}

/// All hosts that were met.
#[derive(Debug)]
pub(super) struct Hosts {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    by_name: HashMap<Box<str>, u32>,
    /// The first is that of all that have none of their own.
    summaries: Vec<HostSummary>,
    sweep_at: usize,
}

impl Hosts {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            by_name: HashMap::new(),
            summaries: [HostSummary::new(HostSummary::OTHERS)].into(),
            sweep_at: KEPT,
        }
    }

    /// The number of the host of this name, which is new if it was not met, or forgotten since.
    pub(super) fn intern(&mut self, name: &str, simulation: &Simulation, now: Timestamp) -> u32 {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        if self.by_name.len() >= self.sweep_at {
            self.sweep(now);
        }
        let named = simulation.servers.contains_key(name);
        let summary = if named || self.summaries.len() <= SUMMARIES {
            self.summaries.push(HostSummary::new(name));
            self.summaries.len() - 1
        } else {
            0
        };
        let entry = Entry {
            host: simulation.model(name),
            name: name.into(),
            summary,
        };
        let index = self.free.pop().unwrap_or(self.entries.len() as u32);
        match self.entries.get_mut(index as usize) {
            Some(place) => *place = Some(entry),
            None => self.entries.push(Some(entry)),
        }
        self.by_name.insert(name.into(), index);
        index
    }

    /// The state and the summary of a host that is not forgotten.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<(&mut Host, &mut HostSummary)> {
        let entry = self.entries.get_mut(index as usize)?.as_mut()?;
        Some((&mut entry.host, &mut self.summaries[entry.summary]))
    }

    /// The summaries of all hosts, by name, that of the others at the end.
    pub(super) fn into_summaries(self) -> Vec<HostSummary> {
        let mut all = self.summaries;
        let others = all.swap_remove(0);
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.extend(Some(others).filter(|others| others.fetches.count() > 0));
        all
    }

    /// Forgets hosts without a summary that behave as new ones would, so that a list with a host on
    /// every line needs no more memory than the engine's window.
    fn sweep(&mut self, now: Timestamp) {
        for (index, place) in self.entries.iter_mut().enumerate() {
            let gone = place.take_if(|entry| entry.summary == 0 && entry.host.is_idle(now));
            if let Some(entry) = gone {
                self.by_name.remove(&entry.name);
                self.free.push(index as u32);
            }
        }
        self.sweep_at = KEPT.max(2 * self.by_name.len());
    }
}
