//! A cache of robots.txt files, in bounded memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::file::RobotsFile;

/// The approximate memory limit. The oldest files are dropped first.
const MAX_BYTES: usize = 64 << 20;

/// How long a file is used: RFC 9309, 2.4.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A cache for several threads.
pub(crate) type SharedCache = Arc<Mutex<RobotsCache>>;

#[derive(Default)]
pub(crate) struct RobotsCache {
    bytes: usize,
    files: HashMap<String, (RobotsFile, Instant)>,
    /// The oldest first.
    order: VecDeque<String>,
}

impl RobotsCache {
    /// The file of a site, unless it is unknown or too old.
    pub(super) fn get(&self, site: &str) -> Option<&RobotsFile> {
        let (file, since) = self.files.get(site)?;
        (since.elapsed() < MAX_AGE).then_some(file)
    }

    pub(super) fn insert(&mut self, site: String, file: RobotsFile) {
        self.bytes += file.size();
        if let Some((old, _)) = self.files.insert(site.clone(), (file, Instant::now())) {
            self.bytes -= old.size();
            self.order.retain(|other| *other != site);
        }
        self.order.push_back(site);
        while self.bytes > MAX_BYTES
            && self.order.len() > 1
            && let Some(oldest) = self.order.pop_front()
            && let Some((file, _)) = self.files.remove(&oldest)
        {
            self.bytes -= file.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_files_are_dropped_when_memory_is_full() {
        let mut cache = RobotsCache::default();
        let count = MAX_BYTES / RobotsFile::AllowAll.size() + 10;
        for n in 0..count {
            cache.insert(n.to_string(), RobotsFile::AllowAll);
        }
        assert!(cache.bytes <= MAX_BYTES && cache.files.len() == cache.order.len());
        assert!(cache.get("0").is_none() && cache.get(&(count - 1).to_string()).is_some());
    }
}
