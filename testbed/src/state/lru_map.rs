//! A map with a bounded number of entries.

use std::hash::Hash;

use lru::LruCache;

/// A map that removes the least recently used entry when it is full.
#[derive(Debug)]
pub(crate) struct LruMap<K: Hash + Eq, V> {
    entries: LruCache<K, V>,
    limit: usize,
}

impl<K: Hash + Eq, V> LruMap<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        // `LruCache::new` would allocate memory for the limit at once. Most sites need much less.
        Self {
            entries: LruCache::unbounded(),
            limit,
        }
    }

    pub(crate) fn get_or_insert(&mut self, key: K, default: impl FnOnce() -> V) -> &mut V {
        if self.entries.len() >= self.limit && !self.entries.contains(&key) {
            self.entries.pop_lru();
        }
        self.entries.get_or_insert_mut(key, default)
    }

    pub(crate) fn peek<Q>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.peek(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::LruMap;

    #[test]
    fn the_least_recently_used_entry_is_removed() {
        let mut map = LruMap::new(2);
        *map.get_or_insert("a", || 0) += 1;
        *map.get_or_insert("b", || 0) += 1;
        *map.get_or_insert("a", || 0) += 1;
        *map.get_or_insert("c", || 0) += 1;
        assert_eq!(map.peek("a"), Some(&2));
        assert_eq!(map.peek("b"), None);
        assert_eq!(map.iter().count(), 2);
    }
}
