//! Random words that depend on the engine's seed alone.

use crate::random::mix;

/// The engine's source of randomness: one stream for fetches, one for the engine's own draws, and
/// one seed for each host.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct EngineRandom {
    seed: u64,
    draws: u64,
    fetches: u64,
}

impl EngineRandom {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            draws: 0,
            fetches: 0,
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The seed of the next fetch.
    pub(crate) fn next_fetch_seed(&mut self) -> u64 {
        let seed = mix(self.seed, self.fetches);
        self.fetches += 1;
        seed
    }

    /// A random word for a decision of the engine.
    pub(crate) fn draw(&mut self) -> u64 {
        self.draws += 1;
        mix(!self.seed, self.draws)
    }
}

/// The seed of the host with this key. It is the same after the host was removed and added again.
pub(crate) fn host_seed(seed: u64, key: &str) -> u64 {
    key.bytes().fold(seed, |seed, byte| mix(seed, byte.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetch_seeds_do_not_depend_on_the_draws_between_them() {
        let (mut a, mut b) = (EngineRandom::new(7), EngineRandom::new(7));
        b.draw();
        assert_eq!(a.next_fetch_seed(), b.next_fetch_seed());
        assert_ne!(a.next_fetch_seed(), EngineRandom::new(7).next_fetch_seed());
        assert_ne!(a.draw(), b.draw());
    }

    #[test]
    fn each_host_has_its_own_seed() {
        assert_eq!(host_seed(7, "http://a.test"), host_seed(7, "http://a.test"));
        assert_ne!(host_seed(7, "http://a.test"), host_seed(7, "http://b.test"));
    }
}
