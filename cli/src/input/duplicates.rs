//! Detects requests that were in the list before, in bounded memory.

use std::collections::HashSet;
use std::mem;

/// The size of a generation. At least this many of the latest requests are remembered. Both
/// generations take at most about 300 MiB.
pub(crate) const REMEMBERED: usize = 5_000_000;

/// Digests in two generations. When the younger is full, it replaces the older.
#[derive(Debug, Default)]
pub(crate) struct DuplicateFilter {
    old: HashSet<u128>,
    young: HashSet<u128>,
}

impl DuplicateFilter {
    /// Remembers the digest. Returns whether it was remembered before.
    pub(super) fn is_duplicate(&mut self, digest: u128) -> bool {
        self.insert(digest, REMEMBERED)
    }

    fn insert(&mut self, digest: u128, most: usize) -> bool {
        if self.old.contains(&digest) {
            return true;
        }
        if self.young.len() >= most && !self.young.contains(&digest) {
            // Both sets keep their allocations, so neither has to grow again.
            mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
            self.young.reserve(most);
        }
        !self.young.insert(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_digests_are_remembered_in_bounded_memory() {
        let mut seen = DuplicateFilter::default();
        for digest in 0..1000 {
            assert!(!seen.insert(digest, 10));
            assert!(seen.old.len() + seen.young.len() <= 20);
            for last in digest.saturating_sub(9)..=digest {
                assert!(seen.insert(last, 10), "{last} of {digest}");
            }
        }
        assert!(!seen.insert(0, 10), "it is long ago");
        assert!(
            seen.old.capacity() + seen.young.capacity() <= 2 * 14,
            "the room for 10"
        );
    }
}
