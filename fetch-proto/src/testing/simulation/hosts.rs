//! The hosts of a run and their summaries.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::Simulation;
use super::host::SimulatedHost;
use super::host_summary::HostSummary;
use crate::model::time::Timestamp;

/// The largest number of hosts without a model that have a separate summary.
const MAX_SUMMARIES: usize = 256;

/// Idle hosts are removed when there are at least this many hosts.
const SWEEP_THRESHOLD: usize = 1024;

/// A host, its name and the index of its summary.
#[derive(Debug)]
struct HostEntry {
    host: SimulatedHost,
    name: Box<str>,
    summary: usize,
}

/// The hosts seen so far.
#[derive(Debug)]
pub(super) struct HostTable {
    entries: Vec<Option<HostEntry>>,
    free: Vec<u32>,
    by_name: HashMap<Box<str>, u32>,
    /// The first is shared by all hosts without a separate one.
    summaries: Vec<HostSummary>,
    sweep_at: usize,
}

impl HostTable {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            by_name: HashMap::new(),
            summaries: [HostSummary::new(HostSummary::OTHERS)].into(),
            sweep_at: SWEEP_THRESHOLD,
        }
    }

    /// The index of the host with this name, which is created if it does not exist.
    pub(super) fn intern(&mut self, name: &str, simulation: &Simulation, now: Timestamp) -> u32 {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        if self.by_name.len() >= self.sweep_at {
            self.sweep(now);
        }
        let named = simulation.servers.contains_key(name);
        let summary = if named || self.summaries.len() <= MAX_SUMMARIES {
            self.summaries.push(HostSummary::new(name));
            self.summaries.len() - 1
        } else {
            0
        };
        let entry = HostEntry {
            host: simulation.new_host(name),
            name: name.into(),
            summary,
        };
        let index = self.free.pop().unwrap_or(self.entries.len() as u32);
        match self.entries.get_mut(index as usize) {
            Some(slot) => *slot = Some(entry),
            None => self.entries.push(Some(entry)),
        }
        self.by_name.insert(name.into(), index);
        index
    }

    /// The state and the summary of a host.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<(&mut SimulatedHost, &mut HostSummary)> {
        let entry = self.entries.get_mut(index as usize)?.as_mut()?;
        Some((&mut entry.host, &mut self.summaries[entry.summary]))
    }

    /// The summaries of all hosts, sorted by name, the shared one last.
    pub(super) fn into_summaries(self) -> Vec<HostSummary> {
        let mut all = self.summaries;
        let others = all.swap_remove(0);
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.extend(Some(others).filter(|others| others.fetches.count() > 0));
        all
    }

    /// Removes idle hosts without a separate summary, so that memory does not grow with the number
    /// of hosts in the list.
    fn sweep(&mut self, now: Timestamp) {
        for (index, slot) in self.entries.iter_mut().enumerate() {
            let removed = slot.take_if(|entry| entry.summary == 0 && entry.host.is_idle(now));
            if let Some(entry) = removed {
                self.by_name.remove(&entry.name);
                self.free.push(index as u32);
            }
        }
        self.sweep_at = SWEEP_THRESHOLD.max(2 * self.by_name.len());
    }
}
