//! Shared connections without a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::handle::H2Handle;

/// Idle connections, in the order in which they became idle.
#[derive(Default)]
pub(super) struct IdleList {
    handles: BTreeMap<u64, (Arc<H2Handle>, Instant)>,
    last_key: u64,
}

impl IdleList {
    /// Adds the newest. Returns its key.
    pub(super) fn insert(&mut self, handle: Arc<H2Handle>) -> u64 {
        self.last_key += 1;
        self.handles.insert(self.last_key, (handle, Instant::now()));
        self.last_key
    }

    pub(super) fn remove(&mut self, key: u64) {
        self.handles.remove(&key);
    }

    /// Since when the oldest connection has been idle.
    pub(super) fn oldest_since(&self) -> Option<Instant> {
        let (_, since) = self.handles.first_key_value()?.1;
        Some(*since)
    }

    pub(super) fn pop_oldest(&mut self) -> Option<Arc<H2Handle>> {
        let (_, (handle, _)) = self.handles.pop_first()?;
        Some(handle)
    }
}
