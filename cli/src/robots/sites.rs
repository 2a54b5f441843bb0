//! The files that are known, in bounded memory.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::file::RobotsFile;

/// So much memory at most, about: the oldest make room.
const MAX_BYTES: usize = 64 << 20;

/// How long a file counts: RFC 9309, 2.4.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Default)]
pub(super) struct RobotsCache {
    bytes: usize,
    files: HashMap<String, (RobotsFile, Instant)>,
    /// The oldest first.
    order: VecDeque<String>,
}

impl RobotsCache {
    /// A site's file, unless it has to be fetched first.
    pub(super) fn get(&self, site: &str) -> Option<&RobotsFile> {
        let (file, since) = self.files.get(site)?;
        (since.elapsed() < DAY).then_some(file)
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
    fn memory_is_bounded_and_the_newest_stay() {
        let mut sites = RobotsCache::default();
        let count = MAX_BYTES / RobotsFile::All.size() + 10;
        for n in 0..count {
            sites.insert(n.to_string(), RobotsFile::All);
        }
        assert!(sites.bytes <= MAX_BYTES && sites.files.len() == sites.order.len());
        assert!(sites.get("0").is_none() && sites.get(&(count - 1).to_string()).is_some());
    }
}
