//! Which requests there were before, in bounded memory.

use std::collections::HashSet;
use std::mem;

/// Of so many different ones the latest are surely remembered. Two such sets are kept: at most about
/// 300 MiB.
pub(crate) const REMEMBERED: usize = 5_000_000;

/// Digests in two generations: when the younger is full it becomes the older, and that is forgotten.
#[derive(Debug, Default)]
pub(crate) struct DuplicateFilter {
    old: HashSet<u128>,
    young: HashSet<u128>,
}

impl DuplicateFilter {
    /// Whether it was here before, as far as is remembered.
    pub(super) fn again(&mut self, digest: u128) -> bool {
        self.again_of(digest, REMEMBERED)
    }

    fn again_of(&mut self, digest: u128, most: usize) -> bool {
        if self.old.contains(&digest) {
            return true;
        }
        if self.young.len() >= most && !self.young.contains(&digest) {
            // Both keep their memory: neither has to grow again while the other is full.
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
    fn the_latest_are_remembered_in_bounded_memory() {
        let mut seen = DuplicateFilter::default();
        for digest in 0..1000 {
            assert!(!seen.again_of(digest, 10));
            assert!(seen.old.len() + seen.young.len() <= 20);
            for last in digest.saturating_sub(9)..=digest {
                assert!(seen.again_of(last, 10), "{last} of {digest}");
            }
        }
        assert!(!seen.again_of(0, 10), "it is long ago");
        assert!(
            seen.old.capacity() + seen.young.capacity() <= 2 * 14,
            "the room for 10"
        );
    }
}
